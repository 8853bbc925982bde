package dev.tiller.bench;

/** Names of what our entrants tell about a model. */
public final class Facts {
    /** Weights that a step reads whatever its rows are. */
    public static final String STEP_BYTES = "weight bytes per step";

    /** Keys and values of a position, all blocks. */
    public static final String KV_BYTES = "kv bytes per position";

    /** Products of the blocks for one row. */
    public static final String BLOCK_FLOPS = "block flops per row";

    /** The head's product for one row. */
    public static final String HEAD_FLOPS = "head flops per row";

    /** Attention of one row to one position, all blocks. */
    public static final String ATTENTION_FLOPS = "attention flops per row and position";

    private Facts() {}
}
