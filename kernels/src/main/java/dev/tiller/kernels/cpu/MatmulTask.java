package dev.tiller.kernels.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * out = x w^T + bias. With few rows of x a unit is a range of panels, so that each thread reads long streams; with more a
 * unit is one panel times a block of rows, small enough for its part of x to stay in the second-level cache while the
 * panels pass by.
 */
final class MatmulTask implements WorkerPool.Task {
    /** Rows of a block, at most. */
    private static final int BLOCK = 192;

    /** Bytes of x of a block, at most: they stay in the second-level cache together with a panel. */
    private static final int BLOCK_BYTES = 640 << 10;

    /** What the rows of a block are a multiple of, and so of every tile. */
    private static final int TILES = 24;

    /** Bytes of a range of panels, at least, unless each thread would get less than two. */
    private static final long RANGE = 1 << 20;

    /** Multiply-adds that are worth handing to another thread, about a microsecond. */
    private static final long WORTH = 40_000;

    private final WorkerPool pool;
    private final WorkerPool.Task prepare = this::prepare;

    /** Memory of each thread: sums of an incomplete panel, and what the panels have for their purposes. */
    private final float[][] edge;

    private final float[][] floats;
    private final MemorySegment[] scratch;
    private float[] prepared = new float[0];
    private PanelMatrix w;
    private Panels panels;
    private float[] x;
    private float[] bias;
    private float[] out;
    private int rows;
    private int count;
    private boolean few;

    /** Rows of a block, or number of ranges. */
    private int cut;

    MatmulTask(WorkerPool pool) {
        this.pool = pool;
        this.edge = new float[pool.threads()][0];
        this.floats = new float[pool.threads()][Panels.FLOATS];
        this.scratch = new MemorySegment[pool.threads()];
        Arrays.setAll(scratch, i -> Arena.ofAuto().allocate(Panels.BYTES, 64));
    }

    void run(float[] x, int rows, PanelMatrix w, float[] bias, float[] out) {
        this.w = w;
        this.panels = w.panels;
        this.x = x;
        this.rows = rows;
        this.bias = bias;
        this.out = out;
        for (int i = 0; i < edge.length; i++) {
            edge[i] = atLeast(BLOCK * panels.width, edge[i]);
        }
        int needed = panels.prepared(rows);
        if (needed > 0) {
            prepared = atLeast(needed, prepared);
            int parts = panels.units(rows);
            pool.run(prepare, parts, RowTasks.portion(needed / parts));
        }
        count = panels.count(w.rows());
        few = panels.few(rows);
        int units;
        long cost;
        if (few) {
            long ranges = Math.max(w.bytes() / RANGE, 2 * pool.parties());
            units = (int) Math.min(ranges, count);
            cut = units;
            cost = (long) rows * w.columns() * w.rows() / units;
        } else {
            int most = Math.clamp(BLOCK_BYTES / Float.BYTES / w.columns() / TILES, 1, BLOCK / TILES) * TILES;
            int blocks = Math.ceilDiv(rows, most);
            cut = Math.ceilDiv(Math.ceilDiv(rows, blocks), TILES) * TILES;
            units = Math.multiplyExact(count, Math.ceilDiv(rows, cut));
            cost = (long) Math.min(rows, cut) * w.columns() * panels.width;
        }
        pool.run(this, units, (int) Math.min(units, Math.max(1, WORTH / Math.max(1, cost))));
    }

    private static float[] atLeast(int floats, float[] memory) {
        return memory.length >= floats ? memory : new float[floats];
    }

    private void prepare(int from, int to, int worker) {
        panels.prepare(x, rows, prepared, from, to, floats[worker]);
    }

    @Override
    public void run(int from, int to, int worker) {
        if (few) {
            range((int) ((long) count * from / cut), (int) ((long) count * to / cut), worker);
            return;
        }
        for (int u = from; u < to; u++) {
            int first = u / count * cut;
            panel(u % count, first, Math.min(rows, first + cut) - 1, worker);
        }
    }

    /** Panels {@code from} to {@code to - 1} times all rows. */
    private void range(int from, int to, int worker) {
        int whole = Math.min(to, w.rows() / panels.width);
        if (whole > from) {
            panels.multiplyFew(w.data, from, whole, x, prepared, rows, out, w.rows(), scratch[worker]);
            if (bias != null) {
                int column = from * panels.width;
                for (int t = 0; t < rows; t++) {
                    RowKernels.add(out, t * w.rows() + column, bias, column, (whole - from) * panels.width);
                }
            }
        }
        if (to > whole) {
            panel(whole, 0, rows - 1, worker);
        }
    }

    /** One panel times rows {@code first} to {@code last}. */
    private void panel(int p, int first, int last, int worker) {
        int n = w.rows();
        int width = panels.width;
        int column = p * width;
        boolean whole = column + width <= n;
        float[] to = whole ? out : edge[worker];
        int stride = whole ? n : width;
        int at = whole ? column : -first * width;
        panels.multiply(w.data, p, x, prepared, rows, first, last, to, at, stride, scratch[worker]);
        for (int t = first; t <= last; t++) {
            if (!whole) {
                System.arraycopy(to, (t - first) * width, out, t * n + column, n - column);
            }
            if (bias != null) {
                RowKernels.add(out, t * n + column, bias, column, Math.min(width, n - column));
            }
        }
    }
}
