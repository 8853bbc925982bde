package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.PanelMatrix.PANEL;

import dev.tiller.kernels.WeightFormat;

/**
 * out = x w^T + bias. A unit is one panel of weights times a block of rows; blocks are small enough for their part of x
 * to stay in the second-level cache while the panels pass by.
 */
final class MatmulTask implements WorkerPool.Task {
    /** Rows of a block, a multiple of the largest tile. */
    private static final int BLOCK = 96;

    /**
     * Up to this many rows a panel is read from memory for so little arithmetic that two rows go first: their loop is
     * short, so more of its loads are under way at a time, and it leaves the panel in the cache for the larger tiles.
     */
    private static final int FEW = 24;

    /** Multiply-adds that are worth handing to another thread, about a microsecond. */
    private static final long WORTH = 40_000;

    private final WorkerPool pool;
    private final float[][] edge;
    private PanelMatrix w;
    private WeightFormat format;
    private float[] x;
    private float[] bias;
    private float[] out;
    private int rows;

    MatmulTask(WorkerPool pool) {
        this.pool = pool;
        this.edge = new float[pool.threads()][BLOCK * PANEL];
    }

    void run(float[] x, int rows, PanelMatrix w, float[] bias, float[] out) {
        this.w = w;
        this.format = w.storage();
        this.x = x;
        this.rows = rows;
        this.bias = bias;
        this.out = out;
        long cost = (long) Math.min(rows, BLOCK) * w.columns() * PANEL;
        int units = Math.multiplyExact(w.panels(), Math.ceilDiv(rows, BLOCK));
        pool.run(this, units, (int) Math.min(units, Math.max(1, WORTH / Math.max(1, cost))));
    }

    @Override
    public void run(int from, int to, int worker) {
        int panels = w.panels();
        for (int u = from; u < to; u++) {
            int first = u / panels * BLOCK;
            panel(u % panels, first, Math.min(rows, first + BLOCK) - 1, edge[worker]);
        }
    }

    /** One panel times rows {@code first} to {@code last}. */
    private void panel(int p, int first, int last, float[] edge) {
        int n = w.rows();
        int column = p * PANEL;
        boolean whole = column + PANEL <= n;
        float[] to = whole ? out : edge;
        int stride = whole ? n : PANEL;
        int at = whole ? column : -first * PANEL;
        int t = first;
        int count = last - first + 1;
        if (count > 2 && count <= FEW) {
            tile(p, t, t + 1, to, at, stride);
            t += 2;
        }
        int rest = (last - t + 1) % 6;
        if (rest > 0) {
            tile(p, t, t + rest - 1, to, at, stride);
            t += rest;
        }
        for (; t <= last; t += 6) {
            tile(p, t, t + 5, to, at, stride);
        }
        finish(p, first, last, whole ? null : edge);
    }

    /** Copies the sums of an incomplete panel to their places and adds the bias. */
    private void finish(int p, int first, int last, float[] edge) {
        int n = w.rows();
        int column = p * PANEL;
        for (int t = first; t <= last; t++) {
            if (edge != null) {
                System.arraycopy(edge, (t - first) * PANEL, out, t * n + column, n - column);
            }
            if (bias != null) {
                RowKernels.add(out, t * n + column, bias, column, Math.min(PANEL, n - column));
            }
        }
    }

    /** At most six rows, t to last. */
    private void tile(int p, int t, int last, float[] to, int at, int stride) {
        switch (format) {
            case BF16 -> bf16(w.at(p), t, last, to, at, stride);
            case F16 -> f16(w.at(p), t, last, to, at, stride);
            default -> f32(w.at(p), t, last, to, at, stride);
        }
    }

    private void bf16(long p, int t, int last, float[] to, int at, int stride) {
        switch (last - t) {
            case 0 -> TilesBf16.rows1(w.data, p, w.columns(), x, t, to, at, stride);
            case 1 -> TilesBf16.rows2(w.data, p, w.columns(), x, t, last, to, at, stride);
            case 2, 3 -> TilesBf16.rows4(w.data, p, w.columns(), x, t, last, to, at, stride);
            default -> TilesBf16.rows6(w.data, p, w.columns(), x, t, last, to, at, stride);
        }
    }

    private void f16(long p, int t, int last, float[] to, int at, int stride) {
        switch (last - t) {
            case 0 -> TilesF16.rows1(w.data, p, w.columns(), x, t, to, at, stride);
            case 1 -> TilesF16.rows2(w.data, p, w.columns(), x, t, last, to, at, stride);
            case 2, 3 -> TilesF16.rows4(w.data, p, w.columns(), x, t, last, to, at, stride);
            default -> TilesF16.rows6(w.data, p, w.columns(), x, t, last, to, at, stride);
        }
    }

    private void f32(long p, int t, int last, float[] to, int at, int stride) {
        switch (last - t) {
            case 0 -> TilesF32.rows1(w.data, p, w.columns(), x, t, to, at, stride);
            case 1 -> TilesF32.rows2(w.data, p, w.columns(), x, t, last, to, at, stride);
            case 2, 3 -> TilesF32.rows4(w.data, p, w.columns(), x, t, last, to, at, stride);
            default -> TilesF32.rows6(w.data, p, w.columns(), x, t, last, to, at, stride);
        }
    }
}
