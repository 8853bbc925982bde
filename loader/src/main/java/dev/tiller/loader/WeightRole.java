package dev.tiller.loader;

/** What a weight does in the transformer. EMBED, FINAL_NORM and LM_HEAD exist once, the others once per block. */
public enum WeightRole {
    EMBED,
    FINAL_NORM,
    LM_HEAD,
    ATTN_NORM,
    Q,
    K,
    V,
    O,
    Q_BIAS,
    K_BIAS,
    V_BIAS,
    O_BIAS,
    MLP_NORM,
    GATE,
    UP,
    DOWN,
    GATE_BIAS,
    UP_BIAS,
    DOWN_BIAS;

    /** True if there is one such weight in every block. */
    public boolean perBlock() {
        return this != EMBED && this != FINAL_NORM && this != LM_HEAD;
    }

    /** Shape of the weight as stored: matrices are [outputs, inputs], the embedding is [V, d]. */
    public long[] shape(ModelConfig c) {
        long queries = (long) c.heads() * c.headDim();
        long keys = (long) c.kvHeads() * c.headDim();
        return switch (this) {
            case EMBED, LM_HEAD -> new long[] {c.vocabSize(), c.hiddenSize()};
            case FINAL_NORM, ATTN_NORM, MLP_NORM, O_BIAS, DOWN_BIAS -> new long[] {c.hiddenSize()};
            case Q -> new long[] {queries, c.hiddenSize()};
            case K, V -> new long[] {keys, c.hiddenSize()};
            case O -> new long[] {c.hiddenSize(), queries};
            case Q_BIAS -> new long[] {queries};
            case K_BIAS, V_BIAS -> new long[] {keys};
            case GATE, UP -> new long[] {c.intermediateSize(), c.hiddenSize()};
            case DOWN -> new long[] {c.hiddenSize(), c.intermediateSize()};
            case GATE_BIAS, UP_BIAS -> new long[] {c.intermediateSize()};
        };
    }
}
