package dev.tiller.kernels;

/**
 * Where each row of a batch stands: prefill chunks and decode rows of several sequences together. Rows of one sequence
 * are consecutive and in order of position.
 *
 * @param count rows T in this step (the arrays may be longer)
 * @param position [T] 0-based position of the row in its sequence
 * @param sequence [T] index into {@code pages}
 * @param pages page table of each sequence: position p lives in page {@code pages[s][p / KvPages.PAGE]}
 * @param angle [T] row of the {@link RopeTable} by which heads are rotated, or null if that is the position
 */
public record Rows(int count, int[] position, int[] sequence, int[][] pages, int[] angle) {
    /** Rows rotated by their positions. */
    public Rows(int count, int[] position, int[] sequence, int[][] pages) {
        this(count, position, sequence, pages, null);
    }

    /** The rows of the {@link RopeTable}, {@code angle} or {@code position}. */
    public int[] angles() {
        return angle == null ? position : angle;
    }
}
