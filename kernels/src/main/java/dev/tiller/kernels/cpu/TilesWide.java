package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.F;
import static dev.tiller.kernels.cpu.Lanes.L;

import jdk.incubator.vector.FloatVector;

/**
 * Matrix tiles on widened weights: some rows of x times a block of inputs of one panel, all sums in registers.
 *
 * <p>Parameters: block {@code w} [count, 2 L] of inputs {@code first ..}; x [.., k] from row {@code t}; sums are
 * added to {@code out[outAt + row * stride ..]}. Rows after {@code last} repeat that row.
 * Each sum is one chain of fused multiply-adds over the inputs from the first up, as in the kernels on narrow weights.
 */
final class TilesWide {
    private TilesWide() {}

    private static void store(FloatVector low, FloatVector high, float[] out, int at) {
        low.intoArray(out, at);
        high.intoArray(out, at + L);
    }

    /** One or two rows. */
    static void rows2(
            float[] w,
            int first,
            int count,
            int k,
            float[] x,
            int t,
            int last,
            float[] out,
            int outAt,
            int stride) {
        int a0 = t * k + first;
        int o0 = outAt + t * stride;
        int a1 = Math.min(t + 1, last) * k + first;
        int o1 = outAt + Math.min(t + 1, last) * stride;
        FloatVector l0 = FloatVector.fromArray(F, out, o0);
        FloatVector h0 = FloatVector.fromArray(F, out, o0 + L);
        FloatVector l1 = FloatVector.fromArray(F, out, o1);
        FloatVector h1 = FloatVector.fromArray(F, out, o1 + L);
        for (int i = 0; i < count; i++) {
            FloatVector l = FloatVector.fromArray(F, w, 2 * L * i);
            FloatVector h = FloatVector.fromArray(F, w, 2 * L * i + L);
            FloatVector x0 = FloatVector.broadcast(F, x[a0 + i]);
            l0 = l.fma(x0, l0);
            h0 = h.fma(x0, h0);
            FloatVector x1 = FloatVector.broadcast(F, x[a1 + i]);
            l1 = l.fma(x1, l1);
            h1 = h.fma(x1, h1);
        }
        store(l0, h0, out, o0);
        store(l1, h1, out, o1);
    }

    /** Three or four rows. */
    static void rows4(
            float[] w,
            int first,
            int count,
            int k,
            float[] x,
            int t,
            int last,
            float[] out,
            int outAt,
            int stride) {
        int a0 = t * k + first;
        int o0 = outAt + t * stride;
        int a1 = Math.min(t + 1, last) * k + first;
        int o1 = outAt + Math.min(t + 1, last) * stride;
        int a2 = Math.min(t + 2, last) * k + first;
        int o2 = outAt + Math.min(t + 2, last) * stride;
        int a3 = Math.min(t + 3, last) * k + first;
        int o3 = outAt + Math.min(t + 3, last) * stride;
        FloatVector l0 = FloatVector.fromArray(F, out, o0);
        FloatVector h0 = FloatVector.fromArray(F, out, o0 + L);
        FloatVector l1 = FloatVector.fromArray(F, out, o1);
        FloatVector h1 = FloatVector.fromArray(F, out, o1 + L);
        FloatVector l2 = FloatVector.fromArray(F, out, o2);
        FloatVector h2 = FloatVector.fromArray(F, out, o2 + L);
        FloatVector l3 = FloatVector.fromArray(F, out, o3);
        FloatVector h3 = FloatVector.fromArray(F, out, o3 + L);
        for (int i = 0; i < count; i++) {
            FloatVector l = FloatVector.fromArray(F, w, 2 * L * i);
            FloatVector h = FloatVector.fromArray(F, w, 2 * L * i + L);
            FloatVector x0 = FloatVector.broadcast(F, x[a0 + i]);
            l0 = l.fma(x0, l0);
            h0 = h.fma(x0, h0);
            FloatVector x1 = FloatVector.broadcast(F, x[a1 + i]);
            l1 = l.fma(x1, l1);
            h1 = h.fma(x1, h1);
            FloatVector x2 = FloatVector.broadcast(F, x[a2 + i]);
            l2 = l.fma(x2, l2);
            h2 = h.fma(x2, h2);
            FloatVector x3 = FloatVector.broadcast(F, x[a3 + i]);
            l3 = l.fma(x3, l3);
            h3 = h.fma(x3, h3);
        }
        store(l0, h0, out, o0);
        store(l1, h1, out, o1);
        store(l2, h2, out, o2);
        store(l3, h3, out, o3);
    }

    /** Five or six rows. */
    static void rows6(
            float[] w,
            int first,
            int count,
            int k,
            float[] x,
            int t,
            int last,
            float[] out,
            int outAt,
            int stride) {
        int a0 = t * k + first;
        int o0 = outAt + t * stride;
        int a1 = Math.min(t + 1, last) * k + first;
        int o1 = outAt + Math.min(t + 1, last) * stride;
        int a2 = Math.min(t + 2, last) * k + first;
        int o2 = outAt + Math.min(t + 2, last) * stride;
        int a3 = Math.min(t + 3, last) * k + first;
        int o3 = outAt + Math.min(t + 3, last) * stride;
        int a4 = Math.min(t + 4, last) * k + first;
        int o4 = outAt + Math.min(t + 4, last) * stride;
        int a5 = Math.min(t + 5, last) * k + first;
        int o5 = outAt + Math.min(t + 5, last) * stride;
        FloatVector l0 = FloatVector.fromArray(F, out, o0);
        FloatVector h0 = FloatVector.fromArray(F, out, o0 + L);
        FloatVector l1 = FloatVector.fromArray(F, out, o1);
        FloatVector h1 = FloatVector.fromArray(F, out, o1 + L);
        FloatVector l2 = FloatVector.fromArray(F, out, o2);
        FloatVector h2 = FloatVector.fromArray(F, out, o2 + L);
        FloatVector l3 = FloatVector.fromArray(F, out, o3);
        FloatVector h3 = FloatVector.fromArray(F, out, o3 + L);
        FloatVector l4 = FloatVector.fromArray(F, out, o4);
        FloatVector h4 = FloatVector.fromArray(F, out, o4 + L);
        FloatVector l5 = FloatVector.fromArray(F, out, o5);
        FloatVector h5 = FloatVector.fromArray(F, out, o5 + L);
        for (int i = 0; i < count; i++) {
            FloatVector l = FloatVector.fromArray(F, w, 2 * L * i);
            FloatVector h = FloatVector.fromArray(F, w, 2 * L * i + L);
            FloatVector x0 = FloatVector.broadcast(F, x[a0 + i]);
            l0 = l.fma(x0, l0);
            h0 = h.fma(x0, h0);
            FloatVector x1 = FloatVector.broadcast(F, x[a1 + i]);
            l1 = l.fma(x1, l1);
            h1 = h.fma(x1, h1);
            FloatVector x2 = FloatVector.broadcast(F, x[a2 + i]);
            l2 = l.fma(x2, l2);
            h2 = h.fma(x2, h2);
            FloatVector x3 = FloatVector.broadcast(F, x[a3 + i]);
            l3 = l.fma(x3, l3);
            h3 = h.fma(x3, h3);
            FloatVector x4 = FloatVector.broadcast(F, x[a4 + i]);
            l4 = l.fma(x4, l4);
            h4 = h.fma(x4, h4);
            FloatVector x5 = FloatVector.broadcast(F, x[a5 + i]);
            l5 = l.fma(x5, l5);
            h5 = h.fma(x5, h5);
        }
        store(l0, h0, out, o0);
        store(l1, h1, out, o1);
        store(l2, h2, out, o2);
        store(l3, h3, out, o3);
        store(l4, h4, out, o4);
        store(l5, h5, out, o5);
    }

    /** Seven or eight rows. */
    static void rows8(
            float[] w,
            int first,
            int count,
            int k,
            float[] x,
            int t,
            int last,
            float[] out,
            int outAt,
            int stride) {
        int a0 = t * k + first;
        int o0 = outAt + t * stride;
        int a1 = Math.min(t + 1, last) * k + first;
        int o1 = outAt + Math.min(t + 1, last) * stride;
        int a2 = Math.min(t + 2, last) * k + first;
        int o2 = outAt + Math.min(t + 2, last) * stride;
        int a3 = Math.min(t + 3, last) * k + first;
        int o3 = outAt + Math.min(t + 3, last) * stride;
        int a4 = Math.min(t + 4, last) * k + first;
        int o4 = outAt + Math.min(t + 4, last) * stride;
        int a5 = Math.min(t + 5, last) * k + first;
        int o5 = outAt + Math.min(t + 5, last) * stride;
        int a6 = Math.min(t + 6, last) * k + first;
        int o6 = outAt + Math.min(t + 6, last) * stride;
        int a7 = Math.min(t + 7, last) * k + first;
        int o7 = outAt + Math.min(t + 7, last) * stride;
        FloatVector l0 = FloatVector.fromArray(F, out, o0);
        FloatVector h0 = FloatVector.fromArray(F, out, o0 + L);
        FloatVector l1 = FloatVector.fromArray(F, out, o1);
        FloatVector h1 = FloatVector.fromArray(F, out, o1 + L);
        FloatVector l2 = FloatVector.fromArray(F, out, o2);
        FloatVector h2 = FloatVector.fromArray(F, out, o2 + L);
        FloatVector l3 = FloatVector.fromArray(F, out, o3);
        FloatVector h3 = FloatVector.fromArray(F, out, o3 + L);
        FloatVector l4 = FloatVector.fromArray(F, out, o4);
        FloatVector h4 = FloatVector.fromArray(F, out, o4 + L);
        FloatVector l5 = FloatVector.fromArray(F, out, o5);
        FloatVector h5 = FloatVector.fromArray(F, out, o5 + L);
        FloatVector l6 = FloatVector.fromArray(F, out, o6);
        FloatVector h6 = FloatVector.fromArray(F, out, o6 + L);
        FloatVector l7 = FloatVector.fromArray(F, out, o7);
        FloatVector h7 = FloatVector.fromArray(F, out, o7 + L);
        for (int i = 0; i < count; i++) {
            FloatVector l = FloatVector.fromArray(F, w, 2 * L * i);
            FloatVector h = FloatVector.fromArray(F, w, 2 * L * i + L);
            FloatVector x0 = FloatVector.broadcast(F, x[a0 + i]);
            l0 = l.fma(x0, l0);
            h0 = h.fma(x0, h0);
            FloatVector x1 = FloatVector.broadcast(F, x[a1 + i]);
            l1 = l.fma(x1, l1);
            h1 = h.fma(x1, h1);
            FloatVector x2 = FloatVector.broadcast(F, x[a2 + i]);
            l2 = l.fma(x2, l2);
            h2 = h.fma(x2, h2);
            FloatVector x3 = FloatVector.broadcast(F, x[a3 + i]);
            l3 = l.fma(x3, l3);
            h3 = h.fma(x3, h3);
            FloatVector x4 = FloatVector.broadcast(F, x[a4 + i]);
            l4 = l.fma(x4, l4);
            h4 = h.fma(x4, h4);
            FloatVector x5 = FloatVector.broadcast(F, x[a5 + i]);
            l5 = l.fma(x5, l5);
            h5 = h.fma(x5, h5);
            FloatVector x6 = FloatVector.broadcast(F, x[a6 + i]);
            l6 = l.fma(x6, l6);
            h6 = h.fma(x6, h6);
            FloatVector x7 = FloatVector.broadcast(F, x[a7 + i]);
            l7 = l.fma(x7, l7);
            h7 = h.fma(x7, h7);
        }
        store(l0, h0, out, o0);
        store(l1, h1, out, o1);
        store(l2, h2, out, o2);
        store(l3, h3, out, o3);
        store(l4, h4, out, o4);
        store(l5, h5, out, o5);
        store(l6, h6, out, o6);
        store(l7, h7, out, o7);
    }
}
