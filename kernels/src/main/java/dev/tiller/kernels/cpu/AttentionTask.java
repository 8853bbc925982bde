package dev.tiller.kernels.cpu;

import dev.tiller.kernels.Arguments;
import dev.tiller.kernels.AttentionSpec;
import dev.tiller.kernels.HeapKvPages;
import dev.tiller.kernels.Rows;
import java.util.Arrays;

/**
 * Attention over paged keys and values. Positions are cut into parts of {@link #PART}, always at the same places: a part
 * is finished by itself (scores, their weights, the weighted sum of values), and parts are put together in their order.
 * What a row gets depends on its own position only, not on the chunk it stands in nor on who computes which part.
 *
 * <p>A unit is one key/value head of a run of consecutive rows of one sequence, so that all queries of its rows and of its
 * group of heads share each reading of keys and values. Where there are too few units for the threads (decoding), the
 * parts of a unit become units of their own, put together at the end.
 */
final class AttentionTask implements WorkerPool.Task {
    /** Positions of a part. */
    static final int PART = 128;

    /** Queries of a unit that share a pass over keys and values. */
    private static final int QUERIES = 48;

    /** Units for each thread below which parts are spread over the threads. */
    private static final int UNITS_PER_THREAD = 4;

    /** Numbers that parts may leave behind (32 MB): memory that nobody was told of. */
    private static final long MOST_PART_FLOATS = 8 << 20;

    /** Multiply-adds worth handing to another thread, about a microsecond. */
    private static final long WORTH = 40_000;

    private final WorkerPool pool;
    private final AttentionUnit[] units;
    private int[] runStart = new int[64];
    /** First of the units of each run, if parts are units. */
    private int[] unitStart = new int[64];

    private int runs;
    /** Queries of the longest of them. */
    private int mostQueries;

    private boolean spread;
    private final AttentionUnit.Call call = new AttentionUnit.Call();
    /** Results of parts, if they are units of their own: sums, maxima and totals of all queries. */
    private PartSums parts = new PartSums();

    AttentionTask(WorkerPool pool) {
        this.pool = pool;
        this.units = new AttentionUnit[pool.threads()];
        Arrays.setAll(units, i -> new AttentionUnit());
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
        call.x = x;
        call.columns = columns;
        call.rows = rows;
        call.qColumn = qColumn;
        call.kv = kv;
        call.block = block;
        call.spec = spec;
        call.out = out;
        findRuns();
        long cost = 0;
        for (int t = 0; t < rows.count(); t++) {
            int p = rows.position()[t];
            cost += 2L * spec.heads() * spec.headDim() * (p + 1 - Arguments.first(p, spec.window()));
        }
        int n = Math.multiplyExact(runs, spec.kvHeads());
        int parties = pool.parties();
        spread = parties > 1 && n < UNITS_PER_THREAD * parties && cost > WORTH;
        if (spread) {
            int units = countParts();
            spread = (long) units * mostQueries * KvPanels.padded(spec.headDim()) <= MOST_PART_FLOATS;
            n = spread ? units : n;
        }
        if (spread) {
            parts.grow(Math.multiplyExact(n, mostQueries), KvPanels.padded(spec.headDim()));
        }
        pool.run(this, n, Math.clamp(WORTH * n / Math.max(1, cost), 1, Math.max(1, n)));
        if (spread) {
            combine();
        }
    }

    private int group() {
        return call.spec.heads() / call.spec.kvHeads();
    }

    /** Cuts the rows into runs; run r begins at row runStart[r]. */
    private void findRuns() {
        Rows rows = call.rows;
        int longest = Math.max(1, QUERIES / group());
        runs = 0;
        mostQueries = 0;
        for (int t = 0; t < rows.count(); t++) {
            boolean joins = t > 0
                    && t - runStart[runs - 1] < longest
                    && rows.sequence()[t] == rows.sequence()[t - 1]
                    && rows.position()[t] == rows.position()[t - 1] + 1;
            if (!joins) {
                if (runs + 1 >= runStart.length) {
                    runStart = Arrays.copyOf(runStart, 2 * runStart.length);
                    unitStart = Arrays.copyOf(unitStart, 2 * unitStart.length);
                }
                runStart[runs++] = t;
            }
            mostQueries = Math.max(mostQueries, (t + 1 - runStart[runs - 1]) * group());
        }
        runStart[runs] = rows.count();
    }

    private int firstPart(int run) {
        return Arguments.first(call.rows.position()[runStart[run]], call.spec.window()) / PART;
    }

    private int partCount(int run) {
        return call.rows.position()[runStart[run + 1] - 1] / PART + 1 - firstPart(run);
    }

    /** Numbers the parts of all runs; returns how many units they are. */
    private int countParts() {
        int n = 0;
        for (int r = 0; r < runs; r++) {
            unitStart[r] = n;
            n = Math.addExact(n, Math.multiplyExact(partCount(r), call.spec.kvHeads()));
        }
        unitStart[runs] = n;
        return n;
    }

    @Override
    public void run(int from, int to, int worker) {
        AttentionUnit unit = units[worker];
        int heads = call.spec.kvHeads();
        if (!spread) {
            for (int u = from; u < to; u++) {
                int r = runs - 1 - u / heads; // later rows of a prompt see more: they come first
                unit.run(call, runStart[r], runStart[r + 1], u % heads, firstPart(r), partCount(r));
            }
            return;
        }
        int r = 0;
        for (int u = from; u < to; u++) {
            while (u >= unitStart[r + 1]) {
                r++;
            }
            int i = u - unitStart[r];
            int part = firstPart(r) + i / heads;
            unit.part(call, runStart[r], runStart[r + 1], i % heads, part, parts, u * mostQueries);
        }
    }

    /** Puts the parts of all units together. */
    private void combine() {
        int heads = call.spec.kvHeads();
        int size = mostQueries;
        for (int r = 0; r < runs; r++) {
            int queries = (runStart[r + 1] - runStart[r]) * group();
            for (int head = 0; head < heads; head++) {
                int first = unitStart[r] + head;
                for (int j = 0; j < queries; j++) {
                    for (int u = first + heads; u < unitStart[r + 1]; u += heads) {
                        parts.add(first * size + j, parts, u * size + j);
                    }
                    int o = AttentionUnit.output(call.spec, runStart[r], head, j);
                    parts.finish(first * size + j, call.kv.format(), call.spec.headDim(), call.out, o);
                }
            }
        }
    }
}
