package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.F;
import static dev.tiller.kernels.cpu.Lanes.I;
import static dev.tiller.kernels.cpu.Lanes.L;

import dev.tiller.kernels.KvPages;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * Attention of one or four queries over one page of 16-bit floats, read where it lies: for few queries, reading is what costs,
 * and it goes on beside the sums. The sums are those of {@link AttentionTiles}, bit for bit. {@code keys} sets the
 * products of queries {@code x[q ..]} with the PAGE keys; {@code values} adds n values under the weights
 * {@code w[w0 ..]} to the columns of {@code out}, in the order of {@link KvPanels}.
 */
final class KvF16 {
    private static final int PAGE = KvPages.PAGE;

    private KvF16() {}

    private static FloatVector low(IntVector pair) {
        return KvPanels.f16Low(pair);
    }

    private static FloatVector high(IntVector pair) {
        return KvPanels.f16High(pair);
    }

    static void keys1(int[] page, int at, int k, float[] x, int q0, float[] s, int s0) {
        for (int v = 0; v < PAGE; v += L) {
            FloatVector c0 = FloatVector.zero(F);
            for (int i = 0; i < k / 2; i++) {
                IntVector pair = IntVector.fromArray(I, page, at + v + i * PAGE);
                FloatVector low = low(pair);
                c0 = low.fma(FloatVector.broadcast(F, x[q0 + 2 * i]), c0);
                FloatVector high = high(pair);
                c0 = high.fma(FloatVector.broadcast(F, x[q0 + 2 * i + 1]), c0);
            }
            if (k % 2 == 1) {
                FloatVector low = low(IntVector.fromArray(I, page, at + v + k / 2 * PAGE));
                c0 = low.fma(FloatVector.broadcast(F, x[q0 + k - 1]), c0);
            }
            c0.intoArray(s, s0 + v);
        }
    }

    static void keys4(
            int[] page,
            int at,
            int k,
            float[] x,
            int q0,
            int q1,
            int q2,
            int q3,
            float[] s,
            int s0,
            int s1,
            int s2,
            int s3) {
        for (int v = 0; v < PAGE; v += L) {
            FloatVector c0 = FloatVector.zero(F);
            FloatVector c1 = FloatVector.zero(F);
            FloatVector c2 = FloatVector.zero(F);
            FloatVector c3 = FloatVector.zero(F);
            for (int i = 0; i < k / 2; i++) {
                IntVector pair = IntVector.fromArray(I, page, at + v + i * PAGE);
                FloatVector low = low(pair);
                c0 = low.fma(FloatVector.broadcast(F, x[q0 + 2 * i]), c0);
                c1 = low.fma(FloatVector.broadcast(F, x[q1 + 2 * i]), c1);
                c2 = low.fma(FloatVector.broadcast(F, x[q2 + 2 * i]), c2);
                c3 = low.fma(FloatVector.broadcast(F, x[q3 + 2 * i]), c3);
                FloatVector high = high(pair);
                c0 = high.fma(FloatVector.broadcast(F, x[q0 + 2 * i + 1]), c0);
                c1 = high.fma(FloatVector.broadcast(F, x[q1 + 2 * i + 1]), c1);
                c2 = high.fma(FloatVector.broadcast(F, x[q2 + 2 * i + 1]), c2);
                c3 = high.fma(FloatVector.broadcast(F, x[q3 + 2 * i + 1]), c3);
            }
            if (k % 2 == 1) {
                FloatVector low = low(IntVector.fromArray(I, page, at + v + k / 2 * PAGE));
                c0 = low.fma(FloatVector.broadcast(F, x[q0 + k - 1]), c0);
                c1 = low.fma(FloatVector.broadcast(F, x[q1 + k - 1]), c1);
                c2 = low.fma(FloatVector.broadcast(F, x[q2 + k - 1]), c2);
                c3 = low.fma(FloatVector.broadcast(F, x[q3 + k - 1]), c3);
            }
            c0.intoArray(s, s0 + v);
            c1.intoArray(s, s1 + v);
            c2.intoArray(s, s2 + v);
            c3.intoArray(s, s3 + v);
        }
    }

    static void values1(int[] page, int at, int words, int n, float[] w, int w0, float[] out, int o0) {
        for (int c = 0; c < words; c += L) {
            FloatVector c0 = FloatVector.fromArray(F, out, o0 + 2 * c);
            FloatVector d0 = FloatVector.fromArray(F, out, o0 + 2 * c + L);
            for (int i = 0; i < n; i++) {
                IntVector pair = IntVector.fromArray(I, page, at + c + i * words);
                FloatVector low = low(pair);
                FloatVector high = high(pair);
                FloatVector x0 = FloatVector.broadcast(F, w[w0 + i]);
                c0 = low.fma(x0, c0);
                d0 = high.fma(x0, d0);
            }
            c0.intoArray(out, o0 + 2 * c);
            d0.intoArray(out, o0 + 2 * c + L);
        }
    }

    static void values4(
            int[] page,
            int at,
            int words,
            int n,
            float[] w,
            int w0,
            int w1,
            int w2,
            int w3,
            float[] out,
            int o0,
            int o1,
            int o2,
            int o3) {
        for (int c = 0; c < words; c += L) {
            FloatVector c0 = FloatVector.fromArray(F, out, o0 + 2 * c);
            FloatVector d0 = FloatVector.fromArray(F, out, o0 + 2 * c + L);
            FloatVector c1 = FloatVector.fromArray(F, out, o1 + 2 * c);
            FloatVector d1 = FloatVector.fromArray(F, out, o1 + 2 * c + L);
            FloatVector c2 = FloatVector.fromArray(F, out, o2 + 2 * c);
            FloatVector d2 = FloatVector.fromArray(F, out, o2 + 2 * c + L);
            FloatVector c3 = FloatVector.fromArray(F, out, o3 + 2 * c);
            FloatVector d3 = FloatVector.fromArray(F, out, o3 + 2 * c + L);
            for (int i = 0; i < n; i++) {
                IntVector pair = IntVector.fromArray(I, page, at + c + i * words);
                FloatVector low = low(pair);
                FloatVector high = high(pair);
                FloatVector x0 = FloatVector.broadcast(F, w[w0 + i]);
                c0 = low.fma(x0, c0);
                d0 = high.fma(x0, d0);
                FloatVector x1 = FloatVector.broadcast(F, w[w1 + i]);
                c1 = low.fma(x1, c1);
                d1 = high.fma(x1, d1);
                FloatVector x2 = FloatVector.broadcast(F, w[w2 + i]);
                c2 = low.fma(x2, c2);
                d2 = high.fma(x2, d2);
                FloatVector x3 = FloatVector.broadcast(F, w[w3 + i]);
                c3 = low.fma(x3, c3);
                d3 = high.fma(x3, d3);
            }
            c0.intoArray(out, o0 + 2 * c);
            d0.intoArray(out, o0 + 2 * c + L);
            c1.intoArray(out, o1 + 2 * c);
            d1.intoArray(out, o1 + 2 * c + L);
            c2.intoArray(out, o2 + 2 * c);
            d2.intoArray(out, o2 + 2 * c + L);
            c3.intoArray(out, o3 + 2 * c);
            d3.intoArray(out, o3 + 2 * c + L);
        }
    }
}
