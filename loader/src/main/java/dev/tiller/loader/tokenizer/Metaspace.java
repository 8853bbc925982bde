package dev.tiller.loader.tokenizer;

import java.util.List;
import java.util.function.Consumer;

/**
 * Spaces written as a visible character, as SentencePiece does.
 *
 * @param replacement the character for a space, normally U+2581
 * @param prepend which pieces get one in front that do not begin with it
 * @param splits whether the text is cut before each replacement
 */
record Metaspace(int replacement, Prepend prepend, boolean splits) implements PreTokenizer, DecoderStep {
    enum Prepend {
        /** All pieces. */
        ALWAYS,
        /** Only a piece at the start of the whole text. */
        FIRST,
        NEVER
    }

    static Metaspace read(Section section) {
        section.only("replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep");
        String scheme = section.has("prepend_scheme") ? section.string("prepend_scheme") : "always";
        Prepend prepend = switch (scheme) {
            case "always" -> Prepend.ALWAYS;
            case "first" -> Prepend.FIRST;
            case "never" -> Prepend.NEVER;
            default -> throw section.error("prepend_scheme", "always, first or never");
        };
        if (!section.flag("add_prefix_space", true)) { // how files of older versions said "never"
            if (section.has("prepend_scheme") && prepend != Prepend.NEVER) {
                throw section.error("prepend_scheme", "never, as add_prefix_space is false");
            }
            prepend = Prepend.NEVER;
        }
        return new Metaspace(section.character("replacement"), prepend, section.flag("split", true));
    }

    @Override
    public void split(AlignedText given, Consumer<AlignedText> pieces) {
        AlignedText.Builder out = new AlignedText.Builder(given.length());
        for (int i = 0; i < given.length(); i++) {
            int c = given.codePoint(i);
            out.add(c == ' ' ? replacement : c, given.start(i), given.end(i));
        }
        AlignedText text = out.build();
        boolean wanted = prepend == Prepend.ALWAYS || (prepend == Prepend.FIRST && startsText(text));
        if (wanted && !text.isEmpty() && text.codePoint(0) != replacement) {
            text = text.prepend(Character.toString(replacement));
        }
        if (!splits) {
            pieces.accept(text);
            return;
        }
        List<TextPattern.Span> marks = TextPattern.each(c -> c == replacement).matches(text);
        SplitBehavior.MERGED_WITH_NEXT.split(text, marks, false, pieces);
    }

    private static boolean startsText(AlignedText text) {
        return !text.isEmpty() && text.start(0) == 0;
    }

    /** Turns the replacement back into spaces, but drops it in the first token, where it was put in front. */
    @Override
    public TokenSink open(TokenSink next) {
        return new TokenSink() {
            private boolean first = prepend != Prepend.NEVER;

            @Override
            public void token(String token) {
                String mark = Character.toString(replacement);
                next.token(token.replace(mark, first ? "" : " "));
                first = false;
            }

            @Override
            public void finish() {
                next.finish();
            }
        };
    }
}
