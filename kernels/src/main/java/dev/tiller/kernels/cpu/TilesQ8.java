package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.F;
import static dev.tiller.kernels.cpu.Lanes.I;
import static dev.tiller.kernels.cpu.Lanes.L;
import static dev.tiller.kernels.cpu.Lanes.LE;
import static dev.tiller.kernels.cpu.PanelsBlocks.WORDS;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Tiles of {@link PanelsQ8}: a panel times a few rows.
 * Everything is written out, because the compiler needs every vector in a local variable of a method without calls that it
 * cannot see through. Codes of one place in their words are a short loop: written out as well it would be slower.
 *
 * <p>Parameters: the blocks of a panel from byte {@code at} of {@code w}; x as {@link PanelsBlocks#prepare} leaves it, rows {@code xStride} apart; sums go to
 * {@code out[outAt + row * stride ..]}. Rows after {@code last} repeat that row.
 */
final class TilesQ8 {
    private static final long STEP = 17 * WORDS;

    private TilesQ8() {}

    /** One row, one panel. */
    static void row(MemorySegment w, long at, int blocks, float factor, float[] x, float[] out, int outAt) {
        FloatVector unit = FloatVector.broadcast(F, factor);
        IntVector fields = IntVector.broadcast(I, 0x8fffe000);
        IntVector lowest = IntVector.broadcast(I, 255);
        FloatVector zero = FloatVector.zero(F);
        FloatVector c = zero;
        FloatVector d = zero;
        for (int b = 0; b < blocks; b++) {
            long from = at + b * STEP;
            FloatVector p = zero;
            FloatVector q = zero;
            FloatVector r = zero;
            FloatVector s = zero;
            for (int h = 0; h < 2; h++) {
                long half = from + (1 + 8 * h) * WORDS;
                IntVector v00 = IntVector.fromMemorySegment(I, w, half, LE);
                IntVector v01 = IntVector.fromMemorySegment(I, w, half + 1 * WORDS, LE);
                IntVector v10 = IntVector.fromMemorySegment(I, w, half + 2 * WORDS, LE);
                IntVector v11 = IntVector.fromMemorySegment(I, w, half + 3 * WORDS, LE);
                IntVector v20 = IntVector.fromMemorySegment(I, w, half + 4 * WORDS, LE);
                IntVector v21 = IntVector.fromMemorySegment(I, w, half + 5 * WORDS, LE);
                IntVector v30 = IntVector.fromMemorySegment(I, w, half + 6 * WORDS, LE);
                IntVector v31 = IntVector.fromMemorySegment(I, w, half + 7 * WORDS, LE);
                IntVector mask = lowest;
                for (int j = 0; j < 4; j++) {
                    int k = 32 * b + 8 * h + 2 * j;
                    FloatVector x0 = FloatVector.broadcast(F, x[k]);
                    p = ((FloatVector) v00.and(mask).convert(VectorOperators.I2F, 0)).fma(x0, p);
                    q = ((FloatVector) v01.and(mask).convert(VectorOperators.I2F, 0)).fma(x0, q);
                    FloatVector x1 = FloatVector.broadcast(F, x[k + 1]);
                    p = ((FloatVector) v10.and(mask).convert(VectorOperators.I2F, 0)).fma(x1, p);
                    q = ((FloatVector) v11.and(mask).convert(VectorOperators.I2F, 0)).fma(x1, q);
                    FloatVector x2 = FloatVector.broadcast(F, x[k + 16]);
                    r = ((FloatVector) v20.and(mask).convert(VectorOperators.I2F, 0)).fma(x2, r);
                    s = ((FloatVector) v21.and(mask).convert(VectorOperators.I2F, 0)).fma(x2, s);
                    FloatVector x3 = FloatVector.broadcast(F, x[k + 17]);
                    r = ((FloatVector) v30.and(mask).convert(VectorOperators.I2F, 0)).fma(x3, r);
                    s = ((FloatVector) v31.and(mask).convert(VectorOperators.I2F, 0)).fma(x3, s);
                    mask = mask.lanewise(VectorOperators.LSHL, 8);
                }
            }
            FloatVector begin = FloatVector.broadcast(F, x[32 * blocks + b]);
            IntVector scales = IntVector.fromMemorySegment(I, w, from, LE);
            c = (scales.lanewise(VectorOperators.LSHL, 16)
                            .lanewise(VectorOperators.ASHR, 3)
                            .and(fields)
                            .reinterpretAsFloats()
                            .mul(unit))
                    .fma(begin.add(p).add(r), c);
            d = (scales.lanewise(VectorOperators.ASHR, 3)
                            .and(fields)
                            .reinterpretAsFloats()
                            .mul(unit))
                    .fma(begin.add(q).add(s), d);
        }
        c.intoArray(out, outAt);
        d.intoArray(out, outAt + L);
    }

    /** One row, the panels at {@code at0} and {@code at1}: two streams through memory. */
    static void row(
            MemorySegment w,
            long at0,
            long at1,
            int blocks,
            float factor0,
            float factor1,
            float[] x,
            float[] out,
            int outAt0,
            int outAt1) {
        IntVector fields = IntVector.broadcast(I, 0x8fffe000);
        IntVector lowest = IntVector.broadcast(I, 255);
        FloatVector zero = FloatVector.zero(F);
        FloatVector c0 = zero;
        FloatVector d0 = zero;
        FloatVector c1 = zero;
        FloatVector d1 = zero;
        for (int b = 0; b < blocks; b++) {
            long from0 = at0 + b * STEP;
            long from1 = at1 + b * STEP;
            FloatVector p0 = zero;
            FloatVector q0 = zero;
            FloatVector r0 = zero;
            FloatVector s0 = zero;
            FloatVector p1 = zero;
            FloatVector q1 = zero;
            FloatVector r1 = zero;
            FloatVector s1 = zero;
            for (int h = 0; h < 2; h++) {
                long half0 = from0 + (1 + 8 * h) * WORDS;
                long half1 = from1 + (1 + 8 * h) * WORDS;
                IntVector v00 = IntVector.fromMemorySegment(I, w, half0, LE);
                IntVector v01 = IntVector.fromMemorySegment(I, w, half0 + 1 * WORDS, LE);
                IntVector v10 = IntVector.fromMemorySegment(I, w, half0 + 2 * WORDS, LE);
                IntVector v11 = IntVector.fromMemorySegment(I, w, half0 + 3 * WORDS, LE);
                IntVector v20 = IntVector.fromMemorySegment(I, w, half0 + 4 * WORDS, LE);
                IntVector v21 = IntVector.fromMemorySegment(I, w, half0 + 5 * WORDS, LE);
                IntVector v30 = IntVector.fromMemorySegment(I, w, half0 + 6 * WORDS, LE);
                IntVector v31 = IntVector.fromMemorySegment(I, w, half0 + 7 * WORDS, LE);
                IntVector w00 = IntVector.fromMemorySegment(I, w, half1, LE);
                IntVector w01 = IntVector.fromMemorySegment(I, w, half1 + 1 * WORDS, LE);
                IntVector w10 = IntVector.fromMemorySegment(I, w, half1 + 2 * WORDS, LE);
                IntVector w11 = IntVector.fromMemorySegment(I, w, half1 + 3 * WORDS, LE);
                IntVector w20 = IntVector.fromMemorySegment(I, w, half1 + 4 * WORDS, LE);
                IntVector w21 = IntVector.fromMemorySegment(I, w, half1 + 5 * WORDS, LE);
                IntVector w30 = IntVector.fromMemorySegment(I, w, half1 + 6 * WORDS, LE);
                IntVector w31 = IntVector.fromMemorySegment(I, w, half1 + 7 * WORDS, LE);
                IntVector mask = lowest;
                for (int j = 0; j < 4; j++) {
                    int k = 32 * b + 8 * h + 2 * j;
                    FloatVector x0 = FloatVector.broadcast(F, x[k]);
                    p0 = ((FloatVector) v00.and(mask).convert(VectorOperators.I2F, 0)).fma(x0, p0);
                    q0 = ((FloatVector) v01.and(mask).convert(VectorOperators.I2F, 0)).fma(x0, q0);
                    p1 = ((FloatVector) w00.and(mask).convert(VectorOperators.I2F, 0)).fma(x0, p1);
                    q1 = ((FloatVector) w01.and(mask).convert(VectorOperators.I2F, 0)).fma(x0, q1);
                    FloatVector x1 = FloatVector.broadcast(F, x[k + 1]);
                    p0 = ((FloatVector) v10.and(mask).convert(VectorOperators.I2F, 0)).fma(x1, p0);
                    q0 = ((FloatVector) v11.and(mask).convert(VectorOperators.I2F, 0)).fma(x1, q0);
                    p1 = ((FloatVector) w10.and(mask).convert(VectorOperators.I2F, 0)).fma(x1, p1);
                    q1 = ((FloatVector) w11.and(mask).convert(VectorOperators.I2F, 0)).fma(x1, q1);
                    FloatVector x2 = FloatVector.broadcast(F, x[k + 16]);
                    r0 = ((FloatVector) v20.and(mask).convert(VectorOperators.I2F, 0)).fma(x2, r0);
                    s0 = ((FloatVector) v21.and(mask).convert(VectorOperators.I2F, 0)).fma(x2, s0);
                    r1 = ((FloatVector) w20.and(mask).convert(VectorOperators.I2F, 0)).fma(x2, r1);
                    s1 = ((FloatVector) w21.and(mask).convert(VectorOperators.I2F, 0)).fma(x2, s1);
                    FloatVector x3 = FloatVector.broadcast(F, x[k + 17]);
                    r0 = ((FloatVector) v30.and(mask).convert(VectorOperators.I2F, 0)).fma(x3, r0);
                    s0 = ((FloatVector) v31.and(mask).convert(VectorOperators.I2F, 0)).fma(x3, s0);
                    r1 = ((FloatVector) w30.and(mask).convert(VectorOperators.I2F, 0)).fma(x3, r1);
                    s1 = ((FloatVector) w31.and(mask).convert(VectorOperators.I2F, 0)).fma(x3, s1);
                    mask = mask.lanewise(VectorOperators.LSHL, 8);
                }
            }
            FloatVector begin = FloatVector.broadcast(F, x[32 * blocks + b]);
            FloatVector unit0 = FloatVector.broadcast(F, factor0);
            IntVector scales0 = IntVector.fromMemorySegment(I, w, from0, LE);
            c0 = (scales0.lanewise(VectorOperators.LSHL, 16)
                            .lanewise(VectorOperators.ASHR, 3)
                            .and(fields)
                            .reinterpretAsFloats()
                            .mul(unit0))
                    .fma(begin.add(p0).add(r0), c0);
            d0 = (scales0.lanewise(VectorOperators.ASHR, 3)
                            .and(fields)
                            .reinterpretAsFloats()
                            .mul(unit0))
                    .fma(begin.add(q0).add(s0), d0);
            FloatVector unit1 = FloatVector.broadcast(F, factor1);
            IntVector scales1 = IntVector.fromMemorySegment(I, w, from1, LE);
            c1 = (scales1.lanewise(VectorOperators.LSHL, 16)
                            .lanewise(VectorOperators.ASHR, 3)
                            .and(fields)
                            .reinterpretAsFloats()
                            .mul(unit1))
                    .fma(begin.add(p1).add(r1), c1);
            d1 = (scales1.lanewise(VectorOperators.ASHR, 3)
                            .and(fields)
                            .reinterpretAsFloats()
                            .mul(unit1))
                    .fma(begin.add(q1).add(s1), d1);
        }
        c0.intoArray(out, outAt0);
        d0.intoArray(out, outAt0 + L);
        c1.intoArray(out, outAt1);
        d1.intoArray(out, outAt1 + L);
    }

    /** One or two rows. */
    static void rows2(
            MemorySegment w,
            long at,
            int blocks,
            float factor,
            float[] x,
            int xStride,
            int t,
            int last,
            float[] out,
            int outAt,
            int stride) {
        FloatVector unit = FloatVector.broadcast(F, factor);
        IntVector fields = IntVector.broadcast(I, 0x8fffe000);
        IntVector lowest = IntVector.broadcast(I, 255);
        int a0 = t * xStride;
        int a1 = Math.min(t + 1, last) * xStride;
        int o0 = outAt + t * stride;
        int o1 = outAt + Math.min(t + 1, last) * stride;
        FloatVector zero = FloatVector.zero(F);
        zero.intoArray(out, o0);
        zero.intoArray(out, o0 + L);
        zero.intoArray(out, o1);
        zero.intoArray(out, o1 + L);
        for (int b = 0; b < blocks; b++) {
            long from = at + b * STEP;
            FloatVector t0 = FloatVector.broadcast(F, x[a0 + 32 * blocks + b]);
            FloatVector u0 = t0;
            FloatVector t1 = FloatVector.broadcast(F, x[a1 + 32 * blocks + b]);
            FloatVector u1 = t1;
            for (int h = 0; h < 2; h++) {
                FloatVector p0 = zero;
                FloatVector q0 = zero;
                FloatVector p1 = zero;
                FloatVector q1 = zero;
                for (int g = 0; g < 2; g++) {
                    long words = from + (1 + 4 * h + 8 * g) * WORDS;
                    IntVector v0 = IntVector.fromMemorySegment(I, w, words, LE);
                    IntVector v1 = IntVector.fromMemorySegment(I, w, words + 1 * WORDS, LE);
                    IntVector v2 = IntVector.fromMemorySegment(I, w, words + 2 * WORDS, LE);
                    IntVector v3 = IntVector.fromMemorySegment(I, w, words + 3 * WORDS, LE);
                    IntVector mask = lowest;
                    for (int j = 0; j < 4; j++) {
                        int k = 32 * b + 16 * h + 8 * g + 2 * j;
                        FloatVector w0 = (FloatVector) v0.and(mask).convert(VectorOperators.I2F, 0);
                        FloatVector w1 = (FloatVector) v1.and(mask).convert(VectorOperators.I2F, 0);
                        FloatVector x0 = FloatVector.broadcast(F, x[a0 + k]);
                        p0 = w0.fma(x0, p0);
                        q0 = w1.fma(x0, q0);
                        FloatVector x1 = FloatVector.broadcast(F, x[a1 + k]);
                        p1 = w0.fma(x1, p1);
                        q1 = w1.fma(x1, q1);
                        FloatVector w2 = (FloatVector) v2.and(mask).convert(VectorOperators.I2F, 0);
                        FloatVector w3 = (FloatVector) v3.and(mask).convert(VectorOperators.I2F, 0);
                        FloatVector y0 = FloatVector.broadcast(F, x[a0 + k + 1]);
                        p0 = w2.fma(y0, p0);
                        q0 = w3.fma(y0, q0);
                        FloatVector y1 = FloatVector.broadcast(F, x[a1 + k + 1]);
                        p1 = w2.fma(y1, p1);
                        q1 = w3.fma(y1, q1);
                        mask = mask.lanewise(VectorOperators.LSHL, 8);
                    }
                }
                t0 = t0.add(p0);
                u0 = u0.add(q0);
                t1 = t1.add(p1);
                u1 = u1.add(q1);
            }
            IntVector scales = IntVector.fromMemorySegment(I, w, from, LE);
            FloatVector scale0 = scales.lanewise(VectorOperators.LSHL, 16)
                    .lanewise(VectorOperators.ASHR, 3)
                    .and(fields)
                    .reinterpretAsFloats()
                    .mul(unit);
            FloatVector scale1 = scales.lanewise(VectorOperators.ASHR, 3)
                    .and(fields)
                    .reinterpretAsFloats()
                    .mul(unit);
            FloatVector c0 = scale0.fma(t0, FloatVector.fromArray(F, out, o0));
            FloatVector d0 = scale1.fma(u0, FloatVector.fromArray(F, out, o0 + L));
            FloatVector c1 = scale0.fma(t1, FloatVector.fromArray(F, out, o1));
            FloatVector d1 = scale1.fma(u1, FloatVector.fromArray(F, out, o1 + L));
            c0.intoArray(out, o0);
            d0.intoArray(out, o0 + L);
            c1.intoArray(out, o1);
            d1.intoArray(out, o1 + L);
        }
    }

    /** Three or four rows. */
    static void rows4(
            MemorySegment w,
            long at,
            int blocks,
            float factor,
            float[] x,
            int xStride,
            int t,
            int last,
            float[] out,
            int outAt,
            int stride) {
        FloatVector unit = FloatVector.broadcast(F, factor);
        IntVector fields = IntVector.broadcast(I, 0x8fffe000);
        IntVector lowest = IntVector.broadcast(I, 255);
        int a0 = t * xStride;
        int a1 = Math.min(t + 1, last) * xStride;
        int a2 = Math.min(t + 2, last) * xStride;
        int a3 = Math.min(t + 3, last) * xStride;
        int o0 = outAt + t * stride;
        int o1 = outAt + Math.min(t + 1, last) * stride;
        int o2 = outAt + Math.min(t + 2, last) * stride;
        int o3 = outAt + Math.min(t + 3, last) * stride;
        FloatVector zero = FloatVector.zero(F);
        zero.intoArray(out, o0);
        zero.intoArray(out, o0 + L);
        zero.intoArray(out, o1);
        zero.intoArray(out, o1 + L);
        zero.intoArray(out, o2);
        zero.intoArray(out, o2 + L);
        zero.intoArray(out, o3);
        zero.intoArray(out, o3 + L);
        for (int b = 0; b < blocks; b++) {
            long from = at + b * STEP;
            FloatVector t0 = FloatVector.broadcast(F, x[a0 + 32 * blocks + b]);
            FloatVector u0 = t0;
            FloatVector t1 = FloatVector.broadcast(F, x[a1 + 32 * blocks + b]);
            FloatVector u1 = t1;
            FloatVector t2 = FloatVector.broadcast(F, x[a2 + 32 * blocks + b]);
            FloatVector u2 = t2;
            FloatVector t3 = FloatVector.broadcast(F, x[a3 + 32 * blocks + b]);
            FloatVector u3 = t3;
            for (int h = 0; h < 2; h++) {
                FloatVector p0 = zero;
                FloatVector q0 = zero;
                FloatVector p1 = zero;
                FloatVector q1 = zero;
                FloatVector p2 = zero;
                FloatVector q2 = zero;
                FloatVector p3 = zero;
                FloatVector q3 = zero;
                for (int g = 0; g < 2; g++) {
                    long words = from + (1 + 4 * h + 8 * g) * WORDS;
                    IntVector v0 = IntVector.fromMemorySegment(I, w, words, LE);
                    IntVector v1 = IntVector.fromMemorySegment(I, w, words + 1 * WORDS, LE);
                    IntVector v2 = IntVector.fromMemorySegment(I, w, words + 2 * WORDS, LE);
                    IntVector v3 = IntVector.fromMemorySegment(I, w, words + 3 * WORDS, LE);
                    IntVector mask = lowest;
                    for (int j = 0; j < 4; j++) {
                        int k = 32 * b + 16 * h + 8 * g + 2 * j;
                        FloatVector w0 = (FloatVector) v0.and(mask).convert(VectorOperators.I2F, 0);
                        FloatVector w1 = (FloatVector) v1.and(mask).convert(VectorOperators.I2F, 0);
                        FloatVector x0 = FloatVector.broadcast(F, x[a0 + k]);
                        p0 = w0.fma(x0, p0);
                        q0 = w1.fma(x0, q0);
                        FloatVector x1 = FloatVector.broadcast(F, x[a1 + k]);
                        p1 = w0.fma(x1, p1);
                        q1 = w1.fma(x1, q1);
                        FloatVector x2 = FloatVector.broadcast(F, x[a2 + k]);
                        p2 = w0.fma(x2, p2);
                        q2 = w1.fma(x2, q2);
                        FloatVector x3 = FloatVector.broadcast(F, x[a3 + k]);
                        p3 = w0.fma(x3, p3);
                        q3 = w1.fma(x3, q3);
                        FloatVector w2 = (FloatVector) v2.and(mask).convert(VectorOperators.I2F, 0);
                        FloatVector w3 = (FloatVector) v3.and(mask).convert(VectorOperators.I2F, 0);
                        FloatVector y0 = FloatVector.broadcast(F, x[a0 + k + 1]);
                        p0 = w2.fma(y0, p0);
                        q0 = w3.fma(y0, q0);
                        FloatVector y1 = FloatVector.broadcast(F, x[a1 + k + 1]);
                        p1 = w2.fma(y1, p1);
                        q1 = w3.fma(y1, q1);
                        FloatVector y2 = FloatVector.broadcast(F, x[a2 + k + 1]);
                        p2 = w2.fma(y2, p2);
                        q2 = w3.fma(y2, q2);
                        FloatVector y3 = FloatVector.broadcast(F, x[a3 + k + 1]);
                        p3 = w2.fma(y3, p3);
                        q3 = w3.fma(y3, q3);
                        mask = mask.lanewise(VectorOperators.LSHL, 8);
                    }
                }
                t0 = t0.add(p0);
                u0 = u0.add(q0);
                t1 = t1.add(p1);
                u1 = u1.add(q1);
                t2 = t2.add(p2);
                u2 = u2.add(q2);
                t3 = t3.add(p3);
                u3 = u3.add(q3);
            }
            IntVector scales = IntVector.fromMemorySegment(I, w, from, LE);
            FloatVector scale0 = scales.lanewise(VectorOperators.LSHL, 16)
                    .lanewise(VectorOperators.ASHR, 3)
                    .and(fields)
                    .reinterpretAsFloats()
                    .mul(unit);
            FloatVector scale1 = scales.lanewise(VectorOperators.ASHR, 3)
                    .and(fields)
                    .reinterpretAsFloats()
                    .mul(unit);
            FloatVector c0 = scale0.fma(t0, FloatVector.fromArray(F, out, o0));
            FloatVector d0 = scale1.fma(u0, FloatVector.fromArray(F, out, o0 + L));
            FloatVector c1 = scale0.fma(t1, FloatVector.fromArray(F, out, o1));
            FloatVector d1 = scale1.fma(u1, FloatVector.fromArray(F, out, o1 + L));
            FloatVector c2 = scale0.fma(t2, FloatVector.fromArray(F, out, o2));
            FloatVector d2 = scale1.fma(u2, FloatVector.fromArray(F, out, o2 + L));
            FloatVector c3 = scale0.fma(t3, FloatVector.fromArray(F, out, o3));
            FloatVector d3 = scale1.fma(u3, FloatVector.fromArray(F, out, o3 + L));
            c0.intoArray(out, o0);
            d0.intoArray(out, o0 + L);
            c1.intoArray(out, o1);
            d1.intoArray(out, o1 + L);
            c2.intoArray(out, o2);
            d2.intoArray(out, o2 + L);
            c3.intoArray(out, o3);
            d3.intoArray(out, o3 + L);
        }
    }

    /** Five or six rows. */
    static void rows6(
            MemorySegment w,
            long at,
            int blocks,
            float factor,
            float[] x,
            int xStride,
            int t,
            int last,
            float[] out,
            int outAt,
            int stride) {
        FloatVector unit = FloatVector.broadcast(F, factor);
        IntVector fields = IntVector.broadcast(I, 0x8fffe000);
        IntVector lowest = IntVector.broadcast(I, 255);
        int a0 = t * xStride;
        int a1 = Math.min(t + 1, last) * xStride;
        int a2 = Math.min(t + 2, last) * xStride;
        int a3 = Math.min(t + 3, last) * xStride;
        int a4 = Math.min(t + 4, last) * xStride;
        int a5 = Math.min(t + 5, last) * xStride;
        int o0 = outAt + t * stride;
        int o1 = outAt + Math.min(t + 1, last) * stride;
        int o2 = outAt + Math.min(t + 2, last) * stride;
        int o3 = outAt + Math.min(t + 3, last) * stride;
        int o4 = outAt + Math.min(t + 4, last) * stride;
        int o5 = outAt + Math.min(t + 5, last) * stride;
        FloatVector zero = FloatVector.zero(F);
        zero.intoArray(out, o0);
        zero.intoArray(out, o0 + L);
        zero.intoArray(out, o1);
        zero.intoArray(out, o1 + L);
        zero.intoArray(out, o2);
        zero.intoArray(out, o2 + L);
        zero.intoArray(out, o3);
        zero.intoArray(out, o3 + L);
        zero.intoArray(out, o4);
        zero.intoArray(out, o4 + L);
        zero.intoArray(out, o5);
        zero.intoArray(out, o5 + L);
        for (int b = 0; b < blocks; b++) {
            long from = at + b * STEP;
            FloatVector t0 = FloatVector.broadcast(F, x[a0 + 32 * blocks + b]);
            FloatVector u0 = t0;
            FloatVector t1 = FloatVector.broadcast(F, x[a1 + 32 * blocks + b]);
            FloatVector u1 = t1;
            FloatVector t2 = FloatVector.broadcast(F, x[a2 + 32 * blocks + b]);
            FloatVector u2 = t2;
            FloatVector t3 = FloatVector.broadcast(F, x[a3 + 32 * blocks + b]);
            FloatVector u3 = t3;
            FloatVector t4 = FloatVector.broadcast(F, x[a4 + 32 * blocks + b]);
            FloatVector u4 = t4;
            FloatVector t5 = FloatVector.broadcast(F, x[a5 + 32 * blocks + b]);
            FloatVector u5 = t5;
            for (int h = 0; h < 2; h++) {
                FloatVector p0 = zero;
                FloatVector q0 = zero;
                FloatVector p1 = zero;
                FloatVector q1 = zero;
                FloatVector p2 = zero;
                FloatVector q2 = zero;
                FloatVector p3 = zero;
                FloatVector q3 = zero;
                FloatVector p4 = zero;
                FloatVector q4 = zero;
                FloatVector p5 = zero;
                FloatVector q5 = zero;
                for (int g = 0; g < 2; g++) {
                    long words = from + (1 + 4 * h + 8 * g) * WORDS;
                    IntVector v0 = IntVector.fromMemorySegment(I, w, words, LE);
                    IntVector v1 = IntVector.fromMemorySegment(I, w, words + 1 * WORDS, LE);
                    IntVector v2 = IntVector.fromMemorySegment(I, w, words + 2 * WORDS, LE);
                    IntVector v3 = IntVector.fromMemorySegment(I, w, words + 3 * WORDS, LE);
                    IntVector mask = lowest;
                    for (int j = 0; j < 4; j++) {
                        int k = 32 * b + 16 * h + 8 * g + 2 * j;
                        FloatVector w0 = (FloatVector) v0.and(mask).convert(VectorOperators.I2F, 0);
                        FloatVector w1 = (FloatVector) v1.and(mask).convert(VectorOperators.I2F, 0);
                        FloatVector x0 = FloatVector.broadcast(F, x[a0 + k]);
                        p0 = w0.fma(x0, p0);
                        q0 = w1.fma(x0, q0);
                        FloatVector x1 = FloatVector.broadcast(F, x[a1 + k]);
                        p1 = w0.fma(x1, p1);
                        q1 = w1.fma(x1, q1);
                        FloatVector x2 = FloatVector.broadcast(F, x[a2 + k]);
                        p2 = w0.fma(x2, p2);
                        q2 = w1.fma(x2, q2);
                        FloatVector x3 = FloatVector.broadcast(F, x[a3 + k]);
                        p3 = w0.fma(x3, p3);
                        q3 = w1.fma(x3, q3);
                        FloatVector x4 = FloatVector.broadcast(F, x[a4 + k]);
                        p4 = w0.fma(x4, p4);
                        q4 = w1.fma(x4, q4);
                        FloatVector x5 = FloatVector.broadcast(F, x[a5 + k]);
                        p5 = w0.fma(x5, p5);
                        q5 = w1.fma(x5, q5);
                        FloatVector w2 = (FloatVector) v2.and(mask).convert(VectorOperators.I2F, 0);
                        FloatVector w3 = (FloatVector) v3.and(mask).convert(VectorOperators.I2F, 0);
                        FloatVector y0 = FloatVector.broadcast(F, x[a0 + k + 1]);
                        p0 = w2.fma(y0, p0);
                        q0 = w3.fma(y0, q0);
                        FloatVector y1 = FloatVector.broadcast(F, x[a1 + k + 1]);
                        p1 = w2.fma(y1, p1);
                        q1 = w3.fma(y1, q1);
                        FloatVector y2 = FloatVector.broadcast(F, x[a2 + k + 1]);
                        p2 = w2.fma(y2, p2);
                        q2 = w3.fma(y2, q2);
                        FloatVector y3 = FloatVector.broadcast(F, x[a3 + k + 1]);
                        p3 = w2.fma(y3, p3);
                        q3 = w3.fma(y3, q3);
                        FloatVector y4 = FloatVector.broadcast(F, x[a4 + k + 1]);
                        p4 = w2.fma(y4, p4);
                        q4 = w3.fma(y4, q4);
                        FloatVector y5 = FloatVector.broadcast(F, x[a5 + k + 1]);
                        p5 = w2.fma(y5, p5);
                        q5 = w3.fma(y5, q5);
                        mask = mask.lanewise(VectorOperators.LSHL, 8);
                    }
                }
                t0 = t0.add(p0);
                u0 = u0.add(q0);
                t1 = t1.add(p1);
                u1 = u1.add(q1);
                t2 = t2.add(p2);
                u2 = u2.add(q2);
                t3 = t3.add(p3);
                u3 = u3.add(q3);
                t4 = t4.add(p4);
                u4 = u4.add(q4);
                t5 = t5.add(p5);
                u5 = u5.add(q5);
            }
            IntVector scales = IntVector.fromMemorySegment(I, w, from, LE);
            FloatVector scale0 = scales.lanewise(VectorOperators.LSHL, 16)
                    .lanewise(VectorOperators.ASHR, 3)
                    .and(fields)
                    .reinterpretAsFloats()
                    .mul(unit);
            FloatVector scale1 = scales.lanewise(VectorOperators.ASHR, 3)
                    .and(fields)
                    .reinterpretAsFloats()
                    .mul(unit);
            FloatVector c0 = scale0.fma(t0, FloatVector.fromArray(F, out, o0));
            FloatVector d0 = scale1.fma(u0, FloatVector.fromArray(F, out, o0 + L));
            FloatVector c1 = scale0.fma(t1, FloatVector.fromArray(F, out, o1));
            FloatVector d1 = scale1.fma(u1, FloatVector.fromArray(F, out, o1 + L));
            FloatVector c2 = scale0.fma(t2, FloatVector.fromArray(F, out, o2));
            FloatVector d2 = scale1.fma(u2, FloatVector.fromArray(F, out, o2 + L));
            FloatVector c3 = scale0.fma(t3, FloatVector.fromArray(F, out, o3));
            FloatVector d3 = scale1.fma(u3, FloatVector.fromArray(F, out, o3 + L));
            FloatVector c4 = scale0.fma(t4, FloatVector.fromArray(F, out, o4));
            FloatVector d4 = scale1.fma(u4, FloatVector.fromArray(F, out, o4 + L));
            FloatVector c5 = scale0.fma(t5, FloatVector.fromArray(F, out, o5));
            FloatVector d5 = scale1.fma(u5, FloatVector.fromArray(F, out, o5 + L));
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
}
