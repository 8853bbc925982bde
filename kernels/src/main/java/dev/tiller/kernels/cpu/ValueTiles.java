package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.F;
import static dev.tiller.kernels.cpu.Lanes.L;

import dev.tiller.kernels.HeapKvPages;
import dev.tiller.kernels.KvPages;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/**
 * Sums of stored values under the weights of queries; a page keeps values as [PAGE, k]. A sum is one chain of fused
 * multiply-adds over positions in their order in every form, continued from what {@code out} holds.
 *
 * <p>Parameters: positions {@code from .. to - 1}; {@code values}, the place of the values in a page; the weight of query
 * j for position p is {@code w[at + j * stride + p]}; its sum {@code out[o[j] ..]}; queries {@code j} and the following
 * ones up to {@code last}, which is repeated to fill the tile.
 */
final class ValueTiles {
    private static final int PAGE = KvPages.PAGE;

    private ValueTiles() {}

    /** One query. */
    static void rows1(
            HeapKvPages kv,
            int[] pages,
            int values,
            int from,
            int to,
            float[] w,
            int at,
            int stride,
            int j,
            float[] out,
            int[] o) {
        int k = kv.headDim();
        int o0 = o[j];
        int w0 = at + j * stride;
        int column = 0;
        for (; column <= k - 2 * L; column += 2 * L) {
            FloatVector c0 = FloatVector.fromArray(F, out, o0 + column);
            FloatVector d0 = FloatVector.fromArray(F, out, o0 + column + L);
            for (int p = from; p < to; ) {
                float[] page = kv.page(pages[p / PAGE]);
                int end = Math.min(to, (p / PAGE + 1) * PAGE);
                int place = values + p % PAGE * k + column;
                for (; p < end; p++, place += k) {
                    FloatVector low = FloatVector.fromArray(F, page, place);
                    FloatVector high = FloatVector.fromArray(F, page, place + L);
                    FloatVector x0 = FloatVector.broadcast(F, w[w0 + p]);
                    c0 = low.fma(x0, c0);
                    d0 = high.fma(x0, d0);
                }
            }
            c0.intoArray(out, o0 + column);
            d0.intoArray(out, o0 + column + L);
        }
        for (; column < k; column += L) {
            columns(kv, pages, values + column, from, to, w, w0, out, o0 + column, F.indexInRange(column, k));
        }
    }

    /** Two to four queries. */
    static void rows4(
            HeapKvPages kv,
            int[] pages,
            int values,
            int from,
            int to,
            float[] w,
            int at,
            int stride,
            int j,
            int last,
            float[] out,
            int[] o) {
        int k = kv.headDim();
        int o0 = o[j];
        int o1 = o[Math.min(j + 1, last)];
        int o2 = o[Math.min(j + 2, last)];
        int o3 = o[Math.min(j + 3, last)];
        int w0 = at + j * stride;
        int w1 = at + Math.min(j + 1, last) * stride;
        int w2 = at + Math.min(j + 2, last) * stride;
        int w3 = at + Math.min(j + 3, last) * stride;
        int column = 0;
        for (; column <= k - 2 * L; column += 2 * L) {
            FloatVector c0 = FloatVector.fromArray(F, out, o0 + column);
            FloatVector d0 = FloatVector.fromArray(F, out, o0 + column + L);
            FloatVector c1 = FloatVector.fromArray(F, out, o1 + column);
            FloatVector d1 = FloatVector.fromArray(F, out, o1 + column + L);
            FloatVector c2 = FloatVector.fromArray(F, out, o2 + column);
            FloatVector d2 = FloatVector.fromArray(F, out, o2 + column + L);
            FloatVector c3 = FloatVector.fromArray(F, out, o3 + column);
            FloatVector d3 = FloatVector.fromArray(F, out, o3 + column + L);
            for (int p = from; p < to; ) {
                float[] page = kv.page(pages[p / PAGE]);
                int end = Math.min(to, (p / PAGE + 1) * PAGE);
                int place = values + p % PAGE * k + column;
                for (; p < end; p++, place += k) {
                    FloatVector low = FloatVector.fromArray(F, page, place);
                    FloatVector high = FloatVector.fromArray(F, page, place + L);
                    FloatVector x0 = FloatVector.broadcast(F, w[w0 + p]);
                    c0 = low.fma(x0, c0);
                    d0 = high.fma(x0, d0);
                    FloatVector x1 = FloatVector.broadcast(F, w[w1 + p]);
                    c1 = low.fma(x1, c1);
                    d1 = high.fma(x1, d1);
                    FloatVector x2 = FloatVector.broadcast(F, w[w2 + p]);
                    c2 = low.fma(x2, c2);
                    d2 = high.fma(x2, d2);
                    FloatVector x3 = FloatVector.broadcast(F, w[w3 + p]);
                    c3 = low.fma(x3, c3);
                    d3 = high.fma(x3, d3);
                }
            }
            c0.intoArray(out, o0 + column);
            d0.intoArray(out, o0 + column + L);
            c1.intoArray(out, o1 + column);
            d1.intoArray(out, o1 + column + L);
            c2.intoArray(out, o2 + column);
            d2.intoArray(out, o2 + column + L);
            c3.intoArray(out, o3 + column);
            d3.intoArray(out, o3 + column + L);
        }
        if (column < k) {
            rest(kv, pages, values, from, to, w, at, stride, j, Math.min(j + 3, last), out, o);
        }
    }

    /** The columns that do not fill two vectors, for queries {@code j} to {@code last}. */
    private static void rest(
            HeapKvPages kv,
            int[] pages,
            int values,
            int from,
            int to,
            float[] w,
            int at,
            int stride,
            int j,
            int last,
            float[] out,
            int[] o) {
        int k = kv.headDim();
        for (int column = k / (2 * L) * 2 * L; column < k; column += L) {
            VectorMask<Float> m = F.indexInRange(column, k);
            for (int i = j; i <= last; i++) {
                columns(kv, pages, values + column, from, to, w, at + i * stride, out, o[i] + column, m);
            }
        }
    }

    /** One vector of columns under a mask. */
    private static void columns(
            HeapKvPages kv,
            int[] pages,
            int values,
            int from,
            int to,
            float[] w,
            int at,
            float[] out,
            int o,
            VectorMask<Float> m) {
        int k = kv.headDim();
        FloatVector c = FloatVector.fromArray(F, out, o, m);
        for (int p = from; p < to; p++) {
            float[] page = kv.page(pages[p / PAGE]);
            c = FloatVector.fromArray(F, page, values + p % PAGE * k, m).fma(FloatVector.broadcast(F, w[at + p]), c);
        }
        c.intoArray(out, o, m);
    }
}
