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
 * Kernels of {@link PanelsQ4}: a panel times one row.
 * Everything is written out, because the compiler needs every vector in a local variable of a method without calls that it
 * cannot see through. One row of x reads a panel as a single stream in ascending order, each line once and when it is
 * needed: then the processor fetches the next ones while it unpacks. With a line out of order in each block it did not, and
 * unpacking and reading took turns.
 *
 * <p>Parameters: the blocks of a panel from byte {@code at} of {@code w}; x as {@link PanelsBlocks#prepare} leaves it.
 */
final class TilesQ4 {
    private static final long STEP = 10 * WORDS;

    private TilesQ4() {}

    /** One row, one panel. */
    static void row(MemorySegment w, long at, int blocks, float factor, float[] x, float[] out, int outAt) {
        IntVector fields = IntVector.broadcast(I, 0x8fffe000);
        IntVector m0 = IntVector.broadcast(I, 0xf);
        IntVector m1 = IntVector.broadcast(I, 0xf0);
        IntVector m2 = IntVector.broadcast(I, 0xf00);
        IntVector m3 = IntVector.broadcast(I, 0xf000);
        IntVector m4 = IntVector.broadcast(I, 0xf0000);
        IntVector m5 = IntVector.broadcast(I, 0xf00000);
        IntVector m6 = IntVector.broadcast(I, 0xf000000);
        IntVector m7 = IntVector.broadcast(I, 0xf0000000);
        FloatVector zero = FloatVector.zero(F);
        FloatVector c = zero;
        FloatVector d = zero;
        for (int b = 0; b < blocks; b++) {
            long from = at + b * STEP;
            int k = 32 * b;
            FloatVector p = FloatVector.broadcast(F, x[32 * blocks + b]);
            FloatVector q = p;
            IntVector v0 = IntVector.fromMemorySegment(I, w, from, LE);
            IntVector w0 = IntVector.fromMemorySegment(I, w, from + 1 * WORDS, LE);
            FloatVector x0 = FloatVector.broadcast(F, x[k]);
            p = ((FloatVector) v0.and(m0).convert(VectorOperators.I2F, 0)).fma(x0, p);
            q = ((FloatVector) w0.and(m0).convert(VectorOperators.I2F, 0)).fma(x0, q);
            FloatVector x1 = FloatVector.broadcast(F, x[k + 1]);
            p = ((FloatVector) v0.and(m1).convert(VectorOperators.I2F, 0)).fma(x1, p);
            q = ((FloatVector) w0.and(m1).convert(VectorOperators.I2F, 0)).fma(x1, q);
            FloatVector x2 = FloatVector.broadcast(F, x[k + 2]);
            p = ((FloatVector) v0.and(m2).convert(VectorOperators.I2F, 0)).fma(x2, p);
            q = ((FloatVector) w0.and(m2).convert(VectorOperators.I2F, 0)).fma(x2, q);
            FloatVector x3 = FloatVector.broadcast(F, x[k + 3]);
            p = ((FloatVector) v0.and(m3).convert(VectorOperators.I2F, 0)).fma(x3, p);
            q = ((FloatVector) w0.and(m3).convert(VectorOperators.I2F, 0)).fma(x3, q);
            FloatVector x4 = FloatVector.broadcast(F, x[k + 4]);
            p = ((FloatVector) v0.and(m4).convert(VectorOperators.I2F, 0)).fma(x4, p);
            q = ((FloatVector) w0.and(m4).convert(VectorOperators.I2F, 0)).fma(x4, q);
            FloatVector x5 = FloatVector.broadcast(F, x[k + 5]);
            p = ((FloatVector) v0.and(m5).convert(VectorOperators.I2F, 0)).fma(x5, p);
            q = ((FloatVector) w0.and(m5).convert(VectorOperators.I2F, 0)).fma(x5, q);
            FloatVector x6 = FloatVector.broadcast(F, x[k + 6]);
            p = ((FloatVector) v0.and(m6).convert(VectorOperators.I2F, 0)).fma(x6, p);
            q = ((FloatVector) w0.and(m6).convert(VectorOperators.I2F, 0)).fma(x6, q);
            FloatVector x7 = FloatVector.broadcast(F, x[k + 7]);
            p = ((FloatVector) v0.and(m7).convert(VectorOperators.I2F, 0)).fma(x7, p);
            q = ((FloatVector) w0.and(m7).convert(VectorOperators.I2F, 0)).fma(x7, q);
            IntVector v1 = IntVector.fromMemorySegment(I, w, from + 2 * WORDS, LE);
            IntVector w1 = IntVector.fromMemorySegment(I, w, from + 3 * WORDS, LE);
            FloatVector x8 = FloatVector.broadcast(F, x[k + 8]);
            p = ((FloatVector) v1.and(m0).convert(VectorOperators.I2F, 0)).fma(x8, p);
            q = ((FloatVector) w1.and(m0).convert(VectorOperators.I2F, 0)).fma(x8, q);
            FloatVector x9 = FloatVector.broadcast(F, x[k + 9]);
            p = ((FloatVector) v1.and(m1).convert(VectorOperators.I2F, 0)).fma(x9, p);
            q = ((FloatVector) w1.and(m1).convert(VectorOperators.I2F, 0)).fma(x9, q);
            FloatVector x10 = FloatVector.broadcast(F, x[k + 10]);
            p = ((FloatVector) v1.and(m2).convert(VectorOperators.I2F, 0)).fma(x10, p);
            q = ((FloatVector) w1.and(m2).convert(VectorOperators.I2F, 0)).fma(x10, q);
            FloatVector x11 = FloatVector.broadcast(F, x[k + 11]);
            p = ((FloatVector) v1.and(m3).convert(VectorOperators.I2F, 0)).fma(x11, p);
            q = ((FloatVector) w1.and(m3).convert(VectorOperators.I2F, 0)).fma(x11, q);
            FloatVector x12 = FloatVector.broadcast(F, x[k + 12]);
            p = ((FloatVector) v1.and(m4).convert(VectorOperators.I2F, 0)).fma(x12, p);
            q = ((FloatVector) w1.and(m4).convert(VectorOperators.I2F, 0)).fma(x12, q);
            FloatVector x13 = FloatVector.broadcast(F, x[k + 13]);
            p = ((FloatVector) v1.and(m5).convert(VectorOperators.I2F, 0)).fma(x13, p);
            q = ((FloatVector) w1.and(m5).convert(VectorOperators.I2F, 0)).fma(x13, q);
            FloatVector x14 = FloatVector.broadcast(F, x[k + 14]);
            p = ((FloatVector) v1.and(m6).convert(VectorOperators.I2F, 0)).fma(x14, p);
            q = ((FloatVector) w1.and(m6).convert(VectorOperators.I2F, 0)).fma(x14, q);
            FloatVector x15 = FloatVector.broadcast(F, x[k + 15]);
            p = ((FloatVector) v1.and(m7).convert(VectorOperators.I2F, 0)).fma(x15, p);
            q = ((FloatVector) w1.and(m7).convert(VectorOperators.I2F, 0)).fma(x15, q);
            IntVector v2 = IntVector.fromMemorySegment(I, w, from + 4 * WORDS, LE);
            IntVector w2 = IntVector.fromMemorySegment(I, w, from + 5 * WORDS, LE);
            FloatVector x16 = FloatVector.broadcast(F, x[k + 16]);
            p = ((FloatVector) v2.and(m0).convert(VectorOperators.I2F, 0)).fma(x16, p);
            q = ((FloatVector) w2.and(m0).convert(VectorOperators.I2F, 0)).fma(x16, q);
            FloatVector x17 = FloatVector.broadcast(F, x[k + 17]);
            p = ((FloatVector) v2.and(m1).convert(VectorOperators.I2F, 0)).fma(x17, p);
            q = ((FloatVector) w2.and(m1).convert(VectorOperators.I2F, 0)).fma(x17, q);
            FloatVector x18 = FloatVector.broadcast(F, x[k + 18]);
            p = ((FloatVector) v2.and(m2).convert(VectorOperators.I2F, 0)).fma(x18, p);
            q = ((FloatVector) w2.and(m2).convert(VectorOperators.I2F, 0)).fma(x18, q);
            FloatVector x19 = FloatVector.broadcast(F, x[k + 19]);
            p = ((FloatVector) v2.and(m3).convert(VectorOperators.I2F, 0)).fma(x19, p);
            q = ((FloatVector) w2.and(m3).convert(VectorOperators.I2F, 0)).fma(x19, q);
            FloatVector x20 = FloatVector.broadcast(F, x[k + 20]);
            p = ((FloatVector) v2.and(m4).convert(VectorOperators.I2F, 0)).fma(x20, p);
            q = ((FloatVector) w2.and(m4).convert(VectorOperators.I2F, 0)).fma(x20, q);
            FloatVector x21 = FloatVector.broadcast(F, x[k + 21]);
            p = ((FloatVector) v2.and(m5).convert(VectorOperators.I2F, 0)).fma(x21, p);
            q = ((FloatVector) w2.and(m5).convert(VectorOperators.I2F, 0)).fma(x21, q);
            FloatVector x22 = FloatVector.broadcast(F, x[k + 22]);
            p = ((FloatVector) v2.and(m6).convert(VectorOperators.I2F, 0)).fma(x22, p);
            q = ((FloatVector) w2.and(m6).convert(VectorOperators.I2F, 0)).fma(x22, q);
            FloatVector x23 = FloatVector.broadcast(F, x[k + 23]);
            p = ((FloatVector) v2.and(m7).convert(VectorOperators.I2F, 0)).fma(x23, p);
            q = ((FloatVector) w2.and(m7).convert(VectorOperators.I2F, 0)).fma(x23, q);
            IntVector v3 = IntVector.fromMemorySegment(I, w, from + 6 * WORDS, LE);
            IntVector w3 = IntVector.fromMemorySegment(I, w, from + 7 * WORDS, LE);
            FloatVector x24 = FloatVector.broadcast(F, x[k + 24]);
            p = ((FloatVector) v3.and(m0).convert(VectorOperators.I2F, 0)).fma(x24, p);
            q = ((FloatVector) w3.and(m0).convert(VectorOperators.I2F, 0)).fma(x24, q);
            FloatVector x25 = FloatVector.broadcast(F, x[k + 25]);
            p = ((FloatVector) v3.and(m1).convert(VectorOperators.I2F, 0)).fma(x25, p);
            q = ((FloatVector) w3.and(m1).convert(VectorOperators.I2F, 0)).fma(x25, q);
            FloatVector x26 = FloatVector.broadcast(F, x[k + 26]);
            p = ((FloatVector) v3.and(m2).convert(VectorOperators.I2F, 0)).fma(x26, p);
            q = ((FloatVector) w3.and(m2).convert(VectorOperators.I2F, 0)).fma(x26, q);
            FloatVector x27 = FloatVector.broadcast(F, x[k + 27]);
            p = ((FloatVector) v3.and(m3).convert(VectorOperators.I2F, 0)).fma(x27, p);
            q = ((FloatVector) w3.and(m3).convert(VectorOperators.I2F, 0)).fma(x27, q);
            FloatVector x28 = FloatVector.broadcast(F, x[k + 28]);
            p = ((FloatVector) v3.and(m4).convert(VectorOperators.I2F, 0)).fma(x28, p);
            q = ((FloatVector) w3.and(m4).convert(VectorOperators.I2F, 0)).fma(x28, q);
            FloatVector x29 = FloatVector.broadcast(F, x[k + 29]);
            p = ((FloatVector) v3.and(m5).convert(VectorOperators.I2F, 0)).fma(x29, p);
            q = ((FloatVector) w3.and(m5).convert(VectorOperators.I2F, 0)).fma(x29, q);
            FloatVector x30 = FloatVector.broadcast(F, x[k + 30]);
            p = ((FloatVector) v3.and(m6).convert(VectorOperators.I2F, 0)).fma(x30, p);
            q = ((FloatVector) w3.and(m6).convert(VectorOperators.I2F, 0)).fma(x30, q);
            FloatVector x31 = FloatVector.broadcast(F, x[k + 31]);
            p = ((FloatVector) v3.and(m7).convert(VectorOperators.I2F, 0)).fma(x31, p);
            q = ((FloatVector) w3.and(m7).convert(VectorOperators.I2F, 0)).fma(x31, q);
            FloatVector unit = FloatVector.broadcast(F, factor);
            IntVector scales = IntVector.fromMemorySegment(I, w, from + 8 * WORDS, LE);
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
            FloatVector sum = FloatVector.broadcast(F, x[33 * blocks + b]);
            IntVector minima = IntVector.fromMemorySegment(I, w, from + 9 * WORDS, LE);
            c = (minima.lanewise(VectorOperators.LSHL, 16)
                            .lanewise(VectorOperators.ASHR, 3)
                            .and(fields)
                            .reinterpretAsFloats()
                            .mul(unit))
                    .fma(sum, c);
            d = (minima.lanewise(VectorOperators.ASHR, 3)
                            .and(fields)
                            .reinterpretAsFloats()
                            .mul(unit))
                    .fma(sum, d);
        }
        c.intoArray(out, outAt);
        d.intoArray(out, outAt + L);
    }
}
