package dev.tiller.kernels;

import java.util.List;

/**
 * How a backend keeps weights in memory. Q8 and Q4 keep blocks of {@link #BLOCK} numbers along k, the last of a row
 * shorter if k is no multiple: of Q8 a scale and signed codes of 8 bits, w = scale code; of Q4 a scale, a minimum and codes
 * 0 to 15, w = scale code + minimum. Scales and minima are numbers that 16-bit floats hold. Inputs of matmuls, keys and
 * values are never blocks.
 */
public enum WeightFormat {
    F32,
    BF16,
    F16,
    Q8,
    Q4;

    /** Numbers of a block. */
    public static final int BLOCK = 32;

    /** The formats without blocks: those that inputs of matmuls, keys and values can have. */
    public static final List<WeightFormat> PLAIN = List.of(F32, BF16, F16);

    /** True for the formats of blocks. */
    public boolean quantised() {
        return this == Q8 || this == Q4;
    }

    /** Bytes of one number of a format without blocks. */
    public int bytes() {
        plain();
        return this == F32 ? 4 : 2;
    }

    /** Bytes of a matrix [rows, columns]: codes, scales and minima, without padding. */
    public long bytes(long rows, int columns) {
        long blocks = Math.ceilDiv(columns, BLOCK);
        return switch (this) {
            case F32, BF16, F16 -> rows * columns * bytes();
            case Q8 -> rows * (columns + 2 * blocks);
            case Q4 -> rows * (Math.ceilDiv(columns, 2) + 4 * blocks);
        };
    }

    /** This format; one of blocks is refused. */
    public WeightFormat plain() {
        if (quantised()) {
            throw new IllegalArgumentException("expected F32, BF16 or F16, found " + this);
        }
        return this;
    }
}
