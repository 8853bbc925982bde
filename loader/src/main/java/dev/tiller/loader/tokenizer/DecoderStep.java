package dev.tiller.loader.tokenizer;

import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * The "decoder" of a tokenizer.json: rewrites the strings of tokens on their way to the text. A step works on tokens as
 * they arrive and passes on what cannot change any more, so that decoding all at once and piece by piece are the same.
 */
interface DecoderStep {
    /** A run of this step in front of another. */
    TokenSink open(TokenSink next);

    /** Whether this step makes one string of all tokens; it then passes that string on in parts. */
    default boolean fuses() {
        return false;
    }

    /** A run of this step on one string that comes in parts. */
    default TokenSink openFused(TokenSink next) {
        return collect(open(next));
    }

    /** The decoder that the section describes; with none, the tokenizers library puts spaces between the tokens. */
    static List<DecoderStep> read(Section section) {
        if (section == null) {
            return List.of(DecoderStep::separate);
        }
        return switch (section.type()) {
            case "ByteLevel" -> {
                section.only("add_prefix_space", "trim_offsets", "use_regex");
                yield List.of(new ByteLevelStep());
            }
            case "ByteFallback" -> {
                section.only();
                yield List.of(ByteFallbackSink::new);
            }
            case "Fuse" -> {
                section.only();
                yield List.of(new FuseStep());
            }
            case "Strip" -> {
                section.only("content", "start", "stop");
                yield List.of(
                        new StripStep(section.character("content"), section.count("start"), section.count("stop")));
            }
            case "Replace" -> {
                section.only("pattern", "content");
                yield List.of(replace(TextPattern.read(section, "pattern"), section.string("content")));
            }
            case "Metaspace" -> List.of(Metaspace.read(section));
            case "WordPiece" -> {
                section.only("prefix", "cleanup");
                yield List.of(WordSteps.wordPiece(section.string("prefix"), section.flag("cleanup")));
            }
            case "BPEDecoder" ->
                List.of(WordSteps.suffixed(section.only("suffix").text("suffix")));
            case "CTC" -> {
                section.only("pad_token", "word_delimiter_token", "cleanup");
                yield List.of(WordSteps.ctc(
                        section.text("pad_token"), section.text("word_delimiter_token"), section.flag("cleanup")));
            }
            case "Sequence" ->
                section.steps("decoders").stream()
                        .flatMap(step -> read(step).stream())
                        .toList();
            default ->
                throw section.unsupported(
                        "ByteLevel",
                        "ByteFallback",
                        "Fuse",
                        "Strip",
                        "Replace",
                        "Metaspace",
                        "WordPiece",
                        "BPEDecoder",
                        "CTC",
                        "Sequence");
        };
    }

    /** A run of all steps in order that ends in the given text. */
    static TokenSink open(List<DecoderStep> steps, StringBuilder text) {
        int fusesAt = 0;
        while (fusesAt < steps.size() && !steps.get(fusesAt).fuses()) {
            fusesAt++;
        }
        TokenSink sink = new TokenSink() {
            @Override
            public void token(String token) {
                text.append(token);
            }

            @Override
            public void finish() {}
        };
        for (int i = steps.size() - 1; i >= 0; i--) {
            sink = i > fusesAt ? steps.get(i).openFused(sink) : steps.get(i).open(sink);
        }
        return sink;
    }

    /** A step that rewrites every token by itself. */
    static DecoderStep each(UnaryOperator<String> rewrite) {
        return next -> new TokenSink() {
            @Override
            public void token(String token) {
                next.token(rewrite.apply(token));
            }

            @Override
            public void finish() {
                next.finish();
            }
        };
    }

    static DecoderStep replace(TextPattern pattern, String content) {
        if (pattern instanceof TextPattern.Literal fixed) {
            return each(token -> token.replace(fixed.literal(), content));
        }
        TextNormalizer replace = TextNormalizer.replace(pattern, content);
        return each(token -> replace.normalize(AlignedText.of(token)).text());
    }

    /** Keeps all parts and hands them on as one token at the end. */
    private static TokenSink collect(TokenSink next) {
        StringBuilder parts = new StringBuilder();
        return new TokenSink() {
            @Override
            public void token(String token) {
                parts.append(token);
            }

            @Override
            public void finish() {
                next.token(parts.toString());
                next.finish();
            }
        };
    }

    private static TokenSink separate(TokenSink next) {
        return new TokenSink() {
            private boolean first = true;

            @Override
            public void token(String token) {
                next.token(first ? token : " " + token);
                first = false;
            }

            @Override
            public void finish() {
                next.finish();
            }
        };
    }

    /** Makes one string of all tokens. */
    record FuseStep() implements DecoderStep {
        @Override
        public boolean fuses() {
            return true;
        }

        @Override
        public TokenSink open(TokenSink next) {
            return next;
        }

        @Override
        public TokenSink openFused(TokenSink next) {
            return next;
        }
    }

    /** Reads the characters of the {@link ByteAlphabet} as the bytes of one UTF-8 text. */
    record ByteLevelStep() implements DecoderStep {
        @Override
        public boolean fuses() {
            return true;
        }

        @Override
        public TokenSink open(TokenSink next) {
            Utf8Stream utf8 = new Utf8Stream();
            StringBuilder ready = new StringBuilder();
            return new TokenSink() {
                @Override
                public void token(String token) {
                    utf8.decode(ByteAlphabet.decode(token), ready);
                    pass();
                }

                @Override
                public void finish() {
                    utf8.finish(ready);
                    pass();
                    next.finish();
                }

                private void pass() {
                    next.token(ready.toString());
                    ready.setLength(0);
                }
            };
        }
    }

    /** Removes up to {@code start} of a character at the start of each string and up to {@code stop} at its end. */
    record StripStep(int content, int start, int stop) implements DecoderStep {
        @Override
        public TokenSink open(TokenSink next) {
            return each(this::strip).open(next);
        }

        private String strip(String token) {
            int[] characters = token.codePoints().toArray();
            int begin = 0;
            while (begin < start && begin < characters.length && characters[begin] == content) {
                begin++;
            }
            int end = characters.length;
            while (characters.length - end < stop && end > begin && characters[end - 1] == content) {
                end--;
            }
            int[] kept = Arrays.copyOfRange(characters, begin, end);
            return new String(kept, 0, kept.length);
        }

        @Override
        public TokenSink openFused(TokenSink next) {
            return stop > 0
                    ? collect(open(next))
                    : new TokenSink() {
                        private int left = start;

                        @Override
                        public void token(String part) {
                            int begin = 0;
                            while (left > 0 && begin < part.length()) {
                                int c = part.codePointAt(begin);
                                begin += c == content ? Character.charCount(c) : 0;
                                left = c == content ? left - 1 : 0;
                            }
                            next.token(part.substring(begin));
                        }

                        @Override
                        public void finish() {
                            next.finish();
                        }
                    };
        }
    }
}
