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
 * Matrix tiles with bfloat16 weights: one panel times a few rows, all accumulators in registers. The three classes of
 * tiles differ in how a weight is loaded and in nothing else; they are written out because the compiler needs every
 * vector in a local variable of a method without calls that it cannot see through.
 *
 * <p>Parameters: panel {@code w} from byte {@code at} [k, 2 L]; x [.., k] from row {@code t}; sums go to
 * {@code out[outAt + row * stride ..]}. Rows after {@code last} repeat that row. Each sum is one chain of fused
 * multiply-adds over k from 0 up, whatever the number of rows.
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

    /** One row. */
    static void rows1(MemorySegment w, long at, int k, float[] x, int t, float[] out, int outAt, int stride) {
        int a0 = t * k;
        FloatVector zero = FloatVector.zero(F);
        FloatVector c0 = zero;
        FloatVector d0 = zero;
        for (int i = 0; i < k; i++) {
            IntVector pair = IntVector.fromMemorySegment(I, w, at + i * STEP, LE);
            FloatVector low = low(pair);
            FloatVector high = high(pair);
            FloatVector x0 = FloatVector.broadcast(F, x[a0 + i]);
            c0 = low.fma(x0, c0);
            d0 = high.fma(x0, d0);
        }
        store(c0, d0, out, outAt + t * stride);
    }

    /** Two rows. */
    static void rows2(MemorySegment w, long at, int k, float[] x, int t, int last, float[] out, int outAt, int stride) {
        int a0 = t * k;
        int a1 = Math.min(t + 1, last) * k;
        FloatVector zero = FloatVector.zero(F);
        FloatVector c0 = zero;
        FloatVector d0 = zero;
        FloatVector c1 = zero;
        FloatVector d1 = zero;
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
        }
        store(c0, d0, out, outAt + t * stride);
        store(c1, d1, out, outAt + Math.min(t + 1, last) * stride);
    }

    /** Three or four rows. */
    static void rows4(MemorySegment w, long at, int k, float[] x, int t, int last, float[] out, int outAt, int stride) {
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
        store(c0, d0, out, outAt + t * stride);
        store(c1, d1, out, outAt + Math.min(t + 1, last) * stride);
        store(c2, d2, out, outAt + Math.min(t + 2, last) * stride);
        store(c3, d3, out, outAt + Math.min(t + 3, last) * stride);
    }

    /** Five or six rows. */
    static void rows6(MemorySegment w, long at, int k, float[] x, int t, int last, float[] out, int outAt, int stride) {
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
        store(c0, d0, out, outAt + t * stride);
        store(c1, d1, out, outAt + Math.min(t + 1, last) * stride);
        store(c2, d2, out, outAt + Math.min(t + 2, last) * stride);
        store(c3, d3, out, outAt + Math.min(t + 3, last) * stride);
        store(c4, d4, out, outAt + Math.min(t + 4, last) * stride);
        store(c5, d5, out, outAt + Math.min(t + 5, last) * stride);
    }
}
