package dev.tiller.loader.tokenizer;

import java.util.function.UnaryOperator;

/** Decoder steps of vocabularies of words and marked parts of words. */
final class WordSteps {
    /** What the tokenizers library tidies in English text, in this order. */
    private static final String[] TIDIED = {
        " .", ".", " ?", "?", " !", "!", " ,", ",", " ' ", "'", " n't", "n't", " 'm", "'m", " do not", " don't", " 's",
        "'s", " 've", "'ve", " 're", "'re"
    };

    private WordSteps() {}

    /** Spaces before tokens, but tokens that go on with a word lose their prefix instead. */
    static DecoderStep wordPiece(String prefix, boolean cleanup) {
        return next -> {
            boolean[] first = {true};
            return each(next, token -> {
                boolean goesOn = token.startsWith(prefix);
                String out = first[0] ? token : goesOn ? token.substring(prefix.length()) : " " + token;
                first[0] = false;
                return cleanup ? tidy(out) : out;
            });
        };
    }

    /** The suffix that ends a word becomes a space, but not at the end of the text. */
    static DecoderStep suffixed(String suffix) {
        return next -> new TokenSink() {
            private String held;

            @Override
            public void token(String token) {
                pass(" ");
                held = token;
            }

            @Override
            public void finish() {
                pass("");
                next.finish();
            }

            private void pass(String space) {
                if (held != null) {
                    next.token(held.replace(suffix, space));
                }
                held = null;
            }
        };
    }

    /** Repeated tokens count once, padding goes, and a token stands for the space between words. */
    static DecoderStep ctc(String pad, String delimiter, boolean cleanup) {
        return next -> new TokenSink() {
            private String previous;

            @Override
            public void token(String token) {
                if (token.equals(previous)) {
                    return;
                }
                previous = token;
                String out = token.replace(pad, "");
                out = cleanup ? tidy(out).replace(delimiter, " ") : out;
                if (!out.isEmpty()) {
                    next.token(out);
                }
            }

            @Override
            public void finish() {
                next.finish();
            }
        };
    }

    private static String tidy(String token) {
        String out = token;
        for (int i = 0; i < TIDIED.length; i += 2) {
            out = out.replace(TIDIED[i], TIDIED[i + 1]);
        }
        return out;
    }

    private static TokenSink each(TokenSink next, UnaryOperator<String> rewrite) {
        return DecoderStep.each(rewrite).open(next);
    }
}
