package dev.tiller.loader.tokenizer;

/**
 * How SentencePiece prepares a text: characters replaced by a compiled map, spaces at the edges and doubled ones
 * removed, one put in front, and all written as U+2581, each where its rule is on. Texts that the user defined stay as
 * they are.
 */
final class SentencePieceText implements TextNormalizer {
    private static final int MARK = SentencePieces.SPACE_MARK.codePointAt(0);

    private final SentencePieces.Rules rules;
    private final TextTrie userDefined;
    private final Charsmap charsmap;

    SentencePieceText(SentencePieces pieces, TextTrie userDefined) {
        this.rules = pieces.rules();
        this.userDefined = userDefined;
        byte[] map = rules.charsmap();
        this.charsmap = map == null || map.length == 0 ? null : Charsmap.read(map, pieces.source());
    }

    @Override
    public AlignedText normalize(AlignedText text) {
        Run run = new Run(text);
        while (run.at < text.length()) {
            run.step();
        }
        return run.finish();
    }

    /** One text on its way through. */
    private final class Run {
        private final AlignedText text;
        private final AlignedText.Builder out;
        private final int space = rules.escapeWhitespaces() ? MARK : ' ';
        private final boolean prefixed;
        private boolean afterSpace = rules.removeExtraWhitespaces();
        /** Whether nothing but spaces has come yet; the prefix waits for the first character. */
        private boolean blank = true;
        /** Whether spaces at the start of what is replaced together are still to go. */
        private boolean leading;

        private int at;

        Run(AlignedText text) {
            this.text = text;
            this.out = new AlignedText.Builder(text.length() + 1);
            boolean here = !rules.prefixOnlyFirst() || !text.isEmpty() && text.start(0) == 0;
            this.prefixed = rules.addDummyPrefix() && here;
        }

        /** Takes the next character, or several that are replaced together. */
        void step() {
            long own = userDefined.longest(text, at);
            if (own >= 0) {
                int end = at + (int) (own >>> 32);
                leading = afterSpace;
                for (; at < end; at++) {
                    add(text.codePoint(at), at, at);
                }
                return;
            }
            long replaced = charsmap == null ? -1 : charsmap.longest(text, at);
            leading = afterSpace;
            if (replaced < 0) {
                add(text.codePoint(at), at, at);
                at++;
                return;
            }
            int last = at + (int) (replaced >>> 32) - 1;
            for (int c : charsmap.replacement((int) replaced)) {
                add(c, at, last);
            }
            at = last + 1;
        }

        private void add(int c, int first, int last) {
            if (c == ' ' && leading) {
                return;
            }
            leading = false;
            if (blank && prefixed && !rules.spaceAtEnd()) {
                out.add(space, text.start(first), text.end(last));
            }
            blank = false;
            afterSpace = c == ' ' && rules.removeExtraWhitespaces();
            out.add(c == ' ' ? space : c, text.start(first), text.end(last));
        }

        AlignedText finish() {
            AlignedText all = out.build();
            int end = all.length();
            while (rules.removeExtraWhitespaces() && end > 0 && all.codePoint(end - 1) == space) {
                end--;
            }
            AlignedText kept = all.slice(0, end);
            if (!prefixed || !rules.spaceAtEnd() || blank) {
                return kept;
            }
            int last = text.length() - 1;
            AlignedText.Builder suffixed = new AlignedText.Builder(end + 1).add(kept, 0, end);
            suffixed.add(space, text.start(last), text.end(last));
            return suffixed.build();
        }
    }
}
