package dev.tiller.engine;

/** Which positions of a sequence an edit acts on. Positions are absolute and do not change while generating. */
public sealed interface Span {
    /** A text as far as spans look at it. */
    interface Layout {
        /** Tokens of the prompt. */
        int promptLength();

        /** True if that role speaks at that position. */
        boolean is(Role role, int position);
    }

    /** True if the position is in the span. */
    boolean contains(int position, Layout text);

    /** Every position. */
    Span ALL = new All();

    /** Positions before the generation starts: {@code p < promptLength}. */
    Span PROMPT = new Prompt();

    /** Positions whose output predicts generated tokens: p >= promptLength - 1 (the rule of persona vectors). */
    Span GENERATION = new Generation();

    record All() implements Span {
        @Override
        public boolean contains(int position, Layout text) {
            return true;
        }

        @Override
        public String toString() {
            return "all";
        }
    }

    record Prompt() implements Span {
        @Override
        public boolean contains(int position, Layout text) {
            return position < text.promptLength();
        }

        @Override
        public String toString() {
            return "prompt";
        }
    }

    record Generation() implements Span {
        @Override
        public boolean contains(int position, Layout text) {
            return position >= text.promptLength() - 1;
        }

        @Override
        public String toString() {
            return "generation";
        }
    }

    /** Positions from..to, half open. */
    record Range(int from, int to) implements Span {
        @Override
        public boolean contains(int position, Layout text) {
            return position >= from && position < to;
        }

        @Override
        public String toString() {
            return from + ".." + to;
        }
    }

    /** Positions at which a role of the conversation speaks; needs a prompt that a chat template has rendered. */
    record OfRole(Role role) implements Span {
        @Override
        public boolean contains(int position, Layout text) {
            return text.is(role, position);
        }

        @Override
        public String toString() {
            return "role " + role.key();
        }
    }
}
