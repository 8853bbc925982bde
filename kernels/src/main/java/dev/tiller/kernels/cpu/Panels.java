package dev.tiller.kernels.cpu;

import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.WeightRows;
import java.lang.foreign.MemorySegment;

/**
 * How a weight [n, k] lies in memory in one storage format, and the arithmetic on it. A panel is {@link #width} rows,
 * interleaved so that it is read as one stream, a vector holds the weights of as many outputs as it has lanes, and no sum
 * runs across lanes; the last panel is filled up with zero rows. Panels of a matrix follow each other, {@link #bytes}
 * each. An object of this type belongs to a shape and holds no weights; its methods may be called by many threads.
 *
 * <p>The sum of an output has one order of operations, whatever the number of rows of x and whichever of them it is.
 */
abstract class Panels {
    /** Inputs k. */
    final int columns;

    /** Rows of a panel. */
    final int width;

    Panels(int columns, int width) {
        this.columns = columns;
        this.width = width;
    }

    /** The panels of a storage format. */
    static Panels of(WeightFormat storage, int columns) {
        return switch (storage) {
            case F32 -> new PanelsF32(columns);
            case BF16 -> new PanelsBf16(columns);
            case F16 -> new PanelsF16(columns);
            case Q8 -> new PanelsQ8(columns);
            case Q4 -> new PanelsQ4(columns);
        };
    }

    /**
     * Name of the layout. Two layouts of the same name and k are the same byte for byte; whoever changes what
     * {@link #pack} writes changes the name.
     */
    final String layout() {
        return name() + "/" + width + "x" + Lanes.BITS;
    }

    /** Storage format and version of its layout. */
    abstract String name();

    /** Bytes of a panel. */
    abstract long bytes();

    /** Byte at which a panel begins. */
    final long at(int panel) {
        return panel * bytes();
    }

    final int count(int rows) {
        return Math.ceilDiv(rows, width);
    }

    /** Writes panels {@code from} to {@code to - 1}, at their places in {@code data}, which begins at a multiple of 64. */
    abstract void pack(WeightRows source, int from, int to, MemorySegment data);

    /** out[at + i] = scale * weight[row, i]. */
    abstract void unpack(MemorySegment data, int row, float scale, float[] out, int at);

    /**
     * Floats that {@link #prepare} makes of x before the panels are visited, when so many rows are multiplied; 0 if the
     * panels are multiplied with x itself.
     */
    int prepared(int rows) {
        return 0;
    }

    /** Units of that work, of much the same size. */
    int units(int rows) {
        return 1;
    }

    /** Does units {@code from} to {@code to - 1} of it; x is [rows, k]. */
    void prepare(float[] x, int rows, float[] prepared, int from, int to, float[] scratch) {
        throw new UnsupportedOperationException("these panels are multiplied with x itself: prepared() is 0");
    }

    /** Floats of scratch memory that {@link #prepare} has. */
    static final int FLOATS = (TilesBlocks.GROUP + 1) * WeightFormat.BLOCK;

    /** Bytes of scratch memory that {@link #multiply} has, from a multiple of 64. */
    static final long BYTES = TilesBlocks.SCRATCH;

    /**
     * Multiplies one panel with rows {@code first} to {@code last} of x [.., k]:
     * {@code out[outAt + t * stride + r] = <x row t, panel row r>} for all {@code width} rows r of the panel.
     *
     * @param prepared what {@link #prepare} made of x
     * @param rows how many rows the whole of x has
     */
    abstract void multiply(
            MemorySegment data,
            int panel,
            float[] x,
            float[] prepared,
            int rows,
            int first,
            int last,
            float[] out,
            int outAt,
            int stride,
            MemorySegment scratch);

    /**
     * Whether with so many rows of x {@link #multiplyFew} is called instead of {@link #multiply}, except for an incomplete
     * panel at the end: the fewer rows, the more it matters how a matrix is read from memory.
     */
    boolean few(int rows) {
        return rows == 1;
    }

    /**
     * Multiplies panels {@code from} to {@code to - 1} with all rows of x, few of them: {@code out} is [rows, stride], the
     * sums of panel p begin in column {@code p * width}.
     */
    void multiplyFew(
            MemorySegment data,
            int from,
            int to,
            float[] x,
            float[] prepared,
            int rows,
            float[] out,
            int stride,
            MemorySegment scratch) {
        for (int p = from; p < to; p++) {
            multiply(data, p, x, prepared, rows, 0, rows - 1, out, p * width, stride, scratch);
        }
    }
}
