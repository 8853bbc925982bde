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
 * Kernels of {@link PanelsQ8}: panels times one row.
 * Everything is written out, because the compiler needs every vector in a local variable of a method without calls that it
 * cannot see through. Codes of one place in their words are a short loop: written out as well it would be slower.
 *
 * <p>The lines of a block are read in ascending order. With the scales in front and read last, 4-bit weights took 1.6 times
 * as long from memory, probably because the processor does not fetch ahead then.
 *
 * <p>Parameters: the blocks of a panel from byte {@code at} of {@code w}; x as {@link PanelsBlocks#prepare} leaves it.
 */
final class TilesQ8 {
    private static final long STEP = 17 * WORDS;

    private TilesQ8() {}

    /** One row, one panel. */
    static void row(MemorySegment w, long at, int blocks, float factor, float[] x, float[] out, int outAt) {
        IntVector fields = IntVector.broadcast(I, 0x8fffe000);
        IntVector lowest = IntVector.broadcast(I, 255);
        FloatVector zero = FloatVector.zero(F);
        FloatVector c = zero;
        FloatVector d = zero;
        for (int b = 0; b < blocks; b++) {
            long from = at + b * STEP;
            FloatVector p = FloatVector.broadcast(F, x[32 * blocks + b]);
            FloatVector q = p;
            for (int h = 0; h < 2; h++) {
                long half = from + 8 * h * WORDS;
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
                    int k = 32 * b + 16 * h + 4 * j;
                    FloatVector x0 = FloatVector.broadcast(F, x[k]);
                    p = ((FloatVector) v00.and(mask).convert(VectorOperators.I2F, 0)).fma(x0, p);
                    q = ((FloatVector) v01.and(mask).convert(VectorOperators.I2F, 0)).fma(x0, q);
                    FloatVector x1 = FloatVector.broadcast(F, x[k + 1]);
                    p = ((FloatVector) v10.and(mask).convert(VectorOperators.I2F, 0)).fma(x1, p);
                    q = ((FloatVector) v11.and(mask).convert(VectorOperators.I2F, 0)).fma(x1, q);
                    FloatVector x2 = FloatVector.broadcast(F, x[k + 2]);
                    p = ((FloatVector) v20.and(mask).convert(VectorOperators.I2F, 0)).fma(x2, p);
                    q = ((FloatVector) v21.and(mask).convert(VectorOperators.I2F, 0)).fma(x2, q);
                    FloatVector x3 = FloatVector.broadcast(F, x[k + 3]);
                    p = ((FloatVector) v30.and(mask).convert(VectorOperators.I2F, 0)).fma(x3, p);
                    q = ((FloatVector) v31.and(mask).convert(VectorOperators.I2F, 0)).fma(x3, q);
                    mask = mask.lanewise(VectorOperators.LSHL, 8);
                }
            }
            FloatVector unit = FloatVector.broadcast(F, factor);
            IntVector scales = IntVector.fromMemorySegment(I, w, from + 16 * WORDS, LE);
            c = (scales.lanewise(VectorOperators.LSHL, 16)
                            .lanewise(VectorOperators.ASHR, 3)
                            .and(fields)
                            .reinterpretAsFloats()
                            .mul(unit))
                    .fma(p, c);
            d = (scales.lanewise(VectorOperators.ASHR, 3)
                            .and(fields)
                            .reinterpretAsFloats()
                            .mul(unit))
                    .fma(q, d);
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
            FloatVector p0 = FloatVector.broadcast(F, x[32 * blocks + b]);
            FloatVector q0 = p0;
            FloatVector p1 = p0;
            FloatVector q1 = p1;
            for (int h = 0; h < 2; h++) {
                long half0 = from0 + 8 * h * WORDS;
                long half1 = from1 + 8 * h * WORDS;
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
                    int k = 32 * b + 16 * h + 4 * j;
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
                    FloatVector x2 = FloatVector.broadcast(F, x[k + 2]);
                    p0 = ((FloatVector) v20.and(mask).convert(VectorOperators.I2F, 0)).fma(x2, p0);
                    q0 = ((FloatVector) v21.and(mask).convert(VectorOperators.I2F, 0)).fma(x2, q0);
                    p1 = ((FloatVector) w20.and(mask).convert(VectorOperators.I2F, 0)).fma(x2, p1);
                    q1 = ((FloatVector) w21.and(mask).convert(VectorOperators.I2F, 0)).fma(x2, q1);
                    FloatVector x3 = FloatVector.broadcast(F, x[k + 3]);
                    p0 = ((FloatVector) v30.and(mask).convert(VectorOperators.I2F, 0)).fma(x3, p0);
                    q0 = ((FloatVector) v31.and(mask).convert(VectorOperators.I2F, 0)).fma(x3, q0);
                    p1 = ((FloatVector) w30.and(mask).convert(VectorOperators.I2F, 0)).fma(x3, p1);
                    q1 = ((FloatVector) w31.and(mask).convert(VectorOperators.I2F, 0)).fma(x3, q1);
                    mask = mask.lanewise(VectorOperators.LSHL, 8);
                }
            }
            FloatVector unit0 = FloatVector.broadcast(F, factor0);
            IntVector scales0 = IntVector.fromMemorySegment(I, w, from0 + 16 * WORDS, LE);
            c0 = (scales0.lanewise(VectorOperators.LSHL, 16)
                            .lanewise(VectorOperators.ASHR, 3)
                            .and(fields)
                            .reinterpretAsFloats()
                            .mul(unit0))
                    .fma(p0, c0);
            d0 = (scales0.lanewise(VectorOperators.ASHR, 3)
                            .and(fields)
                            .reinterpretAsFloats()
                            .mul(unit0))
                    .fma(q0, d0);
            FloatVector unit1 = FloatVector.broadcast(F, factor1);
            IntVector scales1 = IntVector.fromMemorySegment(I, w, from1 + 16 * WORDS, LE);
            c1 = (scales1.lanewise(VectorOperators.LSHL, 16)
                            .lanewise(VectorOperators.ASHR, 3)
                            .and(fields)
                            .reinterpretAsFloats()
                            .mul(unit1))
                    .fma(p1, c1);
            d1 = (scales1.lanewise(VectorOperators.ASHR, 3)
                            .and(fields)
                            .reinterpretAsFloats()
                            .mul(unit1))
                    .fma(q1, d1);
        }
        c0.intoArray(out, outAt0);
        d0.intoArray(out, outAt0 + L);
        c1.intoArray(out, outAt1);
        d1.intoArray(out, outAt1 + L);
    }
}
