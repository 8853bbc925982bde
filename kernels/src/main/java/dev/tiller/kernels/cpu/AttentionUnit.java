package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.L;

import dev.tiller.kernels.Arguments;
import dev.tiller.kernels.AttentionSpec;
import dev.tiller.kernels.HeapKvPages;
import dev.tiller.kernels.KvPages;
import dev.tiller.kernels.Rows;
import java.util.Arrays;

/** Attention of one key/value head for a run of rows, with the scratch memory of one thread. */
final class AttentionUnit {
    /** The arguments of a call of attention. */
    static final class Call {
        float[] x;
        int columns;
        Rows rows;
        int qColumn;
        HeapKvPages kv;
        int block;
        AttentionSpec spec;
        float[] out;
    }

    private static final int PAGE = KvPages.PAGE;
    private static final int PART = AttentionTask.PART;
    private static final int PANEL = 2 * L;
    /** Up to that many queries read keys and values where they lie; more of them share a copy in panels. */
    private static final int FEW = 8;

    /** Queries of the largest tile. */
    private static final int TILE = 6;
    /** Floats from the scores of a query to those of the next. */
    private static final int STRIDE = PART + Softmax.SLACK;

    /** Keys of a part, then its values, as float32. */
    private float[] panels = new float[0];

    private float[] scores = new float[0];
    /** Places of the queries in x, and of their scores. */
    private int[] q = new int[0];

    private int[] s = new int[0];
    private final PartSums whole = new PartSums();
    private final PartSums single = new PartSums();

    private final Direct direct = new Direct();
    private Call call;
    private int group;
    private int firstRow;
    private int queries;
    /** First position of the part in work. */
    private int base;

    /** Index in out at which the result of query j of a run begins. */
    static int output(AttentionSpec spec, int firstRow, int kvHead, int j) {
        int group = spec.heads() / spec.kvHeads();
        return ((firstRow + j / group) * spec.heads() + kvHead * group + j % group) * spec.headDim();
    }

    /** Rows from .. to - 1 of one sequence, all parts of their positions, one after the other. */
    void run(Call call, int from, int to, int kvHead, int firstPart, int parts) {
        prepare(call, from, to, kvHead);
        int k = call.spec.headDim();
        whole.grow(queries, KvPanels.padded(k));
        single.grow(queries, KvPanels.padded(k));
        compute(kvHead, firstPart, whole, 0);
        for (int p = 1; p < parts; p++) {
            compute(kvHead, firstPart + p, single, 0);
            for (int j = 0; j < queries; j++) {
                whole.add(j, single, j);
            }
        }
        for (int j = 0; j < queries; j++) {
            whole.finish(j, call.kv.format(), k, call.out, output(call.spec, from, kvHead, j));
        }
    }

    /** One part alone; its results go to entries {@code at ..}. */
    void part(Call call, int from, int to, int kvHead, int part, PartSums results, int at) {
        prepare(call, from, to, kvHead);
        compute(kvHead, part, results, at);
    }

    private void prepare(Call call, int from, int to, int kvHead) {
        this.call = call;
        int k = call.spec.headDim();
        group = call.spec.heads() / call.spec.kvHeads();
        firstRow = from;
        queries = (to - from) * group;
        int padded = KvPanels.padded(k);
        if (panels.length < PART * padded + L) {
            panels = new float[PART * padded + L];
        }
        if (scores.length < queries * STRIDE) {
            scores = new float[queries * STRIDE];
            q = new int[queries];
            s = new int[queries];
            Arrays.setAll(s, j -> j * STRIDE);
        }
        for (int j = 0; j < queries; j++) {
            q[j] = row(j) * call.columns + call.qColumn + (kvHead * group + j % group) * k;
        }
    }

    /** Row of a query. */
    private int row(int j) {
        return firstRow + j / group;
    }

    /** First position of the part that a query sees, counted from its base; more than {@link #high} if it sees none. */
    private int low(int j) {
        return Math.max(0, Arguments.first(call.rows.position()[row(j)], call.spec.window()) - base);
    }

    /** One after the last position of the part that a query sees. */
    private int high(int j) {
        return Math.min(PART, call.rows.position()[row(j)] + 1 - base);
    }

    private void compute(int kvHead, int part, PartSums results, int at) {
        base = part * PART;
        Arrays.fill(results.sums, at * results.width(), (at + queries) * results.width(), 0);
        int from = low(0) / PAGE * PAGE;
        int last = high(queries - 1);
        if (queries <= FEW) {
            direct.keys(kvHead, from, last);
            weights(results, at);
            direct.values(kvHead, from, last, results, at);
            return;
        }
        HeapKvPages kv = call.kv;
        for (int p = from; p < last; p += PAGE) {
            int page = page(p);
            KvPanels.keys(kv, kv.page(page), kv.keys(page, call.block, kvHead), panels, p);
        }
        score(from, Math.ceilDiv(last, PAGE) * PAGE);
        weights(results, at);
        for (int p = from; p < last; p += PAGE) {
            int page = page(p);
            int values = kv.values(page, call.block, kvHead);
            KvPanels.values(kv, kv.page(page), values, Math.min(PAGE, last - p), panels, PART, p);
        }
        weigh(results, at);
    }

    /** The page of a position of the part. */
    private int page(int p) {
        return call.rows.pages()[call.rows.sequence()[firstRow]][(base + p) / PAGE];
    }

    /** Products of all queries with the keys of positions from .. to - 1 that one of them sees. */
    private void score(int from, int to) {
        int k = call.spec.headDim();
        for (int j = 0; j < queries; j++) {
            Arrays.fill(scores, s[j] + from, Math.min(s[j] + to + PANEL, s[j] + STRIDE), 0);
        }
        for (int n = from / PANEL * PANEL; n < to; n += PANEL) {
            for (int j = 0; j < queries; j += TILE) {
                int last = Math.min(j + TILE, queries) - 1;
                if (n < high(last) && n + PANEL > low(j)) {
                    AttentionTiles.rows(call.x, q, j, last, 0, panels, n * k, k, scores, n, STRIDE);
                }
            }
        }
    }

    private void weights(PartSums results, int at) {
        for (int j = 0; j < queries; j++) {
            int low = low(j);
            int n = high(j) - low;
            results.total[at + j] = n <= 0
                    ? 0
                    : Softmax.weights(
                            scores, s[j] + low, n, call.spec.scale(), call.spec.softCap(), results.max, at + j);
        }
    }

    /** Weighted sums of the values: of each tile of queries first what only some see, then what all see, then the rest. */
    private void weigh(PartSums results, int at) {
        int width = results.width();
        float[] sums = results.sums;
        for (int c = 0; c < width; c += PANEL) {
            int panel = c * PART;
            for (int j = 0; j < queries; j += TILE) {
                int last = Math.min(j + TILE, queries) - 1;
                int from = low(last);
                int to = high(j);
                if (from >= to) {
                    from = to = high(last);
                }
                for (int i = j; i <= last; i++) {
                    weighOne(i, low(i), Math.min(from, high(i)), panel, sums, (at + i) * width + c);
                }
                if (from < to) {
                    AttentionTiles.rows(
                            scores,
                            s,
                            j,
                            last,
                            from,
                            panels,
                            panel + from * PANEL,
                            to - from,
                            sums,
                            at * width + c,
                            width);
                }
                for (int i = j; i <= last; i++) {
                    weighOne(i, Math.max(to, low(i)), high(i), panel, sums, (at + i) * width + c);
                }
            }
        }
    }

    private void weighOne(int j, int from, int to, int panel, float[] sums, int o) {
        if (from < to) {
            AttentionTiles.rows1(scores, s[j] + from, panels, panel + from * PANEL, to - from, sums, o);
        }
    }

    /** The same page by page, each read where it lies by all queries, up to four of one row at a time. */
    private final class Direct {
        void keys(int kvHead, int from, int last) {
            HeapKvPages kv = call.kv;
            for (int p = from; p < last; p += PAGE) {
                int page = page(p);
                int[] words = kv.page(page);
                int at = kv.keys(page, call.block, kvHead);
                for (int j = 0; j < queries; j = next(j)) {
                    if (p < high(j) && p + PAGE > low(j)) {
                        keys(words, at, p, j, next(j) - 1);
                    }
                }
            }
        }

        void values(int kvHead, int from, int last, PartSums results, int at) {
            HeapKvPages kv = call.kv;
            for (int p = from; p < last; p += PAGE) {
                int page = page(p);
                int[] words = kv.page(page);
                int values = kv.values(page, call.block, kvHead);
                for (int j = 0; j < queries; j = next(j)) {
                    int first = Math.max(p, low(j));
                    int n = Math.min(p + PAGE, high(j)) - first;
                    if (n > 0) {
                        values(words, values + (first - p) * kv.words(), n, first, j, next(j) - 1, results, at);
                    }
                }
            }
        }

        /** The first query of the next tile: of the same row up to four at a time. */
        private int next(int j) {
            return Math.min(j + 4, (j / group + 1) * group);
        }

        private void keys(int[] page, int at, int p, int j, int last) {
            int k = call.spec.headDim();
            float[] x = call.x;
            int s0 = s[j] + p;
            if (j == last) {
                switch (call.kv.format()) {
                    case F32 -> KvF32.keys1(page, at, k, x, q[j], scores, s0);
                    case BF16 -> KvBf16.keys1(page, at, k, x, q[j], scores, s0);
                    default -> KvF16.keys1(page, at, k, x, q[j], scores, s0);
                }
                return;
            }
            int b = j + 1;
            int c = Math.min(j + 2, last);
            int d = last;
            int s1 = s[b] + p;
            int s2 = s[c] + p;
            int s3 = s[d] + p;
            switch (call.kv.format()) {
                case F32 -> KvF32.keys4(page, at, k, x, q[j], q[b], q[c], q[d], scores, s0, s1, s2, s3);
                case BF16 -> KvBf16.keys4(page, at, k, x, q[j], q[b], q[c], q[d], scores, s0, s1, s2, s3);
                default -> KvF16.keys4(page, at, k, x, q[j], q[b], q[c], q[d], scores, s0, s1, s2, s3);
            }
        }

        private void values(int[] page, int at, int n, int first, int j, int last, PartSums results, int to) {
            int words = call.kv.words();
            int width = results.width();
            float[] out = results.sums;
            int w0 = s[j] + first;
            int o0 = (to + j) * width;
            if (j == last) {
                switch (call.kv.format()) {
                    case F32 -> KvF32.values1(page, at, words, n, scores, w0, out, o0);
                    case BF16 -> KvBf16.values1(page, at, words, n, scores, w0, out, o0);
                    default -> KvF16.values1(page, at, words, n, scores, w0, out, o0);
                }
                return;
            }
            int c = Math.min(j + 2, last);
            int w1 = s[j + 1] + first;
            int w2 = s[c] + first;
            int w3 = s[last] + first;
            int o1 = o0 + width;
            int o2 = (to + c) * width;
            int o3 = (to + last) * width;
            switch (call.kv.format()) {
                case F32 -> KvF32.values4(page, at, words, n, scores, w0, w1, w2, w3, out, o0, o1, o2, o3);
                case BF16 -> KvBf16.values4(page, at, words, n, scores, w0, w1, w2, w3, out, o0, o1, o2, o3);
                default -> KvF16.values4(page, at, words, n, scores, w0, w1, w2, w3, out, o0, o1, o2, o3);
            }
        }
    }
}
