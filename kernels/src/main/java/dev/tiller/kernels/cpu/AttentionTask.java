package dev.tiller.kernels.cpu;

import dev.tiller.kernels.Arguments;
import dev.tiller.kernels.AttentionSpec;
import dev.tiller.kernels.HeapKvPages;
import dev.tiller.kernels.KvPages;
import dev.tiller.kernels.Rows;
import java.util.Arrays;

/**
 * Attention over paged keys and values. A unit is one key/value head of a run of consecutive rows of one sequence: all
 * queries of its rows and of its group of heads go over keys and values together, up to four at a time. What a query gets
 * depends on its own position only, not on the run it stands in.
 */
final class AttentionTask implements WorkerPool.Task {
    private static final int PAGE = KvPages.PAGE;
    /** Queries of a unit that share a pass over keys and values. */
    private static final int QUERIES = 24;
    /** Queries of the largest tile. */
    private static final int TILE = 4;

    /** Multiply-adds worth handing to another thread, about a microsecond. */
    private static final long WORTH = 40_000;

    private final WorkerPool pool;
    private final Unit[] units;
    private int[] runStart = new int[64];
    private float[] x;
    private int columns;
    private int qColumn;
    private Rows rows;
    private HeapKvPages kv;
    private int block;
    private AttentionSpec spec;
    private float[] out;

    AttentionTask(WorkerPool pool) {
        this.pool = pool;
        this.units = new Unit[pool.threads()];
        Arrays.setAll(units, i -> new Unit());
    }

    void run(
            float[] x,
            int columns,
            Rows rows,
            int qColumn,
            HeapKvPages kv,
            int block,
            AttentionSpec spec,
            float[] out) {
        this.x = x;
        this.columns = columns;
        this.rows = rows;
        this.qColumn = qColumn;
        this.kv = kv;
        this.block = block;
        this.spec = spec;
        this.out = out;
        int runs = findRuns();
        long cost = 0;
        for (int t = 0; t < rows.count(); t++) {
            cost += 2L * spec.heads() * spec.headDim() * (rows.position()[t] + 1);
        }
        int n = Math.multiplyExact(runs, spec.kvHeads());
        pool.run(this, n, Math.clamp(WORTH * n / Math.max(1, cost), 1, Math.max(1, n)));
    }

    /** Cuts the rows into runs; run r begins at row runStart[r]. */
    private int findRuns() {
        int longest = Math.max(1, QUERIES * spec.kvHeads() / spec.heads());
        int runs = 0;
        for (int t = 0; t < rows.count(); t++) {
            boolean joins = t > 0
                    && t - runStart[runs - 1] < longest
                    && rows.sequence()[t] == rows.sequence()[t - 1]
                    && rows.position()[t] == rows.position()[t - 1] + 1;
            if (!joins) {
                if (runs + 1 >= runStart.length) {
                    runStart = Arrays.copyOf(runStart, 2 * runStart.length);
                }
                runStart[runs++] = t;
            }
        }
        runStart[runs] = rows.count();
        return runs;
    }

    @Override
    public void run(int from, int to, int worker) {
        for (int u = from; u < to; u++) {
            int r = u / spec.kvHeads();
            units[worker].run(runStart[r], runStart[r + 1], u % spec.kvHeads());
        }
    }

    /** The work of one unit, with the scratch memory of one thread. */
    private final class Unit {
        private float[] scores = new float[QUERIES * 16 * PAGE];
        private float[] totals = new float[QUERIES];
        /** Places of the queries in x and of their results in out. */
        private int[] q = new int[QUERIES];

        private int[] o = new int[QUERIES];
        private int[] pages;
        private int group;
        private int firstRow;
        private int stride;
        /** Added to j * stride and a position it gives the place of the score of query j. */
        private int origin;

        void run(int from, int to, int kvHead) {
            group = spec.heads() / spec.kvHeads();
            int queries = (to - from) * group;
            firstRow = from;
            pages = rows.pages()[rows.sequence()[from]];
            int start = low(0) / PAGE * PAGE;
            stride = pageEnd(queries - 1) - start + Softmax.SLACK;
            origin = -start;
            grow(queries);
            place(queries, kvHead);
            for (int j = 0; j < queries; j += TILE) {
                score(kv.keys(block, kvHead), start, j, Math.min(j + TILE, queries) - 1);
            }
            for (int j = 0; j < queries; j++) {
                int at = j * stride + origin + low(j);
                totals[j] = Softmax.weights(scores, at, high(j) - low(j), spec.scale(), spec.softCap());
            }
            for (int j = 0; j < queries; j += TILE) {
                weigh(kv.values(block, kvHead), j, Math.min(j + TILE, queries) - 1);
            }
            for (int j = 0; j < queries; j++) {
                RowKernels.scale(out, o[j], 1 / totals[j], spec.headDim());
            }
        }

        private void grow(int queries) {
            if (scores.length < queries * stride) {
                scores = new float[Math.multiplyExact(queries, stride) * 5 / 4];
            }
            if (totals.length < queries) {
                totals = new float[queries];
                q = new int[queries];
                o = new int[queries];
            }
        }

        private void place(int queries, int kvHead) {
            int k = spec.headDim();
            for (int j = 0; j < queries; j++) {
                int head = kvHead * group + j % group;
                q[j] = row(j) * columns + qColumn + head * k;
                o[j] = (row(j) * spec.heads() + head) * k;
                Arrays.fill(out, o[j], o[j] + k, 0);
            }
        }

        /** Row of a query. */
        private int row(int j) {
            return firstRow + j / group;
        }

        /** First position that a query sees. */
        private int low(int j) {
            return Arguments.first(rows.position()[row(j)], spec.window());
        }

        /** One after the last position that a query sees. */
        private int high(int j) {
            return rows.position()[row(j)] + 1;
        }

        /** One after the last position of the last page that a query sees. */
        private int pageEnd(int j) {
            return Math.ceilDiv(high(j), PAGE) * PAGE;
        }

        /** Products of queries j to last with the keys of all positions that one of them sees. */
        private void score(int keys, int start, int j, int last) {
            int from = Math.max(start, low(j) / PAGE * PAGE);
            int to = pageEnd(last);
            if (j == last) {
                ScoreTiles.rows1(kv, pages, keys, from, to, x, q, j, scores, origin, stride);
            } else {
                ScoreTiles.rows4(kv, pages, keys, from, to, x, q, j, last, scores, origin, stride);
            }
        }

        /** Weighted sums of the values for queries j to last: first what only some see, then what all see, then the rest. */
        private void weigh(int values, int j, int last) {
            int from = low(last);
            int to = high(j);
            if (from >= to) {
                from = to = high(last);
            }
            for (int i = j; i <= last; i++) {
                weighOne(values, i, low(i), Math.min(from, high(i)));
            }
            if (j == last) {
                weighOne(values, j, from, to);
            } else {
                ValueTiles.rows4(kv, pages, values, from, to, scores, origin, stride, j, last, out, o);
            }
            for (int i = j + 1; i <= last; i++) {
                weighOne(values, i, Math.max(to, low(i)), high(i));
            }
        }

        private void weighOne(int values, int j, int from, int to) {
            if (from < to) {
                ValueTiles.rows1(kv, pages, values, from, to, scores, origin, stride, j, out, o);
            }
        }
    }
}
