package dev.tiller.kernels.cpu;

/** The largest element of each row; a unit is a piece of a row, so that one row alone has work for all threads. */
final class ArgmaxTask implements WorkerPool.Task {
    /** Columns of a piece. */
    private static final int PIECE = 8192;

    private final WorkerPool pool;
    private float[] x;
    private int columns;
    private int pieces;
    /** The place of the largest element of each piece. */
    private int[] found = new int[0];

    ArgmaxTask(WorkerPool pool) {
        this.pool = pool;
    }

    void run(float[] x, int columns, int rows, int[] out) {
        this.x = x;
        this.columns = columns;
        this.pieces = Math.ceilDiv(columns, PIECE);
        int units = Math.multiplyExact(rows, pieces);
        if (found.length < units) {
            found = new int[units];
        }
        pool.run(this, units, RowTasks.portion(Math.min(columns, PIECE)));
        for (int t = 0; t < rows; t++) {
            out[t] = best(t) - t * columns;
        }
    }

    @Override
    public void run(int from, int to, int worker) {
        for (int u = from; u < to; u++) {
            int column = u % pieces * PIECE;
            int at = u / pieces * columns + column;
            found[u] = at + RowKernels.argmax(x, at, Math.min(PIECE, columns - column));
        }
    }

    /** The best piece of a row, the first on ties: only what is larger replaces it, and not-a-number never is. */
    private int best(int t) {
        int best = t * columns;
        float largest = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < pieces; i++) {
            int place = found[t * pieces + i];
            if (x[place] > largest) {
                best = place;
                largest = x[place];
            }
        }
        return best;
    }
}
