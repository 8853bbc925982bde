package dev.tiller.kernels;

/** How a backend keeps weights in memory. */
public enum WeightFormat {
    F32,
    BF16,
    F16;

    /** Bytes of one weight. */
    public int bytes() {
        return this == F32 ? 4 : 2;
    }
}
