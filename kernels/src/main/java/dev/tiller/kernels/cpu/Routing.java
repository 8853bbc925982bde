package dev.tiller.kernels.cpu;

import java.util.Arrays;

/** Which experts each row goes through and with what weight, and the rows of each expert. */
final class Routing implements WorkerPool.Task {
    private final WorkerPool pool;
    private float[] scores;
    private int experts;
    private int chosen;
    private boolean normalised;

    /** [rows, chosen] experts of a row, in ascending order, and their weights. */
    private int[] expert = new int[0];

    private float[] weight = new float[0];
    private int[] start = new int[0];
    private int[] row = new int[0];
    private float[] rowWeight = new float[0];

    Routing(WorkerPool pool) {
        this.pool = pool;
    }

    /** @param scores [rows, experts] */
    void run(float[] scores, int rows, int experts, int chosen, boolean normalised) {
        this.scores = scores;
        this.experts = experts;
        this.chosen = chosen;
        this.normalised = normalised;
        int n = Math.multiplyExact(rows, chosen);
        if (expert.length < n) {
            expert = new int[n];
            weight = new float[n];
            row = new int[n];
            rowWeight = new float[n];
        }
        if (start.length < experts + 2) {
            start = new int[experts + 2];
        }
        pool.run(this, rows, RowTasks.portion(40 * experts));
        group(rows);
    }

    /** Sorts the pairs of row and expert by expert, the rows of each in ascending order. */
    private void group(int rows) {
        Arrays.fill(start, 0, experts + 2, 0);
        int n = rows * chosen;
        for (int i = 0; i < n; i++) {
            start[expert[i] + 2]++;
        }
        for (int e = 2; e < experts + 2; e++) {
            start[e] += start[e - 1];
        }
        for (int i = 0; i < n; i++) {
            int to = start[expert[i] + 1]++; // ends as the first of the next expert
            row[to] = i / chosen;
            rowWeight[to] = weight[i];
        }
    }

    /** Rows of an expert. */
    int count(int e) {
        return start[e + 1] - start[e];
    }

    /** Its i-th row. */
    int row(int e, int i) {
        return row[start[e] + i];
    }

    /** The weight of its result in that row. */
    float weight(int e, int i) {
        return rowWeight[start[e] + i];
    }

    @Override
    public void run(int from, int to, int worker) {
        for (int t = from; t < to; t++) {
            choose(t * experts, t * chosen);
            weigh(t * experts, t * chosen);
        }
    }

    /** The largest scores, on ties the first ones; not-a-number counts as less than anything. */
    private void choose(int at, int list) {
        int count = 0;
        for (int e = 0; e < experts; e++) {
            int i = count;
            while (i > 0 && larger(scores[at + e], scores[at + expert[list + i - 1]])) {
                i--;
            }
            if (i < chosen) {
                count = Math.min(count + 1, chosen);
                System.arraycopy(expert, list + i, expert, list + i + 1, count - 1 - i);
                expert[list + i] = e;
            }
        }
        for (int i = 1; i < chosen; i++) { // from here on by index
            int e = expert[list + i];
            int j = i;
            for (; j > 0 && expert[list + j - 1] > e; j--) {
                expert[list + j] = expert[list + j - 1];
            }
            expert[list + j] = e;
        }
    }

    private static boolean larger(float a, float b) {
        return a > b || Float.isNaN(b) && !Float.isNaN(a);
    }

    /** Softmax over all experts, or over the chosen ones, which is the same divided by their sum. */
    private void weigh(int at, int list) {
        float max = Float.NEGATIVE_INFINITY;
        for (int e = 0; e < experts; e++) {
            max = Math.max(max, scores[at + e]);
        }
        int n = normalised ? chosen : experts;
        double sum = 0;
        for (int i = 0; i < n; i++) {
            sum += Math.exp((double) scores[at + (normalised ? expert[list + i] : i)] - max);
        }
        for (int i = list; i < list + chosen; i++) {
            weight[i] = (float) (Math.exp((double) scores[at + expert[i]] - max) / sum);
        }
    }
}
