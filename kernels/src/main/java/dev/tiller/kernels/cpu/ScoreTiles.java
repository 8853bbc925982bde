package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.F;
import static dev.tiller.kernels.cpu.Lanes.L;

import dev.tiller.kernels.HeapKvPages;
import dev.tiller.kernels.KvPages;
import jdk.incubator.vector.FloatVector;

/**
 * Products of queries with stored keys, which a page keeps as [k, PAGE] so that positions lie in lanes. A product is one
 * chain of fused multiply-adds over k from 0 up in every form.
 *
 * <p>Parameters: positions {@code from .. to - 1}, both multiples of PAGE; {@code keys}, the place of the keys in a page;
 * queries {@code x[q[j] ..]} and the following ones up to {@code last}, which is repeated to fill the tile; the product
 * of query j with the key of position p goes to {@code s[at + j * stride + p]}.
 */
final class ScoreTiles {
    private static final int PAGE = KvPages.PAGE;

    private ScoreTiles() {}

    private static void store(FloatVector low, FloatVector high, float[] s, int at, int p, int r) {
        low.intoArray(s, at + p);
        high.intoArray(s, at + r);
    }

    /** One query. */
    static void rows1(
            HeapKvPages kv,
            int[] pages,
            int keys,
            int from,
            int to,
            float[] x,
            int[] q,
            int j,
            float[] s,
            int at,
            int stride) {
        FloatVector zero = FloatVector.zero(F);
        int k = kv.headDim();
        int q0 = q[j];
        for (int p = from; p < to; p += 2 * L) {
            int r = Math.min(p + L, to - L); // an odd last vector is done twice
            float[] a = kv.page(pages[p / PAGE]);
            float[] b = kv.page(pages[r / PAGE]);
            int atA = keys + p % PAGE;
            int atB = keys + r % PAGE;
            FloatVector c0 = zero;
            FloatVector d0 = zero;
            for (int i = 0; i < k; i++) {
                FloatVector low = FloatVector.fromArray(F, a, atA + i * PAGE);
                FloatVector high = FloatVector.fromArray(F, b, atB + i * PAGE);
                FloatVector x0 = FloatVector.broadcast(F, x[q0 + i]);
                c0 = low.fma(x0, c0);
                d0 = high.fma(x0, d0);
            }
            store(c0, d0, s, at + j * stride, p, r);
        }
    }

    /** Two to four queries. */
    static void rows4(
            HeapKvPages kv,
            int[] pages,
            int keys,
            int from,
            int to,
            float[] x,
            int[] q,
            int j,
            int last,
            float[] s,
            int at,
            int stride) {
        FloatVector zero = FloatVector.zero(F);
        int k = kv.headDim();
        int q0 = q[j];
        int q1 = q[Math.min(j + 1, last)];
        int q2 = q[Math.min(j + 2, last)];
        int q3 = q[Math.min(j + 3, last)];
        for (int p = from; p < to; p += 2 * L) {
            int r = Math.min(p + L, to - L); // an odd last vector is done twice
            float[] a = kv.page(pages[p / PAGE]);
            float[] b = kv.page(pages[r / PAGE]);
            int atA = keys + p % PAGE;
            int atB = keys + r % PAGE;
            FloatVector c0 = zero;
            FloatVector d0 = zero;
            FloatVector c1 = zero;
            FloatVector d1 = zero;
            FloatVector c2 = zero;
            FloatVector d2 = zero;
            FloatVector c3 = zero;
            FloatVector d3 = zero;
            for (int i = 0; i < k; i++) {
                FloatVector low = FloatVector.fromArray(F, a, atA + i * PAGE);
                FloatVector high = FloatVector.fromArray(F, b, atB + i * PAGE);
                FloatVector x0 = FloatVector.broadcast(F, x[q0 + i]);
                c0 = low.fma(x0, c0);
                d0 = high.fma(x0, d0);
                FloatVector x1 = FloatVector.broadcast(F, x[q1 + i]);
                c1 = low.fma(x1, c1);
                d1 = high.fma(x1, d1);
                FloatVector x2 = FloatVector.broadcast(F, x[q2 + i]);
                c2 = low.fma(x2, c2);
                d2 = high.fma(x2, d2);
                FloatVector x3 = FloatVector.broadcast(F, x[q3 + i]);
                c3 = low.fma(x3, c3);
                d3 = high.fma(x3, d3);
            }
            store(c0, d0, s, at + j * stride, p, r);
            store(c1, d1, s, at + Math.min(j + 1, last) * stride, p, r);
            store(c2, d2, s, at + Math.min(j + 2, last) * stride, p, r);
            store(c3, d3, s, at + Math.min(j + 3, last) * stride, p, r);
        }
    }
}
