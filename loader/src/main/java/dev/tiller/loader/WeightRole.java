package dev.tiller.loader;

import dev.tiller.loader.ModelConfig.HeadNorm;

/**
 * What a weight does in the transformer. EMBED, POSITIONS, FINAL_NORM, LM_HEAD and their biases exist once, those of experts
 * once per block and expert, the others once per block. QKV and GATE_UP are the matrices of several roles stacked.
 */
public enum WeightRole {
    EMBED,
    POSITIONS,
    FINAL_NORM,
    FINAL_NORM_BIAS,
    LM_HEAD,
    LM_HEAD_BIAS,
    ATTN_NORM,
    ATTN_NORM_BIAS,
    Q,
    K,
    V,
    QKV,
    Q_NORM,
    K_NORM,
    O,
    Q_BIAS,
    K_BIAS,
    V_BIAS,
    QKV_BIAS,
    O_BIAS,
    ATTN_POST_NORM,
    MLP_NORM,
    MLP_NORM_BIAS,
    GATE,
    UP,
    GATE_UP,
    DOWN,
    GATE_BIAS,
    UP_BIAS,
    DOWN_BIAS,
    ROUTER,
    EXPERT_GATE,
    EXPERT_UP,
    EXPERT_DOWN,
    MLP_POST_NORM;

    /** True if there is such a weight in every block. */
    public boolean perBlock() {
        return switch (this) {
            case EMBED, POSITIONS, FINAL_NORM, FINAL_NORM_BIAS, LM_HEAD, LM_HEAD_BIAS -> false;
            default -> true;
        };
    }

    /** True if there is such a weight for every expert of a block. */
    public boolean perExpert() {
        return this == EXPERT_GATE || this == EXPERT_UP || this == EXPERT_DOWN;
    }

    /** True if it belongs to a dense MLP. */
    boolean dense() {
        return switch (this) {
            case GATE, UP, GATE_UP, DOWN, GATE_BIAS, UP_BIAS, DOWN_BIAS -> true;
            default -> false;
        };
    }

    /** True if it belongs to a mixture of experts. */
    boolean ofMixture() {
        return this == ROUTER || perExpert();
    }

    /** True for what a family may store as [inputs, outputs]. */
    private boolean maybeTransposed() {
        return this == QKV || this == O || this == UP || this == DOWN;
    }

    /** Shape of the weight as stored: matrices are [outputs, inputs], the embedding is [V, d]. */
    public long[] shape(ModelConfig c) {
        long[] shape = usual(c);
        boolean swapped =
                maybeTransposed() && WeightNames.of(c.modelType()).stored().contains(WeightNames.Stored.TRANSPOSED);
        return swapped ? new long[] {shape[1], shape[0]} : shape;
    }

    private long[] usual(ModelConfig c) {
        long d = c.hiddenSize();
        long queries = (long) c.heads() * c.headDim();
        long keys = (long) c.kvHeads() * c.headDim();
        long f = c.intermediateSize();
        return switch (this) {
            case EMBED, LM_HEAD -> new long[] {c.vocabSize(), d};
            case LM_HEAD_BIAS -> new long[] {c.vocabSize()};
            case POSITIONS -> new long[] {c.maxPositions(), d};
            case FINAL_NORM,
                    FINAL_NORM_BIAS,
                    ATTN_NORM,
                    ATTN_NORM_BIAS,
                    ATTN_POST_NORM,
                    MLP_NORM,
                    MLP_NORM_BIAS,
                    MLP_POST_NORM,
                    O_BIAS,
                    DOWN_BIAS -> new long[] {d};
            case Q -> new long[] {queries, d};
            case K, V -> new long[] {keys, d};
            case QKV -> new long[] {queries + 2 * keys, d};
            case Q_NORM -> headNorm(c, c.heads());
            case K_NORM -> headNorm(c, c.kvHeads());
            case O -> new long[] {d, queries};
            case Q_BIAS -> new long[] {queries};
            case K_BIAS, V_BIAS -> new long[] {keys};
            case QKV_BIAS -> new long[] {queries + 2 * keys};
            case GATE, UP -> new long[] {f, d};
            case GATE_UP -> new long[] {2 * f, d};
            case DOWN -> new long[] {d, f};
            case GATE_BIAS, UP_BIAS -> new long[] {f};
            case ROUTER -> new long[] {c.mlp().mixture().experts(), d};
            case EXPERT_GATE, EXPERT_UP -> new long[] {c.mlp().mixture().intermediateSize(), d};
            case EXPERT_DOWN -> new long[] {d, c.mlp().mixture().intermediateSize()};
        };
    }

    private static long[] headNorm(ModelConfig c, long heads) {
        HeadNorm norm = c.attention().headNorm();
        return norm == HeadNorm.HEAD
                ? new long[] {c.headDim()}
                : norm == HeadNorm.OWN ? new long[] {heads, c.headDim()} : new long[] {heads * c.headDim()};
    }
}
