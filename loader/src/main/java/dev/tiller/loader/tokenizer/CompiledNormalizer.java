package dev.tiller.loader.tokenizer;

import java.util.Arrays;
import java.util.Base64;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The compiled character map of SentencePiece as the tokenizers library applies it: to each grapheme of fewer than six
 * bytes as a whole, of which the map may know only a beginning, else to its characters.
 */
final class CompiledNormalizer implements TextNormalizer {
    private static final Pattern GRAPHEME = Pattern.compile("\\X");
    private static final int MAX_GRAPHEME_BYTES = 5;

    private final Charsmap map;

    private CompiledNormalizer(Charsmap map) {
        this.map = map;
    }

    static TextNormalizer read(Section section, String source) {
        section.only("precompiled_charsmap");
        String text = section.has("precompiled_charsmap") ? section.string("precompiled_charsmap") : "";
        if (text.isEmpty()) {
            return given -> given;
        }
        try {
            return new CompiledNormalizer(Charsmap.read(Base64.getDecoder().decode(text), source));
        } catch (IllegalArgumentException e) {
            throw section.error("precompiled_charsmap", "bytes in base 64");
        }
    }

    @Override
    public AlignedText normalize(AlignedText text) {
        String units = text.text();
        Run run = new Run(text);
        Matcher graphemes = GRAPHEME.matcher(units);
        int begin = 0;
        while (graphemes.find()) {
            int end = begin + units.codePointCount(graphemes.start(), graphemes.end());
            if (bytes(text, begin, end) > MAX_GRAPHEME_BYTES || !run.replace(begin, end)) {
                for (int i = begin; i < end; i++) {
                    if (!run.replace(i, i + 1)) {
                        run.add(text.codePoint(i), 1);
                    }
                }
            }
            begin = end;
        }
        return run.lay();
    }

    private static int bytes(AlignedText text, int begin, int end) {
        int bytes = 0;
        for (int i = begin; i < end; i++) {
            int c = text.codePoint(i);
            bytes += c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        }
        return bytes;
    }

    /**
     * The characters that come out, each with the number of characters it uses up. What is removed counts for the
     * character before it; at the start of the text it counts for none, so that the origins that follow are too early,
     * as they are in the library.
     */
    private final class Run {
        private final AlignedText text;
        private int[] characters;
        private int[] used;
        private int size;

        Run(AlignedText text) {
            this.text = text;
            this.characters = new int[text.length() + 8];
            this.used = new int[text.length() + 8];
        }

        void add(int character, int uses) {
            if (size == characters.length) {
                characters = Arrays.copyOf(characters, size * 2);
                used = Arrays.copyOf(used, size * 2);
            }
            characters[size] = character;
            used[size++] = uses;
        }

        /** Puts the replacement of the characters [begin, end), if there is one. */
        boolean replace(int begin, int end) {
            long found = map.shortest(text, begin, end);
            if (found < 0) {
                return false;
            }
            int[] replacement = map.replacement((int) found);
            for (int i = 0; i < replacement.length; i++) {
                add(replacement[i], i < end - begin ? 1 : 0);
            }
            if (size > 0) {
                used[size - 1] += Math.max(0, end - begin - replacement.length);
            }
            return true;
        }

        AlignedText lay() {
            AlignedText.Builder out = new AlignedText.Builder(size);
            int position = 0;
            for (int i = 0; i < size; i++) {
                int origin = Math.min(used[i] == 0 ? Math.max(0, position - 1) : position, text.length() - 1);
                out.add(characters[i], text.start(origin), text.end(origin));
                position += used[i];
            }
            return out.build();
        }
    }
}
