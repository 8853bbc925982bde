package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.F;
import static dev.tiller.kernels.cpu.Lanes.L;

import jdk.incubator.vector.FloatVector;

/**
 * The products of attention: rows of {@code a} times a panel {@code b} [n, 2 L], added to what {@code out} holds. Rows
 * are queries and the panel keys (n runs over the head width), or rows are weights and the panel values (n runs over
 * positions). A sum is one chain of fused multiply-adds from 0 to n - 1 in every form.
 *
 * <p>Parameters: row i of {@code a} begins at {@code place[i] + shift}; its sums are {@code out[to + i * stride ..]}; rows
 * {@code j} and the following ones up to {@code last}, which is repeated to fill the tile.
 */
final class AttentionTiles {
    private AttentionTiles() {}

    /** Rows j to last, whatever their number. */
    static void rows(
            float[] a,
            int[] place,
            int j,
            int last,
            int shift,
            float[] b,
            int at,
            int n,
            float[] out,
            int to,
            int stride) {
        if (last > j) {
            rows6(a, place, j, last, shift, b, at, n, out, to, stride);
        } else {
            rows1(a, place[j] + shift, b, at, n, out, to + j * stride);
        }
    }

    /** One row. */
    static void rows1(float[] a, int a0, float[] b, int at, int n, float[] out, int o0) {
        FloatVector c0 = FloatVector.fromArray(F, out, o0);
        FloatVector d0 = FloatVector.fromArray(F, out, o0 + L);
        for (int i = 0; i < n; i++) {
            FloatVector low = FloatVector.fromArray(F, b, at + i * 2 * L);
            FloatVector high = FloatVector.fromArray(F, b, at + i * 2 * L + L);
            FloatVector x0 = FloatVector.broadcast(F, a[a0 + i]);
            c0 = low.fma(x0, c0);
            d0 = high.fma(x0, d0);
        }
        c0.intoArray(out, o0);
        d0.intoArray(out, o0 + L);
    }

    /** Up to six rows. */
    static void rows6(
            float[] a,
            int[] place,
            int j,
            int last,
            int shift,
            float[] b,
            int at,
            int n,
            float[] out,
            int to,
            int stride) {
        int i0 = j;
        int i1 = Math.min(j + 1, last);
        int i2 = Math.min(j + 2, last);
        int i3 = Math.min(j + 3, last);
        int i4 = Math.min(j + 4, last);
        int i5 = Math.min(j + 5, last);
        int a0 = place[i0] + shift;
        int a1 = place[i1] + shift;
        int a2 = place[i2] + shift;
        int a3 = place[i3] + shift;
        int a4 = place[i4] + shift;
        int a5 = place[i5] + shift;
        int o0 = to + i0 * stride;
        int o1 = to + i1 * stride;
        int o2 = to + i2 * stride;
        int o3 = to + i3 * stride;
        int o4 = to + i4 * stride;
        int o5 = to + i5 * stride;
        FloatVector c0 = FloatVector.fromArray(F, out, o0);
        FloatVector d0 = FloatVector.fromArray(F, out, o0 + L);
        FloatVector c1 = FloatVector.fromArray(F, out, o1);
        FloatVector d1 = FloatVector.fromArray(F, out, o1 + L);
        FloatVector c2 = FloatVector.fromArray(F, out, o2);
        FloatVector d2 = FloatVector.fromArray(F, out, o2 + L);
        FloatVector c3 = FloatVector.fromArray(F, out, o3);
        FloatVector d3 = FloatVector.fromArray(F, out, o3 + L);
        FloatVector c4 = FloatVector.fromArray(F, out, o4);
        FloatVector d4 = FloatVector.fromArray(F, out, o4 + L);
        FloatVector c5 = FloatVector.fromArray(F, out, o5);
        FloatVector d5 = FloatVector.fromArray(F, out, o5 + L);
        for (int i = 0; i < n; i++) {
            FloatVector low = FloatVector.fromArray(F, b, at + i * 2 * L);
            FloatVector high = FloatVector.fromArray(F, b, at + i * 2 * L + L);
            FloatVector x0 = FloatVector.broadcast(F, a[a0 + i]);
            c0 = low.fma(x0, c0);
            d0 = high.fma(x0, d0);
            FloatVector x1 = FloatVector.broadcast(F, a[a1 + i]);
            c1 = low.fma(x1, c1);
            d1 = high.fma(x1, d1);
            FloatVector x2 = FloatVector.broadcast(F, a[a2 + i]);
            c2 = low.fma(x2, c2);
            d2 = high.fma(x2, d2);
            FloatVector x3 = FloatVector.broadcast(F, a[a3 + i]);
            c3 = low.fma(x3, c3);
            d3 = high.fma(x3, d3);
            FloatVector x4 = FloatVector.broadcast(F, a[a4 + i]);
            c4 = low.fma(x4, c4);
            d4 = high.fma(x4, d4);
            FloatVector x5 = FloatVector.broadcast(F, a[a5 + i]);
            c5 = low.fma(x5, c5);
            d5 = high.fma(x5, d5);
        }
        c0.intoArray(out, o0);
        d0.intoArray(out, o0 + L);
        c1.intoArray(out, o1);
        d1.intoArray(out, o1 + L);
        c2.intoArray(out, o2);
        d2.intoArray(out, o2 + L);
        c3.intoArray(out, o3);
        d3.intoArray(out, o3 + L);
        c4.intoArray(out, o4);
        d4.intoArray(out, o4 + L);
        c5.intoArray(out, o5);
        d5.intoArray(out, o5 + L);
    }
}
