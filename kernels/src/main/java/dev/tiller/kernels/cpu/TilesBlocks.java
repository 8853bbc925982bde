package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.F;
import static dev.tiller.kernels.cpu.Lanes.L;

import jdk.incubator.vector.FloatVector;

/**
 * Tiles of {@link PanelsBlocks}: widened blocks of one panel times some rows of x.
 *
 * <p>A block's sums stay in registers; the sums over all blocks wait in {@code out}, from where they are fetched once in 32
 * inputs. Everything is written out, because the compiler needs every vector in a local variable of a method without calls
 * that it cannot see through.
 *
 * <p>Parameters: blocks {@code first} to {@code first + count - 1} of {@code blocks} as {@link PanelsBlocks#widen} leaves
 * them in {@code w}; x as {@link PanelsBlocks#prepare} leaves it, rows {@code xStride} apart; sums are added to
 * {@code out[outAt + row * stride ..]}. Rows after {@code last} repeat that row.
 */
final class TilesBlocks {
    /** Floats of a widened block. */
    static final int WIDE = 2 * L * (PanelsBlocks.BLOCK + 2);

    private TilesBlocks() {}

    /** One or two rows. */
    static void rows2(
            float[] w,
            int first,
            int count,
            int blocks,
            boolean minima,
            float[] x,
            int xStride,
            int t,
            int last,
            float[] out,
            int outAt,
            int stride) {
        int a0 = t * xStride;
        int o0 = outAt + t * stride;
        int a1 = Math.min(t + 1, last) * xStride;
        int o1 = outAt + Math.min(t + 1, last) * stride;
        for (int b = 0; b < count; b++) {
            int k = (first + b) * 32;
            int begin = 32 * blocks + first + b;
            int from = b * WIDE;
            FloatVector l0 = FloatVector.broadcast(F, x[a0 + begin]);
            FloatVector h0 = l0;
            FloatVector l1 = FloatVector.broadcast(F, x[a1 + begin]);
            FloatVector h1 = l1;
            for (int i = 0; i < 32; i++) {
                FloatVector l = FloatVector.fromArray(F, w, from + 2 * L * i);
                FloatVector h = FloatVector.fromArray(F, w, from + 2 * L * i + L);
                FloatVector x0 = FloatVector.broadcast(F, x[a0 + k + i]);
                l0 = l.fma(x0, l0);
                h0 = h.fma(x0, h0);
                FloatVector x1 = FloatVector.broadcast(F, x[a1 + k + i]);
                l1 = l.fma(x1, l1);
                h1 = h.fma(x1, h1);
            }
            FloatVector scale = FloatVector.fromArray(F, w, from + 64 * L);
            FloatVector scaleH = FloatVector.fromArray(F, w, from + 65 * L);
            l0 = scale.fma(l0, FloatVector.fromArray(F, out, o0));
            h0 = scaleH.fma(h0, FloatVector.fromArray(F, out, o0 + L));
            l1 = scale.fma(l1, FloatVector.fromArray(F, out, o1));
            h1 = scaleH.fma(h1, FloatVector.fromArray(F, out, o1 + L));
            if (minima) {
                FloatVector minimum = FloatVector.fromArray(F, w, from + 66 * L);
                FloatVector minimumH = FloatVector.fromArray(F, w, from + 67 * L);
                FloatVector x0 = FloatVector.broadcast(F, x[a0 + begin + blocks]);
                l0 = minimum.fma(x0, l0);
                h0 = minimumH.fma(x0, h0);
                FloatVector x1 = FloatVector.broadcast(F, x[a1 + begin + blocks]);
                l1 = minimum.fma(x1, l1);
                h1 = minimumH.fma(x1, h1);
            }
            l0.intoArray(out, o0);
            h0.intoArray(out, o0 + L);
            l1.intoArray(out, o1);
            h1.intoArray(out, o1 + L);
        }
    }

    /** Three or four rows. */
    static void rows4(
            float[] w,
            int first,
            int count,
            int blocks,
            boolean minima,
            float[] x,
            int xStride,
            int t,
            int last,
            float[] out,
            int outAt,
            int stride) {
        int a0 = t * xStride;
        int o0 = outAt + t * stride;
        int a1 = Math.min(t + 1, last) * xStride;
        int o1 = outAt + Math.min(t + 1, last) * stride;
        int a2 = Math.min(t + 2, last) * xStride;
        int o2 = outAt + Math.min(t + 2, last) * stride;
        int a3 = Math.min(t + 3, last) * xStride;
        int o3 = outAt + Math.min(t + 3, last) * stride;
        for (int b = 0; b < count; b++) {
            int k = (first + b) * 32;
            int begin = 32 * blocks + first + b;
            int from = b * WIDE;
            FloatVector l0 = FloatVector.broadcast(F, x[a0 + begin]);
            FloatVector h0 = l0;
            FloatVector l1 = FloatVector.broadcast(F, x[a1 + begin]);
            FloatVector h1 = l1;
            FloatVector l2 = FloatVector.broadcast(F, x[a2 + begin]);
            FloatVector h2 = l2;
            FloatVector l3 = FloatVector.broadcast(F, x[a3 + begin]);
            FloatVector h3 = l3;
            for (int i = 0; i < 32; i++) {
                FloatVector l = FloatVector.fromArray(F, w, from + 2 * L * i);
                FloatVector h = FloatVector.fromArray(F, w, from + 2 * L * i + L);
                FloatVector x0 = FloatVector.broadcast(F, x[a0 + k + i]);
                l0 = l.fma(x0, l0);
                h0 = h.fma(x0, h0);
                FloatVector x1 = FloatVector.broadcast(F, x[a1 + k + i]);
                l1 = l.fma(x1, l1);
                h1 = h.fma(x1, h1);
                FloatVector x2 = FloatVector.broadcast(F, x[a2 + k + i]);
                l2 = l.fma(x2, l2);
                h2 = h.fma(x2, h2);
                FloatVector x3 = FloatVector.broadcast(F, x[a3 + k + i]);
                l3 = l.fma(x3, l3);
                h3 = h.fma(x3, h3);
            }
            FloatVector scale = FloatVector.fromArray(F, w, from + 64 * L);
            FloatVector scaleH = FloatVector.fromArray(F, w, from + 65 * L);
            l0 = scale.fma(l0, FloatVector.fromArray(F, out, o0));
            h0 = scaleH.fma(h0, FloatVector.fromArray(F, out, o0 + L));
            l1 = scale.fma(l1, FloatVector.fromArray(F, out, o1));
            h1 = scaleH.fma(h1, FloatVector.fromArray(F, out, o1 + L));
            l2 = scale.fma(l2, FloatVector.fromArray(F, out, o2));
            h2 = scaleH.fma(h2, FloatVector.fromArray(F, out, o2 + L));
            l3 = scale.fma(l3, FloatVector.fromArray(F, out, o3));
            h3 = scaleH.fma(h3, FloatVector.fromArray(F, out, o3 + L));
            if (minima) {
                FloatVector minimum = FloatVector.fromArray(F, w, from + 66 * L);
                FloatVector minimumH = FloatVector.fromArray(F, w, from + 67 * L);
                FloatVector x0 = FloatVector.broadcast(F, x[a0 + begin + blocks]);
                l0 = minimum.fma(x0, l0);
                h0 = minimumH.fma(x0, h0);
                FloatVector x1 = FloatVector.broadcast(F, x[a1 + begin + blocks]);
                l1 = minimum.fma(x1, l1);
                h1 = minimumH.fma(x1, h1);
                FloatVector x2 = FloatVector.broadcast(F, x[a2 + begin + blocks]);
                l2 = minimum.fma(x2, l2);
                h2 = minimumH.fma(x2, h2);
                FloatVector x3 = FloatVector.broadcast(F, x[a3 + begin + blocks]);
                l3 = minimum.fma(x3, l3);
                h3 = minimumH.fma(x3, h3);
            }
            l0.intoArray(out, o0);
            h0.intoArray(out, o0 + L);
            l1.intoArray(out, o1);
            h1.intoArray(out, o1 + L);
            l2.intoArray(out, o2);
            h2.intoArray(out, o2 + L);
            l3.intoArray(out, o3);
            h3.intoArray(out, o3 + L);
        }
    }

    /** Five or six rows. */
    static void rows6(
            float[] w,
            int first,
            int count,
            int blocks,
            boolean minima,
            float[] x,
            int xStride,
            int t,
            int last,
            float[] out,
            int outAt,
            int stride) {
        int a0 = t * xStride;
        int o0 = outAt + t * stride;
        int a1 = Math.min(t + 1, last) * xStride;
        int o1 = outAt + Math.min(t + 1, last) * stride;
        int a2 = Math.min(t + 2, last) * xStride;
        int o2 = outAt + Math.min(t + 2, last) * stride;
        int a3 = Math.min(t + 3, last) * xStride;
        int o3 = outAt + Math.min(t + 3, last) * stride;
        int a4 = Math.min(t + 4, last) * xStride;
        int o4 = outAt + Math.min(t + 4, last) * stride;
        int a5 = Math.min(t + 5, last) * xStride;
        int o5 = outAt + Math.min(t + 5, last) * stride;
        for (int b = 0; b < count; b++) {
            int k = (first + b) * 32;
            int begin = 32 * blocks + first + b;
            int from = b * WIDE;
            FloatVector l0 = FloatVector.broadcast(F, x[a0 + begin]);
            FloatVector h0 = l0;
            FloatVector l1 = FloatVector.broadcast(F, x[a1 + begin]);
            FloatVector h1 = l1;
            FloatVector l2 = FloatVector.broadcast(F, x[a2 + begin]);
            FloatVector h2 = l2;
            FloatVector l3 = FloatVector.broadcast(F, x[a3 + begin]);
            FloatVector h3 = l3;
            FloatVector l4 = FloatVector.broadcast(F, x[a4 + begin]);
            FloatVector h4 = l4;
            FloatVector l5 = FloatVector.broadcast(F, x[a5 + begin]);
            FloatVector h5 = l5;
            for (int i = 0; i < 32; i++) {
                FloatVector l = FloatVector.fromArray(F, w, from + 2 * L * i);
                FloatVector h = FloatVector.fromArray(F, w, from + 2 * L * i + L);
                FloatVector x0 = FloatVector.broadcast(F, x[a0 + k + i]);
                l0 = l.fma(x0, l0);
                h0 = h.fma(x0, h0);
                FloatVector x1 = FloatVector.broadcast(F, x[a1 + k + i]);
                l1 = l.fma(x1, l1);
                h1 = h.fma(x1, h1);
                FloatVector x2 = FloatVector.broadcast(F, x[a2 + k + i]);
                l2 = l.fma(x2, l2);
                h2 = h.fma(x2, h2);
                FloatVector x3 = FloatVector.broadcast(F, x[a3 + k + i]);
                l3 = l.fma(x3, l3);
                h3 = h.fma(x3, h3);
                FloatVector x4 = FloatVector.broadcast(F, x[a4 + k + i]);
                l4 = l.fma(x4, l4);
                h4 = h.fma(x4, h4);
                FloatVector x5 = FloatVector.broadcast(F, x[a5 + k + i]);
                l5 = l.fma(x5, l5);
                h5 = h.fma(x5, h5);
            }
            FloatVector scale = FloatVector.fromArray(F, w, from + 64 * L);
            FloatVector scaleH = FloatVector.fromArray(F, w, from + 65 * L);
            l0 = scale.fma(l0, FloatVector.fromArray(F, out, o0));
            h0 = scaleH.fma(h0, FloatVector.fromArray(F, out, o0 + L));
            l1 = scale.fma(l1, FloatVector.fromArray(F, out, o1));
            h1 = scaleH.fma(h1, FloatVector.fromArray(F, out, o1 + L));
            l2 = scale.fma(l2, FloatVector.fromArray(F, out, o2));
            h2 = scaleH.fma(h2, FloatVector.fromArray(F, out, o2 + L));
            l3 = scale.fma(l3, FloatVector.fromArray(F, out, o3));
            h3 = scaleH.fma(h3, FloatVector.fromArray(F, out, o3 + L));
            l4 = scale.fma(l4, FloatVector.fromArray(F, out, o4));
            h4 = scaleH.fma(h4, FloatVector.fromArray(F, out, o4 + L));
            l5 = scale.fma(l5, FloatVector.fromArray(F, out, o5));
            h5 = scaleH.fma(h5, FloatVector.fromArray(F, out, o5 + L));
            if (minima) {
                FloatVector minimum = FloatVector.fromArray(F, w, from + 66 * L);
                FloatVector minimumH = FloatVector.fromArray(F, w, from + 67 * L);
                FloatVector x0 = FloatVector.broadcast(F, x[a0 + begin + blocks]);
                l0 = minimum.fma(x0, l0);
                h0 = minimumH.fma(x0, h0);
                FloatVector x1 = FloatVector.broadcast(F, x[a1 + begin + blocks]);
                l1 = minimum.fma(x1, l1);
                h1 = minimumH.fma(x1, h1);
                FloatVector x2 = FloatVector.broadcast(F, x[a2 + begin + blocks]);
                l2 = minimum.fma(x2, l2);
                h2 = minimumH.fma(x2, h2);
                FloatVector x3 = FloatVector.broadcast(F, x[a3 + begin + blocks]);
                l3 = minimum.fma(x3, l3);
                h3 = minimumH.fma(x3, h3);
                FloatVector x4 = FloatVector.broadcast(F, x[a4 + begin + blocks]);
                l4 = minimum.fma(x4, l4);
                h4 = minimumH.fma(x4, h4);
                FloatVector x5 = FloatVector.broadcast(F, x[a5 + begin + blocks]);
                l5 = minimum.fma(x5, l5);
                h5 = minimumH.fma(x5, h5);
            }
            l0.intoArray(out, o0);
            h0.intoArray(out, o0 + L);
            l1.intoArray(out, o1);
            h1.intoArray(out, o1 + L);
            l2.intoArray(out, o2);
            h2.intoArray(out, o2 + L);
            l3.intoArray(out, o3);
            h3.intoArray(out, o3 + L);
            l4.intoArray(out, o4);
            h4.intoArray(out, o4 + L);
            l5.intoArray(out, o5);
            h5.intoArray(out, o5 + L);
        }
    }

    /** Seven or eight rows. */
    static void rows8(
            float[] w,
            int first,
            int count,
            int blocks,
            boolean minima,
            float[] x,
            int xStride,
            int t,
            int last,
            float[] out,
            int outAt,
            int stride) {
        int a0 = t * xStride;
        int o0 = outAt + t * stride;
        int a1 = Math.min(t + 1, last) * xStride;
        int o1 = outAt + Math.min(t + 1, last) * stride;
        int a2 = Math.min(t + 2, last) * xStride;
        int o2 = outAt + Math.min(t + 2, last) * stride;
        int a3 = Math.min(t + 3, last) * xStride;
        int o3 = outAt + Math.min(t + 3, last) * stride;
        int a4 = Math.min(t + 4, last) * xStride;
        int o4 = outAt + Math.min(t + 4, last) * stride;
        int a5 = Math.min(t + 5, last) * xStride;
        int o5 = outAt + Math.min(t + 5, last) * stride;
        int a6 = Math.min(t + 6, last) * xStride;
        int o6 = outAt + Math.min(t + 6, last) * stride;
        int a7 = Math.min(t + 7, last) * xStride;
        int o7 = outAt + Math.min(t + 7, last) * stride;
        for (int b = 0; b < count; b++) {
            int k = (first + b) * 32;
            int begin = 32 * blocks + first + b;
            int from = b * WIDE;
            FloatVector l0 = FloatVector.broadcast(F, x[a0 + begin]);
            FloatVector h0 = l0;
            FloatVector l1 = FloatVector.broadcast(F, x[a1 + begin]);
            FloatVector h1 = l1;
            FloatVector l2 = FloatVector.broadcast(F, x[a2 + begin]);
            FloatVector h2 = l2;
            FloatVector l3 = FloatVector.broadcast(F, x[a3 + begin]);
            FloatVector h3 = l3;
            FloatVector l4 = FloatVector.broadcast(F, x[a4 + begin]);
            FloatVector h4 = l4;
            FloatVector l5 = FloatVector.broadcast(F, x[a5 + begin]);
            FloatVector h5 = l5;
            FloatVector l6 = FloatVector.broadcast(F, x[a6 + begin]);
            FloatVector h6 = l6;
            FloatVector l7 = FloatVector.broadcast(F, x[a7 + begin]);
            FloatVector h7 = l7;
            for (int i = 0; i < 32; i++) {
                FloatVector l = FloatVector.fromArray(F, w, from + 2 * L * i);
                FloatVector h = FloatVector.fromArray(F, w, from + 2 * L * i + L);
                FloatVector x0 = FloatVector.broadcast(F, x[a0 + k + i]);
                l0 = l.fma(x0, l0);
                h0 = h.fma(x0, h0);
                FloatVector x1 = FloatVector.broadcast(F, x[a1 + k + i]);
                l1 = l.fma(x1, l1);
                h1 = h.fma(x1, h1);
                FloatVector x2 = FloatVector.broadcast(F, x[a2 + k + i]);
                l2 = l.fma(x2, l2);
                h2 = h.fma(x2, h2);
                FloatVector x3 = FloatVector.broadcast(F, x[a3 + k + i]);
                l3 = l.fma(x3, l3);
                h3 = h.fma(x3, h3);
                FloatVector x4 = FloatVector.broadcast(F, x[a4 + k + i]);
                l4 = l.fma(x4, l4);
                h4 = h.fma(x4, h4);
                FloatVector x5 = FloatVector.broadcast(F, x[a5 + k + i]);
                l5 = l.fma(x5, l5);
                h5 = h.fma(x5, h5);
                FloatVector x6 = FloatVector.broadcast(F, x[a6 + k + i]);
                l6 = l.fma(x6, l6);
                h6 = h.fma(x6, h6);
                FloatVector x7 = FloatVector.broadcast(F, x[a7 + k + i]);
                l7 = l.fma(x7, l7);
                h7 = h.fma(x7, h7);
            }
            FloatVector scale = FloatVector.fromArray(F, w, from + 64 * L);
            FloatVector scaleH = FloatVector.fromArray(F, w, from + 65 * L);
            l0 = scale.fma(l0, FloatVector.fromArray(F, out, o0));
            h0 = scaleH.fma(h0, FloatVector.fromArray(F, out, o0 + L));
            l1 = scale.fma(l1, FloatVector.fromArray(F, out, o1));
            h1 = scaleH.fma(h1, FloatVector.fromArray(F, out, o1 + L));
            l2 = scale.fma(l2, FloatVector.fromArray(F, out, o2));
            h2 = scaleH.fma(h2, FloatVector.fromArray(F, out, o2 + L));
            l3 = scale.fma(l3, FloatVector.fromArray(F, out, o3));
            h3 = scaleH.fma(h3, FloatVector.fromArray(F, out, o3 + L));
            l4 = scale.fma(l4, FloatVector.fromArray(F, out, o4));
            h4 = scaleH.fma(h4, FloatVector.fromArray(F, out, o4 + L));
            l5 = scale.fma(l5, FloatVector.fromArray(F, out, o5));
            h5 = scaleH.fma(h5, FloatVector.fromArray(F, out, o5 + L));
            l6 = scale.fma(l6, FloatVector.fromArray(F, out, o6));
            h6 = scaleH.fma(h6, FloatVector.fromArray(F, out, o6 + L));
            l7 = scale.fma(l7, FloatVector.fromArray(F, out, o7));
            h7 = scaleH.fma(h7, FloatVector.fromArray(F, out, o7 + L));
            if (minima) {
                FloatVector minimum = FloatVector.fromArray(F, w, from + 66 * L);
                FloatVector minimumH = FloatVector.fromArray(F, w, from + 67 * L);
                FloatVector x0 = FloatVector.broadcast(F, x[a0 + begin + blocks]);
                l0 = minimum.fma(x0, l0);
                h0 = minimumH.fma(x0, h0);
                FloatVector x1 = FloatVector.broadcast(F, x[a1 + begin + blocks]);
                l1 = minimum.fma(x1, l1);
                h1 = minimumH.fma(x1, h1);
                FloatVector x2 = FloatVector.broadcast(F, x[a2 + begin + blocks]);
                l2 = minimum.fma(x2, l2);
                h2 = minimumH.fma(x2, h2);
                FloatVector x3 = FloatVector.broadcast(F, x[a3 + begin + blocks]);
                l3 = minimum.fma(x3, l3);
                h3 = minimumH.fma(x3, h3);
                FloatVector x4 = FloatVector.broadcast(F, x[a4 + begin + blocks]);
                l4 = minimum.fma(x4, l4);
                h4 = minimumH.fma(x4, h4);
                FloatVector x5 = FloatVector.broadcast(F, x[a5 + begin + blocks]);
                l5 = minimum.fma(x5, l5);
                h5 = minimumH.fma(x5, h5);
                FloatVector x6 = FloatVector.broadcast(F, x[a6 + begin + blocks]);
                l6 = minimum.fma(x6, l6);
                h6 = minimumH.fma(x6, h6);
                FloatVector x7 = FloatVector.broadcast(F, x[a7 + begin + blocks]);
                l7 = minimum.fma(x7, l7);
                h7 = minimumH.fma(x7, h7);
            }
            l0.intoArray(out, o0);
            h0.intoArray(out, o0 + L);
            l1.intoArray(out, o1);
            h1.intoArray(out, o1 + L);
            l2.intoArray(out, o2);
            h2.intoArray(out, o2 + L);
            l3.intoArray(out, o3);
            h3.intoArray(out, o3 + L);
            l4.intoArray(out, o4);
            h4.intoArray(out, o4 + L);
            l5.intoArray(out, o5);
            h5.intoArray(out, o5 + L);
            l6.intoArray(out, o6);
            h6.intoArray(out, o6 + L);
            l7.intoArray(out, o7);
            h7.intoArray(out, o7 + L);
        }
    }
}
