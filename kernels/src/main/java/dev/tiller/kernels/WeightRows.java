package dev.tiller.kernels;

import dev.tiller.loader.DType;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;

/**
 * The rows of one or more tensors stacked along n, as float32 numbers that the chosen format holds: stored numbers as they
 * are, or rounded to nearest even if the format is narrower than the stored one. Formats of blocks give codes and scales
 * too: those of the file if it stores such codes, otherwise made from the numbers.
 *
 * <p>What that means for the types of ggml: Q8_0, Q5_0 and IQ4_NL are Q8, Q4_0 and Q4_1 are Q4 without any loss. So are the
 * codes of IQ4_XS (Q8) and Q4_K (Q4), but their scales and minima are products of two stored numbers, rounded to 16-bit
 * floats here: by less than one part in 2000. Q2_K, Q3_K, Q5_1, Q5_K and Q6_K become Q8 anew, which adds at most half a step of
 * Q8, 1/254 of the largest number of 32, and its rounded scale. F32 holds the numbers of every type exactly.
 */
public final class WeightRows {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final float LARGEST_F16 = 65504;

    private final List<TensorView> parts;
    private final int[] firsts;
    private final WeightFormat format;
    private final int rows;
    private final int columns;

    /** Views of two dimensions (one counts as a single row) with the same last dimension; else refused. */
    public WeightRows(List<TensorView> parts, WeightFormat format) {
        if (parts.isEmpty() || format == null) {
            throw new IllegalArgumentException("expected at least one tensor and a format");
        }
        this.parts = List.copyOf(parts);
        this.format = format;
        this.columns = parts.get(0).columns();
        this.firsts = new int[parts.size()];
        long n = 0;
        for (int p = 0; p < parts.size(); p++) {
            TensorView part = parts.get(p);
            firsts[p] = (int) n;
            int rank = part.shape().length;
            if (rank < 1 || rank > 2 || part.columns() != columns || columns < 1) {
                throw new IllegalArgumentException(
                        "expected matrices with " + columns + " columns (at least 1), found " + part.describe());
            }
            n += part.rows();
        }
        if (n > Integer.MAX_VALUE) {
            throw new IllegalArgumentException("expected at most 2^31-1 rows, found " + n);
        }
        this.rows = (int) n;
    }

    /** Outputs n of all parts together. */
    public int rows() {
        return rows;
    }

    /** Inputs k. */
    public int columns() {
        return columns;
    }

    /** The format the numbers are rounded to. */
    public WeightFormat format() {
        return format;
    }

    /**
     * Copies row {@code row} to {@code out}, beginning at {@code at}. F16 holds nothing above 65504, and blocks hold no
     * scale or minimum above it: a number that does not fit, or is infinite or not a number to begin with, is refused with
     * an error that names the tensor.
     */
    public void row(int row, float[] out, int at) {
        int p = part(row);
        TensorView part = parts.get(p);
        if (format.quantised()) {
            int blocks = Math.ceilDiv(columns, WeightFormat.BLOCK);
            byte[] codes = new byte[columns];
            float[] scales = new float[blocks];
            float[] minima = new float[blocks];
            blocks(row, codes, 0, scales, minima, 0);
            for (int i = 0; i < columns; i++) {
                int b = i / WeightFormat.BLOCK;
                out[at + i] = scales[b] * codes[i] + minima[b];
            }
            return;
        }
        part.copyTo((long) (row - firsts[p]) * columns, out, at, columns);
        round(part, out, at);
    }

    /**
     * Copies row {@code row} to {@code out} from byte {@code at} on, as numbers of the format (little-endian), which must
     * be one without blocks. What is refused is as in {@link #row(int, float[], int)}.
     *
     * @param scratch at least as many elements as there are columns
     */
    public void row(int row, float[] scratch, MemorySegment out, long at) {
        int p = part(row);
        TensorView part = parts.get(p);
        long size = (long) columns * format.bytes();
        if (part.dtype().name().equals(format.name())) {
            MemorySegment.copy(part.data(), (row - firsts[p]) * size, out, at, size);
            if (format != WeightFormat.F16 || allFinite(out, at)) {
                return;
            }
        }
        row(row, scratch, 0);
        for (int i = 0; i < columns; i++) {
            switch (format) {
                case F32 -> out.set(FLOAT, at + 4L * i, scratch[i]);
                case BF16 -> out.set(SHORT, at + 2L * i, toBf16(scratch[i]));
                default -> out.set(SHORT, at + 2L * i, Float.floatToFloat16(scratch[i]));
            }
        }
    }

    /**
     * Row {@code row} as blocks; the format must be one of blocks. What is refused is as in {@link #row(int, float[], int)}.
     *
     * @param codes one per column, from {@code at} on: -128 to 127 for Q8, 0 to 15 for Q4
     * @param scales one per block of {@link WeightFormat#BLOCK} columns, from {@code blockAt} on
     * @param minima one per block, from {@code blockAt} on; left alone for Q8, for which it may be null
     */
    public void blocks(int row, byte[] codes, int at, float[] scales, float[] minima, int blockAt) {
        if (!format.quantised()) {
            throw new IllegalArgumentException("expected a format of blocks, found " + format);
        }
        int p = part(row);
        TensorView part = parts.get(p);
        int blocks = Math.ceilDiv(columns, WeightFormat.BLOCK);
        if (format.takesOver(part.dtype())) {
            part.copyBlocks((long) (row - firsts[p]) * blocks, blocks, codes, at, scales, minima, blockAt);
            for (int b = blockAt; b < blockAt + blocks; b++) {
                scales[b] = Quantiser.toF16(scales[b]);
                if (format == WeightFormat.Q4) {
                    minima[b] = Quantiser.toF16(minima[b]);
                }
            }
        } else {
            float[] numbers = new float[columns];
            part.copyTo((long) (row - firsts[p]) * columns, numbers, 0, columns);
            Quantiser.quantise(format, numbers, codes, at, scales, minima, blockAt);
        }
        for (int b = blockAt; b < blockAt + blocks; b++) {
            float worst = Math.max(Math.abs(scales[b]), format == WeightFormat.Q4 ? Math.abs(minima[b]) : 0);
            if (!(worst <= LARGEST_F16)) {
                throw new TillerException("expected numbers whose blocks have a scale and a minimum that 16-bit floats"
                        + " hold (up to 65504), found a block with " + worst + " in row " + (row - firsts[p]) + " of "
                        + part.describe());
            }
        }
    }

    /** Index of the tensor that holds a row. */
    private int part(int row) {
        for (int p = 0; p < firsts.length; p++) {
            if (row >= firsts[p] && row - firsts[p] < parts.get(p).rows()) {
                return p;
            }
        }
        throw new IllegalArgumentException("expected a row below " + rows + ", found " + row);
    }

    private boolean allFinite(MemorySegment numbers, long at) {
        int worst = 0;
        for (int i = 0; i < columns; i++) {
            worst = Math.max(worst, numbers.get(SHORT, at + 2L * i) & 0x7c00);
        }
        return worst != 0x7c00;
    }

    private void round(TensorView part, float[] out, int at) {
        switch (format) {
            case F32 -> {}
            case BF16 -> {
                for (int i = at; i < at + columns && part.dtype() != DType.BF16; i++) {
                    out[i] = Float.intBitsToFloat(toBf16(out[i]) << 16);
                }
            }
            default -> {
                for (int i = at; i < at + columns; i++) {
                    float value = Float.float16ToFloat(Float.floatToFloat16(out[i]));
                    if (!Float.isFinite(value)) {
                        throw new TillerException("expected numbers that 16-bit floats hold (up to 65504), found "
                                + out[i] + " in " + part.describe());
                    }
                    out[i] = value;
                }
            }
        }
    }

    /** The bfloat16 nearest to a float32, the even one of two; not-a-number stays so. */
    public static short toBf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) (bits >>> 16 | 0x40);
        }
        return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }
}
