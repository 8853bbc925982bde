package dev.tiller.kernels.cuda;

import dev.tiller.kernels.KvPages;
import dev.tiller.kernels.Rows;

/**
 * Where the rows of a call stand, compiled to what kernels read: the struct RowArgs of args.cuh, followed by what it
 * points to. Each run of rows of one sequence gets a page table of its own. Rows past the real ones stand at position 0 of
 * a sequence whose page is {@link CudaKvPages#SCRATCH}.
 */
final class RowTable {
    /** Rows that one block of the kernel for prefill takes at most. */
    static final int TILE = 64;

    private static final int POSITION_POINTER = 8;
    private static final int SEQUENCE_POINTER = 16;
    private static final int PAGES_POINTER = 24;
    private static final int STRIDE = 32;
    private static final int COUNT = 36;
    private static final int ANGLE_POINTER = 40;
    private static final int HEADER = 64;

    private final int padded;
    private final int runs;
    private final int singles;
    private final int tiles;
    private final int longest;
    private final int stride;

    /**
     * @param padded rows with the dummies
     * @param positions room for so many positions in each page table; 0: what these rows need
     */
    RowTable(Rows rows, int padded, int positions) {
        int maxPosition = 0;
        int runCount = 0;
        int singleCount = 0;
        int tileCount = 0;
        for (int t = 0; t < rows.count(); ) {
            int end = runEnd(rows, t);
            singleCount += end - t == 1 ? 1 : 0;
            tileCount += end - t == 1 ? 0 : Math.ceilDiv(end - t, TILE);
            for (; t < end; t++) {
                maxPosition = Math.max(maxPosition, rows.position()[t]);
            }
            runCount++;
        }
        this.padded = padded;
        this.runs = runCount;
        this.singles = singleCount;
        this.tiles = tileCount;
        this.longest = Math.max(maxPosition + 1, positions);
        this.stride = Math.ceilDiv(longest, KvPages.PAGE);
    }

    private static int runEnd(Rows rows, int t) {
        int end = t + 1;
        while (end < rows.count() && rows.sequence()[end] == rows.sequence()[t]) {
            end++;
        }
        return end;
    }

    /** Rows with the dummies. */
    int rows() {
        return padded;
    }

    /** Positions that page tables have room for: no row stands beyond. */
    int positions() {
        return longest;
    }

    /** Rows that are alone in their sequence. */
    int singles() {
        return singles;
    }

    /** Tiles of at most {@link #TILE} rows of the other sequences. */
    int tiles() {
        return tiles;
    }

    /** Whether each row belongs to another sequence. */
    boolean decode() {
        return tiles == 0;
    }

    /** Bytes that {@link #write} needs; for a step to be recorded they depend on padded and positions alone. */
    long bytes() {
        return pages() + 4L * pageTables() * stride;
    }

    private int pageTables() {
        return decode() ? padded : runs + 1;
    }

    private static long position() {
        return HEADER;
    }

    private long sequence() {
        return HEADER + 4L * padded;
    }

    /** Offset of the list of all rows. */
    long allRows() {
        return HEADER + 8L * padded;
    }

    /** Offset of the list of the rows that are alone, as long as all rows; entries without a row are negative. */
    long rowList() {
        return HEADER + 12L * padded;
    }

    /** Offset of the rows of the table of angles. */
    long angle() {
        return HEADER + 16L * padded;
    }

    /** Offset of the tiles: first row and count of each. */
    long tileList() {
        return HEADER + 20L * padded;
    }

    private long pages() {
        return tileList() + 8L * tiles;
    }

    /** Writes the rows this table was made for. */
    void write(Rows rows, Slot to) {
        to.putLong(0, 0);
        to.putLong(POSITION_POINTER, to.address() + position());
        to.putLong(SEQUENCE_POINTER, to.address() + sequence());
        to.putLong(PAGES_POINTER, to.address() + pages());
        to.putLong(ANGLE_POINTER, to.address() + angle());
        to.putInt(STRIDE, stride);
        to.putInt(COUNT, padded);
        int run = 0;
        int single = 0;
        int tile = 0;
        for (int t = 0; t < rows.count(); run++) {
            int end = runEnd(rows, t);
            if (end - t == 1) {
                to.putInt(rowList() + 4L * single++, t);
            }
            for (int first = t; end - t > 1 && first < end; first += TILE, tile++) {
                to.putInt(tileList() + 8L * tile, first);
                to.putInt(tileList() + 8L * tile + 4, Math.min(TILE, end - first));
            }
            pageTable(rows.pages()[rows.sequence()[t]], rows.position()[end - 1], run, to);
            for (; t < end; t++) {
                row(to, t, rows.position()[t], run, rows.angles()[t]);
            }
        }
        for (int i = single; i < padded; i++) {
            to.putInt(rowList() + 4L * i, -1);
        }
        if (rows.count() < padded) {
            to.putInt(pages() + 4L * run * stride, CudaKvPages.SCRATCH);
        }
        for (int t = rows.count(); t < padded; t++) {
            row(to, t, 0, run, 0);
        }
    }

    private void row(Slot to, int t, int position, int run, int angle) {
        to.putInt(position() + 4L * t, position);
        to.putInt(sequence() + 4L * t, run);
        to.putInt(allRows() + 4L * t, t);
        to.putInt(angle() + 4L * t, angle);
    }

    private void pageTable(int[] table, int lastPosition, int run, Slot to) {
        int count = Math.min(table.length, lastPosition / KvPages.PAGE + 1);
        to.putInts(pages() + 4L * run * stride, table, 0, count);
    }
}
