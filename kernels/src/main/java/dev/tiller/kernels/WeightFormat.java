package dev.tiller.kernels;

import dev.tiller.loader.DType;
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

    /** What becomes of the numbers of a stored type in a format. */
    public enum Loss {
        /** Nothing. */
        NONE,
        /** Codes stay, scales and minima are rounded to 16-bit floats. */
        SCALES,
        /** They are rounded to what the format holds. */
        NUMBERS
    }

    /** The format nearest to a stored type on a backend that takes blocks. */
    public static WeightFormat natural(DType stored) {
        return switch (stored) {
            case BF16 -> BF16;
            case F16 -> F16;
            case Q4_0, Q4_1, Q4_K -> Q4;
            case Q8_0, Q5_0, IQ4_NL, IQ4_XS -> Q8;
            case Q2_K, Q3_K, Q5_1, Q5_K, Q6_K -> Q8; // made anew: see WeightRows
            default -> F32;
        };
    }

    /** What this format makes of the numbers of a stored type. */
    public Loss loss(DType stored) {
        if (this == F32 && stored != DType.F64 || name().equals(stored.name())) {
            return Loss.NONE;
        }
        if (!takesOver(stored)) {
            return Loss.NUMBERS;
        }
        return stored == DType.Q4_K || stored == DType.IQ4_XS ? Loss.SCALES : Loss.NONE;
    }

    /** True if the codes of a stored type are codes of this format, so that they are taken over as they are. */
    boolean takesOver(DType stored) {
        return switch (stored) {
            case Q8_0, Q5_0, IQ4_NL, IQ4_XS -> this == Q8;
            case Q4_0, Q4_1, Q4_K -> this == Q4;
            default -> false;
        };
    }

    /**
     * The format for tensors stacked in one matrix whose own formats are this and another: of two formats of blocks Q8,
     * which is near the numbers of Q4 too; of others that differ F32, the only one that holds the numbers of both.
     */
    public WeightFormat joined(WeightFormat other) {
        return this == other ? this : quantised() && other.quantised() ? Q8 : F32;
    }

    /** This format; one of blocks is refused. */
    public WeightFormat plain() {
        if (quantised()) {
            throw new IllegalArgumentException("expected F32, BF16 or F16, found " + this);
        }
        return this;
    }
}
