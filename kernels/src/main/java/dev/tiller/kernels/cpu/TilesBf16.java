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
 * Kernels on panels with bfloat16 weights: a few rows of x times two panels, and widening. The three classes of this kind differ
 * in how a weight is loaded and in nothing else; they are written out because the compiler needs every vector in a local
 * variable of a method without calls that it cannot see through.
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

    private static void store(FloatVector low, FloatVector high, float[] out, int at) {
        low.intoArray(out, at);
        high.intoArray(out, at + L);
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
        store(vl, vh, out, vAt);
        store(wl, wh, out, wAt);
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
        store(vl0, vh0, out, vAt + t * stride);
        store(wl0, wh0, out, wAt + t * stride);
        store(vl1, vh1, out, vAt + Math.min(t + 1, last) * stride);
        store(wl1, wh1, out, wAt + Math.min(t + 1, last) * stride);
        store(vl2, vh2, out, vAt + Math.min(t + 2, last) * stride);
        store(wl2, wh2, out, wAt + Math.min(t + 2, last) * stride);
        store(vl3, vh3, out, vAt + Math.min(t + 3, last) * stride);
        store(wl3, wh3, out, wAt + Math.min(t + 3, last) * stride);
    }

    /** Widens inputs {@code first} to {@code first + count - 1} of panel {@code v}. */
    static void widen(MemorySegment data, long v, int first, int count, float[] wide) {
        for (int i = 0; i < count; i++) {
            IntVector pair = IntVector.fromMemorySegment(I, data, v + (first + i) * STEP, LE);
            store(low(pair), high(pair), wide, 2 * L * i);
        }
    }
}
