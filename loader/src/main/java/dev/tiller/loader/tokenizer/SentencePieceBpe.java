package dev.tiller.loader.tokenizer;

import dev.tiller.loader.Utf8Texts;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * Byte-pair encoding as SentencePiece does it (Kudo and Richardson 2018): any two neighbours whose sum is a piece may
 * merge, the sum with the highest score first, the leftmost of several. Texts that the user defined never merge; an
 * unused piece that merging ends with is taken apart again.
 */
final class SentencePieceBpe implements TokenModel {
    private final SentencePieces pieces;
    private final PieceWriter.Rules writing;
    private final TextTrie userDefined;
    private final Merges merges;
    /** Character to symbol: a piece, or a number behind the pieces for one that only occurs within pieces. */
    private final LongIntMap characters = new LongIntMap(1 << 12);

    /** The symbol of a character that no piece has. */
    private final int foreign;

    private final boolean hasUnused;

    SentencePieceBpe(SentencePieces pieces, Vocabulary vocabulary, TextTrie userDefined) {
        this.pieces = pieces;
        this.userDefined = userDefined;
        this.writing = new PieceWriter.Rules(pieces, vocabulary);
        this.hasUnused = Arrays.stream(pieces.types()).anyMatch(t -> t == SentencePieces.UNUSED);
        int symbols = pieces.types().length;
        for (int id = 0; id < pieces.types().length; id++) {
            int character = vocabulary.character(id);
            if (character >= 0 && pieces.isText(id)) {
                characters.put(character, id);
            }
        }
        for (int id = 0; id < pieces.types().length; id++) {
            if (!pieces.isText(id)) {
                continue;
            }
            String piece = pieces.pieces().get(id);
            for (int i = 0; i < piece.length(); i += Character.charCount(piece.codePointAt(i))) {
                if (characters.get(piece.codePointAt(i)) < 0) {
                    characters.put(piece.codePointAt(i), symbols++);
                }
            }
        }
        this.foreign = symbols;
        this.merges = merges(vocabulary);
    }

    /** Sums of equal score share a rank, so that the leftmost pair goes first. */
    private Merges merges(Vocabulary vocabulary) {
        float[] order = pieces.scores().clone();
        Arrays.sort(order);
        Merges out = new Merges(4 * order.length);
        Utf8Texts texts = vocabulary.index().texts();
        for (int id = 0; id < order.length; id++) {
            if (!pieces.isText(id)) {
                continue;
            }
            int begin = texts.start(id);
            int end = texts.end(id);
            int rank = order.length - 1 - Arrays.binarySearch(order, pieces.scores()[id]);
            for (int cut = begin + 1; cut < end; cut++) {
                if ((texts.bytes()[cut] & 0xC0) == 0x80) {
                    continue; // within a character
                }
                int left = symbol(vocabulary.index(), texts.bytes(), begin, cut);
                int right = left < 0 ? -1 : symbol(vocabulary.index(), texts.bytes(), cut, end);
                if (right >= 0) {
                    out.add(left, right, rank, id);
                }
            }
        }
        return out;
    }

    /** The symbol of a part of a piece, or -1. */
    private int symbol(TextIndex index, byte[] bytes, int begin, int end) {
        int id = index.find(bytes, begin, end);
        if (id >= 0 && pieces.isText(id)) {
            return id;
        }
        int lead = bytes[begin] & 0xFF;
        int length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
        if (length != end - begin) {
            return -1;
        }
        return characters.get(new String(bytes, begin, length, StandardCharsets.UTF_8).codePointAt(0));
    }

    @Override
    public void tokenize(AlignedText text, TokenList out) {
        Symbols word = new Symbols(text.length());
        for (int i = 0; i < text.length(); ) {
            long own = userDefined.longest(text, i);
            int length = own < 0 ? 1 : (int) (own >>> 32);
            int known = characters.get(text.codePoint(i));
            word.add(own >= 0 ? frozen((int) own) : known < 0 ? foreign : known, i, i + length);
            i += length;
        }
        Map<Integer, long[]> reverse = hasUnused ? new HashMap<>() : null;
        word.merge(
                merges,
                reverse == null
                        ? null
                        : (left, right, result) -> {
                            if (pieces.types()[result] == SentencePieces.UNUSED) {
                                reverse.put(result, new long[] {left, right});
                            }
                        });
        PieceWriter writer = new PieceWriter(writing, text, out);
        for (int i = word.first(); i >= 0; i = word.next(i)) {
            write(word.id(i), word.begin(i), word.end(i), writer, reverse);
        }
        writer.finish();
        out.countWork(word.work());
    }

    /** A symbol that no merge knows; a user-defined piece in the text is one. */
    private int frozen(int id) {
        return foreign + 1 + id;
    }

    private void write(int symbol, int begin, int end, PieceWriter writer, Map<Integer, long[]> reverse) {
        if (symbol > foreign) {
            writer.piece(symbol - foreign - 1, begin, end);
        } else if (symbol >= pieces.types().length) {
            writer.unknown(begin, end);
        } else if (pieces.types()[symbol] == SentencePieces.UNUSED && reverse.containsKey(symbol)) {
            int left = (int) reverse.get(symbol)[0];
            int right = (int) reverse.get(symbol)[1];
            int cut = begin + length(left);
            write(left, begin, cut, writer, reverse);
            write(right, cut, end, writer, reverse);
        } else {
            writer.piece(symbol, begin, end);
        }
    }

    private int length(int symbol) {
        if (symbol >= pieces.types().length) {
            return 1;
        }
        String piece = pieces.pieces().get(symbol);
        return piece.codePointCount(0, piece.length());
    }
}
