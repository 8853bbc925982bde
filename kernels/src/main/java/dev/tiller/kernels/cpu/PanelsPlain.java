package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.L;

import dev.tiller.kernels.WeightRows;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/** Panels [k, width] whose elements stand for themselves. */
abstract class PanelsPlain extends Panels {
    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);

    /**
     * Up to so many rows, two panels at a time are multiplied with four rows; with more, one panel with six, which needs
     * fewer vectors from memory for the same arithmetic and no more registers than all processors have.
     */
    private static final int FEW = 64;

    PanelsPlain(int columns) {
        super(columns, 2 * L);
    }

    @Override
    final void pack(WeightRows source, int from, int to, MemorySegment data) {
        float[] block = new float[width * columns];
        for (int p = from; p < to; p++) {
            int rows = Math.min(width, source.rows() - p * width);
            for (int r = 0; r < rows; r++) {
                source.row(p * width + r, block, r * columns);
            }
            Arrays.fill(block, rows * columns, block.length, 0);
            pack(block, data, at(p));
        }
    }

    /** Writes a panel of the rows in {@code block}, [width, k]. */
    abstract void pack(float[] block, MemorySegment data, long at);

    @Override
    final void multiply(
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
            MemorySegment scratch) {
        for (int t = first; t <= last; ) {
            int end = Math.min(last, t + tile(last - t + 1) - 1);
            panel(data, at(panel), x, t, end, out, outAt, stride);
            t = end + 1;
        }
    }

    /** Rows of the next tile when so many are left: 7 and 8 are 4 and the rest rather than 6 and the rest. */
    private static int tile(int left) {
        return left == 7 || left == 8 ? 4 : 6;
    }

    @Override
    final boolean few(int rows) {
        return rows <= FEW;
    }

    /** Panels in pairs, one from each half of the range. */
    @Override
    final void multiplyFew(
            MemorySegment data,
            int from,
            int to,
            float[] x,
            float[] prepared,
            int rows,
            float[] out,
            int stride,
            MemorySegment scratch) {
        int half = (to - from) / 2;
        for (int v = from; v < from + half; v++) {
            pair(data, v, v + half, x, rows, out, stride);
        }
        if (to - from > 2 * half) {
            if (rows == 1) {
                pair(data, to - 1, to - 1, x, rows, out, stride); // twice, while it waits for memory anyway
            } else {
                multiply(data, to - 1, x, prepared, rows, 0, rows - 1, out, (to - 1) * width, stride, scratch);
            }
        }
    }

    private void pair(MemorySegment data, int v, int w, float[] x, int rows, float[] out, int stride) {
        for (int t = 0; t < rows; t += 4) {
            int last = Math.min(rows - 1, t + 3);
            rows(data, at(v), at(w), x, t, last, out, v * width, w * width, stride);
        }
    }

    /** Rows t to last, at most four, times two panels. */
    abstract void rows(
            MemorySegment data, long v, long w, float[] x, int t, int last, float[] out, int vAt, int wAt, int stride);

    /** Rows t to last, at most six, times one panel. */
    abstract void panel(MemorySegment data, long v, float[] x, int t, int last, float[] out, int outAt, int stride);
}
