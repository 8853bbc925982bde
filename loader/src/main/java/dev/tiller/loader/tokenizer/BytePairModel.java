package dev.tiller.loader.tokenizer;

import java.nio.charset.StandardCharsets;

/**
 * Byte-pair encoding (Sennrich et al. 2016): a piece starts as single characters, and the pair of neighbours whose merge
 * has the lowest rank, the leftmost of several, becomes one token until no pair has a merge. A heap of candidates over a
 * linked list keeps this at n log n for a piece of n characters.
 */
final class BytePairModel implements TokenModel {
    /**
     * What to do with a character that is not in the vocabulary, and with whole words.
     *
     * @param unknownId token for such a character, or -1: it is left out, as the tokenizers library does
     * @param fuseUnknown whether a run of them is one token
     * @param byteFallback whether its UTF-8 bytes are written as tokens {@code <0xNN>} instead, if all of them exist
     * @param ignoreMerges whether a piece that is a token as a whole is that token
     * @param prefix marks a character that does not begin its piece, or ""
     * @param suffix marks the character that ends it, or ""
     */
    record Options(
            int unknownId,
            boolean fuseUnknown,
            boolean byteFallback,
            boolean ignoreMerges,
            String prefix,
            String suffix) {
        Options(int unknownId, boolean fuseUnknown, boolean byteFallback, boolean ignoreMerges) {
            this(unknownId, fuseUnknown, byteFallback, ignoreMerges, "", "");
        }

        boolean marks() {
            return !prefix.isEmpty() || !suffix.isEmpty();
        }
    }

    private final Vocabulary vocabulary;
    private final Merges merges;
    private final Options options;
    private final LongIntMap characters;
    private final int[] bytes = new int[256];

    BytePairModel(Vocabulary vocabulary, Merges merges, Options options) {
        this.vocabulary = vocabulary;
        this.merges = merges;
        this.options = options;
        characters = new LongIntMap(1024);
        for (int id = 0; id < vocabulary.size(); id++) {
            int character = vocabulary.character(id);
            if (character >= 0) {
                characters.put(character, id);
            }
        }
        for (int b = 0; b < 256; b++) {
            bytes[b] = options.byteFallback ? vocabulary.id(String.format("<0x%02X>", b)) : -1;
        }
    }

    @Override
    public void tokenize(AlignedText piece, TokenList out) {
        if (options.ignoreMerges) {
            int id = vocabulary.modelId(piece.text());
            if (id >= 0) {
                out.add(id, vocabulary.token(id), piece.start(0), piece.end(piece.length() - 1));
                return;
            }
        }
        int single = piece.length() == 1 && !options.marks() ? characters.get(piece.codePoint(0)) : -1;
        if (single >= 0) {
            out.add(single, vocabulary.token(single), piece.start(0), piece.end(0));
            return;
        }
        Symbols word = new Symbols(piece.length());
        spell(piece, word);
        word.merge(merges);
        place(word, piece, out);
        out.countWork(word.work());
    }

    /**
     * Fills the word with one symbol per character, or several where it falls back to bytes. Their places are bytes that
     * follow on each other: what is left out has no place, and the symbols behind it move up, as in the tokenizers
     * library.
     */
    private void spell(AlignedText piece, Symbols word) {
        int at = 0;
        int unknown = 0; // bytes of it that are still to be written
        for (int i = 0; i < piece.length(); i++) {
            int c = piece.codePoint(i);
            int length = Utf8.length(c);
            String marked = options.marks() ? marked(piece, i) : null;
            int id = marked == null ? characters.get(c) : vocabulary.modelId(marked);
            if (id >= 0) {
                at = unknown > 0 ? word.append(options.unknownId, at, unknown) : at;
                unknown = 0;
                at = word.append(id, at, length);
                continue;
            }
            byte[] utf8 =
                    options.byteFallback ? utf8IfAllBytesKnown(marked == null ? Character.toString(c) : marked) : null;
            if (utf8 != null) { // before what is unknown and not written yet, as in the tokenizers library
                for (byte b : utf8) {
                    at = word.append(bytes[b & 0xFF], at, 1);
                }
            } else if (options.unknownId >= 0) {
                if (unknown > 0 && !options.fuseUnknown) {
                    at = word.append(options.unknownId, at, unknown);
                    unknown = 0;
                }
                unknown += length;
            }
        }
        if (unknown > 0) {
            word.append(options.unknownId, at, unknown);
        }
    }

    /** Writes the symbols as tokens, whose origins are those of the characters that their bytes touch. */
    private void place(Symbols word, AlignedText piece, TokenList out) {
        int character = 0;
        int before = 0; // bytes before that character
        for (int i = word.first(); i >= 0; i = word.next(i)) {
            while (character + 1 < piece.length()
                    && before + Utf8.length(piece.codePoint(character)) <= word.begin(i)) {
                before += Utf8.length(piece.codePoint(character++));
            }
            int start = piece.start(character);
            while (character + 1 < piece.length() && before + Utf8.length(piece.codePoint(character)) < word.end(i)) {
                before += Utf8.length(piece.codePoint(character++));
            }
            out.add(word.id(i), vocabulary.token(word.id(i)), start, piece.end(character));
        }
    }

    /** A character with the marks of its place in the piece. */
    private String marked(AlignedText piece, int at) {
        return (at > 0 ? options.prefix : "")
                + Character.toString(piece.codePoint(at))
                + (at + 1 == piece.length() ? options.suffix : "");
    }

    private byte[] utf8IfAllBytesKnown(String character) {
        byte[] utf8 = character.getBytes(StandardCharsets.UTF_8);
        for (byte b : utf8) {
            if (bytes[b & 0xFF] < 0) {
                return null;
            }
        }
        return utf8;
    }
}
