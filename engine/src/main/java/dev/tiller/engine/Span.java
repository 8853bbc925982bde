package dev.tiller.engine;

/** Which positions of a sequence an edit acts on. Positions are absolute and do not change while generating. */
public sealed interface Span {
    /** True if the position is in the span, for a prompt of that many tokens. */
    boolean contains(int position, int promptLength);

    /** Every position. */
    Span ALL = new All();

    /** Positions before the generation starts: p < promptLength. */
    Span PROMPT = new Prompt();

    /** Positions whose output predicts generated tokens: p >= promptLength - 1 (the rule of persona vectors). */
    Span GENERATION = new Generation();

    record All() implements Span {
        @Override
        public boolean contains(int position, int promptLength) {
            return true;
        }

        @Override
        public String toString() {
            return "all";
        }
    }

    record Prompt() implements Span {
        @Override
        public boolean contains(int position, int promptLength) {
            return position < promptLength;
        }

        @Override
        public String toString() {
            return "prompt";
        }
    }

    record Generation() implements Span {
        @Override
        public boolean contains(int position, int promptLength) {
            return position >= promptLength - 1;
        }

        @Override
        public String toString() {
            return "generation";
        }
    }

    /** Positions from..to, half open. */
    record Range(int from, int to) implements Span {
        @Override
        public boolean contains(int position, int promptLength) {
            return position >= from && position < to;
        }

        @Override
        public String toString() {
            return from + ".." + to;
        }
    }
}
