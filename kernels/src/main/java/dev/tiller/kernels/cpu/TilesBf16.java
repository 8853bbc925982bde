package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.F;
import static dev.tiller.kernels.cpu.Lanes.I;
import static dev.tiller.kernels.cpu.Lanes.L;
import static dev.tiller.kernels.cpu.Lanes.LE;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Kernels on panels with bfloat16 weights: a few rows of x times two panels, or more times one, all sums in
 * registers. The three classes of this kind differ in how a weight is loaded and in nothing else; they are written out
 * because the compiler needs every vector in a local variable of a method without calls that it cannot see through.
 *
 * <p>Two panels are read at a time because two streams come from memory faster than one. The loop over one row takes two
 * inputs a round by hand: a shorter one the compiler unrolls by itself, and then it loads in an order that the processor
 * does not foresee.
 *
 * <p>Parameters: panels [k, 2 L] from bytes {@code v} and {@code w} of {@code data}; x [.., k]; sums go to
 * {@code out[vAt + row * stride ..]} and {@code out[wAt + row * stride ..]}. Each sum is one chain of fused multiply-adds
 * over k from 0 up.
 */
final class TilesBf16 {
    /** Bytes of a panel for each k. */
    private static final long STEP = 4L * L;

    private TilesBf16() {}

    private static FloatVector low(IntVector pair) {
        return pair.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
    }

    private static FloatVector high(IntVector pair) {
        return pair.and(0xffff0000).reinterpretAsFloats();
    }

    /** The first row of x alone. */
    static void row(MemorySegment data, long v, long w, int k, float[] x, float[] out, int vAt, int wAt) {
        FloatVector zero = FloatVector.zero(F);
        FloatVector vl = zero;
        FloatVector vh = zero;
        FloatVector wl = zero;
        FloatVector wh = zero;
        int even = k & ~1;
        for (int i = 0; i < even; i += 2) {
            FloatVector x0 = FloatVector.broadcast(F, x[i]);
            IntVector v0 = IntVector.fromMemorySegment(I, data, v + i * STEP, LE);
            IntVector w0 = IntVector.fromMemorySegment(I, data, w + i * STEP, LE);
            FloatVector v0l = low(v0);
            FloatVector v0h = high(v0);
            FloatVector w0l = low(w0);
            FloatVector w0h = high(w0);
            vl = v0l.fma(x0, vl);
            vh = v0h.fma(x0, vh);
            wl = w0l.fma(x0, wl);
            wh = w0h.fma(x0, wh);
            FloatVector x1 = FloatVector.broadcast(F, x[i + 1]);
            IntVector v1 = IntVector.fromMemorySegment(I, data, v + i * STEP + STEP, LE);
            IntVector w1 = IntVector.fromMemorySegment(I, data, w + i * STEP + STEP, LE);
            FloatVector v1l = low(v1);
            FloatVector v1h = high(v1);
            FloatVector w1l = low(w1);
            FloatVector w1h = high(w1);
            vl = v1l.fma(x1, vl);
            vh = v1h.fma(x1, vh);
            wl = w1l.fma(x1, wl);
            wh = w1h.fma(x1, wh);
        }
        if (even < k) {
            FloatVector x0 = FloatVector.broadcast(F, x[even]);
            IntVector v0 = IntVector.fromMemorySegment(I, data, v + even * STEP, LE);
            IntVector w0 = IntVector.fromMemorySegment(I, data, w + even * STEP, LE);
            FloatVector v0l = low(v0);
            FloatVector v0h = high(v0);
            FloatVector w0l = low(w0);
            FloatVector w0h = high(w0);
            vl = v0l.fma(x0, vl);
            vh = v0h.fma(x0, vh);
            wl = w0l.fma(x0, wl);
            wh = w0h.fma(x0, wh);
        }
        vl.intoArray(out, vAt);
        vh.intoArray(out, vAt + L);
        wl.intoArray(out, wAt);
        wh.intoArray(out, wAt + L);
    }

    /** Rows {@code t} to {@code last}, at most four; those after {@code last} repeat it. */
    static void rows4(
            MemorySegment data,
            long v,
            long w,
            int k,
            float[] x,
            int t,
            int last,
            float[] out,
            int vAt,
            int wAt,
            int stride) {
        int a0 = t * k;
        int a1 = Math.min(t + 1, last) * k;
        int a2 = Math.min(t + 2, last) * k;
        int a3 = Math.min(t + 3, last) * k;
        FloatVector zero = FloatVector.zero(F);
        FloatVector vl0 = zero;
        FloatVector vh0 = zero;
        FloatVector wl0 = zero;
        FloatVector wh0 = zero;
        FloatVector vl1 = zero;
        FloatVector vh1 = zero;
        FloatVector wl1 = zero;
        FloatVector wh1 = zero;
        FloatVector vl2 = zero;
        FloatVector vh2 = zero;
        FloatVector wl2 = zero;
        FloatVector wh2 = zero;
        FloatVector vl3 = zero;
        FloatVector vh3 = zero;
        FloatVector wl3 = zero;
        FloatVector wh3 = zero;
        for (int i = 0; i < k; i++) {
            IntVector vp = IntVector.fromMemorySegment(I, data, v + i * STEP, LE);
            IntVector wp = IntVector.fromMemorySegment(I, data, w + i * STEP, LE);
            FloatVector vl = low(vp);
            FloatVector vh = high(vp);
            FloatVector wl = low(wp);
            FloatVector wh = high(wp);
            FloatVector x0 = FloatVector.broadcast(F, x[a0 + i]);
            vl0 = vl.fma(x0, vl0);
            vh0 = vh.fma(x0, vh0);
            wl0 = wl.fma(x0, wl0);
            wh0 = wh.fma(x0, wh0);
            FloatVector x1 = FloatVector.broadcast(F, x[a1 + i]);
            vl1 = vl.fma(x1, vl1);
            vh1 = vh.fma(x1, vh1);
            wl1 = wl.fma(x1, wl1);
            wh1 = wh.fma(x1, wh1);
            FloatVector x2 = FloatVector.broadcast(F, x[a2 + i]);
            vl2 = vl.fma(x2, vl2);
            vh2 = vh.fma(x2, vh2);
            wl2 = wl.fma(x2, wl2);
            wh2 = wh.fma(x2, wh2);
            FloatVector x3 = FloatVector.broadcast(F, x[a3 + i]);
            vl3 = vl.fma(x3, vl3);
            vh3 = vh.fma(x3, vh3);
            wl3 = wl.fma(x3, wl3);
            wh3 = wh.fma(x3, wh3);
        }
        vl0.intoArray(out, vAt + t * stride);
        vh0.intoArray(out, vAt + t * stride + L);
        wl0.intoArray(out, wAt + t * stride);
        wh0.intoArray(out, wAt + t * stride + L);
        vl1.intoArray(out, vAt + Math.min(t + 1, last) * stride);
        vh1.intoArray(out, vAt + Math.min(t + 1, last) * stride + L);
        wl1.intoArray(out, wAt + Math.min(t + 1, last) * stride);
        wh1.intoArray(out, wAt + Math.min(t + 1, last) * stride + L);
        vl2.intoArray(out, vAt + Math.min(t + 2, last) * stride);
        vh2.intoArray(out, vAt + Math.min(t + 2, last) * stride + L);
        wl2.intoArray(out, wAt + Math.min(t + 2, last) * stride);
        wh2.intoArray(out, wAt + Math.min(t + 2, last) * stride + L);
        vl3.intoArray(out, vAt + Math.min(t + 3, last) * stride);
        vh3.intoArray(out, vAt + Math.min(t + 3, last) * stride + L);
        wl3.intoArray(out, wAt + Math.min(t + 3, last) * stride);
        wh3.intoArray(out, wAt + Math.min(t + 3, last) * stride + L);
    }

    /** One panel from byte {@code at}: rows {@code t} to {@code last}, at most four. */
    static void panel4(
            MemorySegment w, long at, int k, float[] x, int t, int last, float[] out, int outAt, int stride) {
        int a0 = t * k;
        int a1 = Math.min(t + 1, last) * k;
        int a2 = Math.min(t + 2, last) * k;
        int a3 = Math.min(t + 3, last) * k;
        FloatVector zero = FloatVector.zero(F);
        FloatVector c0 = zero;
        FloatVector d0 = zero;
        FloatVector c1 = zero;
        FloatVector d1 = zero;
        FloatVector c2 = zero;
        FloatVector d2 = zero;
        FloatVector c3 = zero;
        FloatVector d3 = zero;
        for (int i = 0; i < k; i++) {
            IntVector pair = IntVector.fromMemorySegment(I, w, at + i * STEP, LE);
            FloatVector low = low(pair);
            FloatVector high = high(pair);
            FloatVector x0 = FloatVector.broadcast(F, x[a0 + i]);
            c0 = low.fma(x0, c0);
            d0 = high.fma(x0, d0);
            FloatVector x1 = FloatVector.broadcast(F, x[a1 + i]);
            c1 = low.fma(x1, c1);
            d1 = high.fma(x1, d1);
            FloatVector x2 = FloatVector.broadcast(F, x[a2 + i]);
            c2 = low.fma(x2, c2);
            d2 = high.fma(x2, d2);
            FloatVector x3 = FloatVector.broadcast(F, x[a3 + i]);
            c3 = low.fma(x3, c3);
            d3 = high.fma(x3, d3);
        }
        c0.intoArray(out, outAt + t * stride);
        d0.intoArray(out, outAt + t * stride + L);
        c1.intoArray(out, outAt + Math.min(t + 1, last) * stride);
        d1.intoArray(out, outAt + Math.min(t + 1, last) * stride + L);
        c2.intoArray(out, outAt + Math.min(t + 2, last) * stride);
        d2.intoArray(out, outAt + Math.min(t + 2, last) * stride + L);
        c3.intoArray(out, outAt + Math.min(t + 3, last) * stride);
        d3.intoArray(out, outAt + Math.min(t + 3, last) * stride + L);
    }

    /** The same with at most six. */
    static void panel6(
            MemorySegment w, long at, int k, float[] x, int t, int last, float[] out, int outAt, int stride) {
        int a0 = t * k;
        int a1 = Math.min(t + 1, last) * k;
        int a2 = Math.min(t + 2, last) * k;
        int a3 = Math.min(t + 3, last) * k;
        int a4 = Math.min(t + 4, last) * k;
        int a5 = Math.min(t + 5, last) * k;
        FloatVector zero = FloatVector.zero(F);
        FloatVector c0 = zero;
        FloatVector d0 = zero;
        FloatVector c1 = zero;
        FloatVector d1 = zero;
        FloatVector c2 = zero;
        FloatVector d2 = zero;
        FloatVector c3 = zero;
        FloatVector d3 = zero;
        FloatVector c4 = zero;
        FloatVector d4 = zero;
        FloatVector c5 = zero;
        FloatVector d5 = zero;
        for (int i = 0; i < k; i++) {
            IntVector pair = IntVector.fromMemorySegment(I, w, at + i * STEP, LE);
            FloatVector low = low(pair);
            FloatVector high = high(pair);
            FloatVector x0 = FloatVector.broadcast(F, x[a0 + i]);
            c0 = low.fma(x0, c0);
            d0 = high.fma(x0, d0);
            FloatVector x1 = FloatVector.broadcast(F, x[a1 + i]);
            c1 = low.fma(x1, c1);
            d1 = high.fma(x1, d1);
            FloatVector x2 = FloatVector.broadcast(F, x[a2 + i]);
            c2 = low.fma(x2, c2);
            d2 = high.fma(x2, d2);
            FloatVector x3 = FloatVector.broadcast(F, x[a3 + i]);
            c3 = low.fma(x3, c3);
            d3 = high.fma(x3, d3);
            FloatVector x4 = FloatVector.broadcast(F, x[a4 + i]);
            c4 = low.fma(x4, c4);
            d4 = high.fma(x4, d4);
            FloatVector x5 = FloatVector.broadcast(F, x[a5 + i]);
            c5 = low.fma(x5, c5);
            d5 = high.fma(x5, d5);
        }
        c0.intoArray(out, outAt + t * stride);
        d0.intoArray(out, outAt + t * stride + L);
        c1.intoArray(out, outAt + Math.min(t + 1, last) * stride);
        d1.intoArray(out, outAt + Math.min(t + 1, last) * stride + L);
        c2.intoArray(out, outAt + Math.min(t + 2, last) * stride);
        d2.intoArray(out, outAt + Math.min(t + 2, last) * stride + L);
        c3.intoArray(out, outAt + Math.min(t + 3, last) * stride);
        d3.intoArray(out, outAt + Math.min(t + 3, last) * stride + L);
        c4.intoArray(out, outAt + Math.min(t + 4, last) * stride);
        d4.intoArray(out, outAt + Math.min(t + 4, last) * stride + L);
        c5.intoArray(out, outAt + Math.min(t + 5, last) * stride);
        d5.intoArray(out, outAt + Math.min(t + 5, last) * stride + L);
    }
}
