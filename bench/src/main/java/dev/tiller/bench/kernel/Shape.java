package dev.tiller.bench.kernel;

/** Models at whose shapes operations are timed. */
public enum Shape {
    SMOLLM2_135M(576, 1536, 30, 9, 3, 49152),
    QWEN25_05B(896, 4864, 24, 14, 2, 151936);

    /** Head width k of both. */
    static final int HEAD = 64;

    /** Model width d. */
    final int width;

    /** FFN width f. */
    final int ffn;

    final int blocks;

    /** Query heads h. */
    final int heads;

    /** Key/value heads g. */
    final int kvHeads;

    /** V. */
    final int vocabulary;

    Shape(int width, int ffn, int blocks, int heads, int kvHeads, int vocabulary) {
        this.width = width;
        this.ffn = ffn;
        this.blocks = blocks;
        this.heads = heads;
        this.kvHeads = kvHeads;
        this.vocabulary = vocabulary;
    }

    /** Width of queries, keys and values side by side. */
    int qkv() {
        return (heads + 2 * kvHeads) * HEAD;
    }

    /** A matrix of a step: outputs n and inputs k of its product. */
    public enum Weight {
        QKV,
        OUT,
        GATE_UP,
        DOWN,
        HEAD;

        int outputs(Shape s) {
            return switch (this) {
                case QKV -> s.qkv();
                case OUT, DOWN -> s.width;
                case GATE_UP -> 2 * s.ffn;
                case HEAD -> s.vocabulary;
            };
        }

        int inputs(Shape s) {
            return switch (this) {
                case QKV, GATE_UP, HEAD -> s.width;
                case OUT -> s.heads * Shape.HEAD;
                case DOWN -> s.ffn;
            };
        }
    }
}
