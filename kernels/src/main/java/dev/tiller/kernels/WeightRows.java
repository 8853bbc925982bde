package dev.tiller.kernels;

import dev.tiller.loader.DType;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;

/**
 * The rows of one or more tensors stacked along n, as float32 numbers that the chosen format holds exactly: stored
 * numbers as they are, or rounded to nearest even if the format is narrower than the stored one.
 */
public final class WeightRows {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final List<TensorView> parts;
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
        long n = 0;
        for (TensorView part : parts) {
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
     * Copies row {@code row} to {@code out}, beginning at {@code at}. F16 holds nothing above 65504: a number that
     * becomes infinite, or is infinite or not a number to begin with, is refused with an error that names the tensor.
     */
    public void row(int row, float[] out, int at) {
        int r = row;
        for (TensorView part : parts) {
            if (r < part.rows()) {
                part.copyTo((long) r * columns, out, at, columns);
                round(part, out, at);
                return;
            }
            r -= part.rows();
        }
        throw new IllegalArgumentException("expected a row below " + rows + ", found " + row);
    }

    /**
     * Copies row {@code row} to {@code out} from byte {@code at} on, as numbers of the format (little-endian). What is
     * refused is as in {@link #row(int, float[], int)}.
     *
     * @param scratch at least as many elements as there are columns
     */
    public void row(int row, float[] scratch, MemorySegment out, long at) {
        int r = row;
        for (TensorView part : parts) {
            if (r < part.rows() && part.dtype().name().equals(format.name())) {
                long size = (long) columns * format.bytes();
                MemorySegment.copy(part.data(), r * size, out, at, size);
                if (format != WeightFormat.F16 || allFinite(out, at)) {
                    return;
                }
            }
            r -= part.rows();
        }
        row(row, scratch, 0);
        for (int i = 0; i < columns; i++) {
            switch (format) {
                case F32 -> out.set(FLOAT, at + 4L * i, scratch[i]);
                case BF16 -> out.set(SHORT, at + 2L * i, toBf16(scratch[i]));
                case F16 -> out.set(SHORT, at + 2L * i, Float.floatToFloat16(scratch[i]));
            }
        }
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
            case F16 -> {
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
