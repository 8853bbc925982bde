package dev.tiller.kernels.cuda;

/**
 * To how many rows a recorded step is filled up. Kernels know no row counts but the size of their grid, so a step is
 * recorded once for each bucket; rows past the real ones are dummies.
 */
final class RowBuckets {
    /** Steps with more rows are not recorded. */
    static final int LARGEST = 256;

    private static final int FIRST_POSITIONS = 256;

    private RowBuckets() {}

    /**
     * The smallest bucket that holds so many rows: 1, 2, 4 and 8 (what the kernels for few rows take), then steps of at
     * most a quarter; beyond {@link #LARGEST} the number itself.
     */
    static int rows(int rows) {
        if (rows <= 2) {
            return rows;
        }
        int step = rows <= 4 ? 4 : rows <= 64 ? 8 : rows <= 128 ? 16 : rows <= LARGEST ? 32 : 1;
        return Math.ceilDiv(rows, step) * step;
    }

    /** The smallest power of two, at least 256, that is no less than the number of positions. */
    static int positions(int positions) {
        return positions <= FIRST_POSITIONS ? FIRST_POSITIONS : Integer.highestOneBit(positions - 1) << 1;
    }
}
