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
 * Tiles of {@link PanelsBlocks}: the blocks of panels times several rows of x, whatever the codes are like. A code is
 * widened in registers for all rows of a tile; what the sums of a block are multiplied by is left to a method of its own.
 *
 * <p>The loop over the inputs of a block is as short as it can be and asks tables where to find a code, instead of a loop
 * for each level of that order: with every loop inside another one the compiler moves all sums from register to register
 * and checks all ranges anew. Everything is written out, because it needs every vector in a local variable of a method
 * without calls that it cannot see through.
 *
 * <p>Parameters: the blocks of a panel from byte {@code at} of {@code w}, {@code codes} says what they are like; rows of x
 * as {@link PanelsBlocks#prepare} leaves them from {@code xAt} on, in groups of {@link #GROUP}; sums go to
 * {@code out[outAt + row * stride ..]}, of the first {@code rows} rows only. {@code sums} is {@link #SCRATCH} bytes
 * from a multiple of 64, for a vector that lies in two cache lines takes twice as long.
 */
final class TilesBlocks {
    /** Rows of x that lie beside each other for every input. */
    static final int GROUP = 8;

    /** Bytes of the sums of a block. */
    private static final long SUMS =
            2L * GROUP * L * Float.BYTES; // of Lanes alone: PanelsBlocks is set up by way of this class

    /** Bytes of memory that a tile needs: the sums of a block, then those of all blocks so far. */
    static final long SCRATCH = 2 * SUMS;

    private TilesBlocks() {}

    /**
     * How blocks are laid out.
     *
     * @param step bytes of a block
     * @param scales bytes of a block before its scales
     * @param masks what takes the code of input 0 to 31 out of its word
     * @param places bytes from the begin of a block to those words
     * @param minima whether blocks have minima
     */
    record Codes(long step, int scales, int[] masks, int[] places, boolean minima) {}

    /** One panel, up to eight rows. */
    static void rows8(
            MemorySegment w,
            long at,
            int blocks,
            float factor,
            Codes codes,
            float[] x,
            int xAt,
            int rows,
            float[] out,
            int outAt,
            int stride,
            MemorySegment sums) {
        int[] masks = codes.masks;
        int[] places = codes.places;
        FloatVector zero = FloatVector.zero(F);
        for (long i = SUMS; i < SCRATCH; i += WORDS) {
            zero.intoMemorySegment(sums, i, LE);
        }
        for (int b = 0; b < blocks; b++) {
            long block = at + b * codes.step;
            int k = xAt + 256 * b;
            int begin = xAt + 8 * (32 * blocks + b);
            FloatVector l0 = FloatVector.broadcast(F, x[begin]);
            FloatVector h0 = l0;
            FloatVector l1 = FloatVector.broadcast(F, x[begin + 1]);
            FloatVector h1 = l1;
            FloatVector l2 = FloatVector.broadcast(F, x[begin + 2]);
            FloatVector h2 = l2;
            FloatVector l3 = FloatVector.broadcast(F, x[begin + 3]);
            FloatVector h3 = l3;
            FloatVector l4 = FloatVector.broadcast(F, x[begin + 4]);
            FloatVector h4 = l4;
            FloatVector l5 = FloatVector.broadcast(F, x[begin + 5]);
            FloatVector h5 = l5;
            FloatVector l6 = FloatVector.broadcast(F, x[begin + 6]);
            FloatVector h6 = l6;
            FloatVector l7 = FloatVector.broadcast(F, x[begin + 7]);
            FloatVector h7 = l7;
            for (int i = 0; i < 32; i++) {
                IntVector mask = IntVector.broadcast(I, masks[i]);
                long from = block + places[i];
                FloatVector l = (FloatVector)
                        IntVector.fromMemorySegment(I, w, from, LE).and(mask).convert(VectorOperators.I2F, 0);
                FloatVector h = (FloatVector) IntVector.fromMemorySegment(I, w, from + WORDS, LE)
                        .and(mask)
                        .convert(VectorOperators.I2F, 0);
                FloatVector x0 = FloatVector.broadcast(F, x[k + 8 * i]);
                l0 = l.fma(x0, l0);
                h0 = h.fma(x0, h0);
                FloatVector x1 = FloatVector.broadcast(F, x[k + 8 * i + 1]);
                l1 = l.fma(x1, l1);
                h1 = h.fma(x1, h1);
                FloatVector x2 = FloatVector.broadcast(F, x[k + 8 * i + 2]);
                l2 = l.fma(x2, l2);
                h2 = h.fma(x2, h2);
                FloatVector x3 = FloatVector.broadcast(F, x[k + 8 * i + 3]);
                l3 = l.fma(x3, l3);
                h3 = h.fma(x3, h3);
                FloatVector x4 = FloatVector.broadcast(F, x[k + 8 * i + 4]);
                l4 = l.fma(x4, l4);
                h4 = h.fma(x4, h4);
                FloatVector x5 = FloatVector.broadcast(F, x[k + 8 * i + 5]);
                l5 = l.fma(x5, l5);
                h5 = h.fma(x5, h5);
                FloatVector x6 = FloatVector.broadcast(F, x[k + 8 * i + 6]);
                l6 = l.fma(x6, l6);
                h6 = h.fma(x6, h6);
                FloatVector x7 = FloatVector.broadcast(F, x[k + 8 * i + 7]);
                l7 = l.fma(x7, l7);
                h7 = h.fma(x7, h7);
            }
            l0.intoMemorySegment(sums, 0, LE);
            h0.intoMemorySegment(sums, WORDS, LE);
            l1.intoMemorySegment(sums, 2 * WORDS, LE);
            h1.intoMemorySegment(sums, 3 * WORDS, LE);
            l2.intoMemorySegment(sums, 4 * WORDS, LE);
            h2.intoMemorySegment(sums, 5 * WORDS, LE);
            l3.intoMemorySegment(sums, 6 * WORDS, LE);
            h3.intoMemorySegment(sums, 7 * WORDS, LE);
            l4.intoMemorySegment(sums, 8 * WORDS, LE);
            h4.intoMemorySegment(sums, 9 * WORDS, LE);
            l5.intoMemorySegment(sums, 10 * WORDS, LE);
            h5.intoMemorySegment(sums, 11 * WORDS, LE);
            l6.intoMemorySegment(sums, 12 * WORDS, LE);
            h6.intoMemorySegment(sums, 13 * WORDS, LE);
            l7.intoMemorySegment(sums, 14 * WORDS, LE);
            h7.intoMemorySegment(sums, 15 * WORDS, LE);
            join(w, block + codes.scales, factor, codes.minima, x, begin + 8 * blocks, 8, sums, 0);
        }
        for (int r = 0; r < rows; r++) {
            copy(sums, SUMS + 2 * r * WORDS, out, outAt + r * stride);
        }
    }

    /** Two panels, at {@code at0} and {@code at1}, up to four rows, which may be the second half of a group. */
    static void rows4(
            MemorySegment w,
            long at0,
            long at1,
            int blocks,
            float factor0,
            float factor1,
            Codes codes,
            float[] x,
            int xAt,
            int rows,
            float[] out,
            int outAt0,
            int outAt1,
            int stride,
            MemorySegment sums) {
        int[] masks = codes.masks;
        int[] places = codes.places;
        FloatVector zero = FloatVector.zero(F);
        for (long i = SUMS; i < SCRATCH; i += WORDS) {
            zero.intoMemorySegment(sums, i, LE);
        }
        for (int b = 0; b < blocks; b++) {
            long block0 = at0 + b * codes.step;
            long block1 = at1 + b * codes.step;
            int k = xAt + 256 * b;
            int begin = xAt + 8 * (32 * blocks + b);
            FloatVector l0 = FloatVector.broadcast(F, x[begin]);
            FloatVector h0 = l0;
            FloatVector m0 = l0;
            FloatVector n0 = l0;
            FloatVector l1 = FloatVector.broadcast(F, x[begin + 1]);
            FloatVector h1 = l1;
            FloatVector m1 = l1;
            FloatVector n1 = l1;
            FloatVector l2 = FloatVector.broadcast(F, x[begin + 2]);
            FloatVector h2 = l2;
            FloatVector m2 = l2;
            FloatVector n2 = l2;
            FloatVector l3 = FloatVector.broadcast(F, x[begin + 3]);
            FloatVector h3 = l3;
            FloatVector m3 = l3;
            FloatVector n3 = l3;
            for (int i = 0; i < 32; i++) {
                IntVector mask = IntVector.broadcast(I, masks[i]);
                long from0 = block0 + places[i];
                long from1 = block1 + places[i];
                FloatVector l = (FloatVector)
                        IntVector.fromMemorySegment(I, w, from0, LE).and(mask).convert(VectorOperators.I2F, 0);
                FloatVector h = (FloatVector) IntVector.fromMemorySegment(I, w, from0 + WORDS, LE)
                        .and(mask)
                        .convert(VectorOperators.I2F, 0);
                FloatVector m = (FloatVector)
                        IntVector.fromMemorySegment(I, w, from1, LE).and(mask).convert(VectorOperators.I2F, 0);
                FloatVector n = (FloatVector) IntVector.fromMemorySegment(I, w, from1 + WORDS, LE)
                        .and(mask)
                        .convert(VectorOperators.I2F, 0);
                FloatVector x0 = FloatVector.broadcast(F, x[k + 8 * i]);
                l0 = l.fma(x0, l0);
                h0 = h.fma(x0, h0);
                m0 = m.fma(x0, m0);
                n0 = n.fma(x0, n0);
                FloatVector x1 = FloatVector.broadcast(F, x[k + 8 * i + 1]);
                l1 = l.fma(x1, l1);
                h1 = h.fma(x1, h1);
                m1 = m.fma(x1, m1);
                n1 = n.fma(x1, n1);
                FloatVector x2 = FloatVector.broadcast(F, x[k + 8 * i + 2]);
                l2 = l.fma(x2, l2);
                h2 = h.fma(x2, h2);
                m2 = m.fma(x2, m2);
                n2 = n.fma(x2, n2);
                FloatVector x3 = FloatVector.broadcast(F, x[k + 8 * i + 3]);
                l3 = l.fma(x3, l3);
                h3 = h.fma(x3, h3);
                m3 = m.fma(x3, m3);
                n3 = n.fma(x3, n3);
            }
            l0.intoMemorySegment(sums, 0, LE);
            h0.intoMemorySegment(sums, WORDS, LE);
            l1.intoMemorySegment(sums, 2 * WORDS, LE);
            h1.intoMemorySegment(sums, 3 * WORDS, LE);
            l2.intoMemorySegment(sums, 4 * WORDS, LE);
            h2.intoMemorySegment(sums, 5 * WORDS, LE);
            l3.intoMemorySegment(sums, 6 * WORDS, LE);
            h3.intoMemorySegment(sums, 7 * WORDS, LE);
            m0.intoMemorySegment(sums, 8 * WORDS, LE);
            n0.intoMemorySegment(sums, 9 * WORDS, LE);
            m1.intoMemorySegment(sums, 10 * WORDS, LE);
            n1.intoMemorySegment(sums, 11 * WORDS, LE);
            m2.intoMemorySegment(sums, 12 * WORDS, LE);
            n2.intoMemorySegment(sums, 13 * WORDS, LE);
            m3.intoMemorySegment(sums, 14 * WORDS, LE);
            n3.intoMemorySegment(sums, 15 * WORDS, LE);
            join(w, block0 + codes.scales, factor0, codes.minima, x, begin + 8 * blocks, 4, sums, 0);
            join(w, block1 + codes.scales, factor1, codes.minima, x, begin + 8 * blocks, 4, sums, 8 * WORDS);
        }
        for (int r = 0; r < rows; r++) {
            copy(sums, SUMS + 2 * r * WORDS, out, outAt0 + r * stride);
            copy(sums, SUMS + (8 + 2 * r) * WORDS, out, outAt1 + r * stride);
        }
    }

    /**
     * Adds the sums of a block, times its scales at byte {@code at}, to those of the blocks before; then the minima
     * times the sums of the inputs, {@code x[inputs ..]}.
     *
     * @param sums from byte {@code from} on: the block's, [rows, 2 L]; and {@link #SUMS} further on those of all blocks
     */
    private static void join(
            MemorySegment w,
            long at,
            float factor,
            boolean minima,
            float[] x,
            int inputs,
            int rows,
            MemorySegment sums,
            long from) {
        IntVector fields = IntVector.broadcast(I, 0x8fffe000);
        FloatVector unit = FloatVector.broadcast(F, factor);
        IntVector scales = IntVector.fromMemorySegment(I, w, at, LE);
        FloatVector scaleL = scales.lanewise(VectorOperators.LSHL, 16)
                .lanewise(VectorOperators.ASHR, 3)
                .and(fields)
                .reinterpretAsFloats()
                .mul(unit);
        FloatVector scaleH = scales.lanewise(VectorOperators.ASHR, 3)
                .and(fields)
                .reinterpretAsFloats()
                .mul(unit);
        if (!minima) {
            for (int r = 0; r < rows; r++) {
                long l = from + 2 * r * WORDS;
                long h = l + WORDS;
                FloatVector blockL = FloatVector.fromMemorySegment(F, sums, l, LE);
                FloatVector blockH = FloatVector.fromMemorySegment(F, sums, h, LE);
                FloatVector sumL = FloatVector.fromMemorySegment(F, sums, l + SUMS, LE);
                FloatVector sumH = FloatVector.fromMemorySegment(F, sums, h + SUMS, LE);
                scaleL.fma(blockL, sumL).intoMemorySegment(sums, l + SUMS, LE);
                scaleH.fma(blockH, sumH).intoMemorySegment(sums, h + SUMS, LE);
            }
            return;
        }
        IntVector pairs = IntVector.fromMemorySegment(I, w, at + WORDS, LE);
        FloatVector minimumL = pairs.lanewise(VectorOperators.LSHL, 16)
                .lanewise(VectorOperators.ASHR, 3)
                .and(fields)
                .reinterpretAsFloats()
                .mul(unit);
        FloatVector minimumH = pairs.lanewise(VectorOperators.ASHR, 3)
                .and(fields)
                .reinterpretAsFloats()
                .mul(unit);
        for (int r = 0; r < rows; r++) {
            long l = from + 2 * r * WORDS;
            long h = l + WORDS;
            FloatVector blockL = FloatVector.fromMemorySegment(F, sums, l, LE);
            FloatVector blockH = FloatVector.fromMemorySegment(F, sums, h, LE);
            FloatVector sumL = FloatVector.fromMemorySegment(F, sums, l + SUMS, LE);
            FloatVector sumH = FloatVector.fromMemorySegment(F, sums, h + SUMS, LE);
            FloatVector input = FloatVector.broadcast(F, x[inputs + r]);
            minimumL.fma(input, scaleL.fma(blockL, sumL)).intoMemorySegment(sums, l + SUMS, LE);
            minimumH.fma(input, scaleH.fma(blockH, sumH)).intoMemorySegment(sums, h + SUMS, LE);
        }
    }

    private static void copy(MemorySegment sums, long from, float[] out, int at) {
        FloatVector.fromMemorySegment(F, sums, from, LE).intoArray(out, at);
        FloatVector.fromMemorySegment(F, sums, from + WORDS, LE).intoArray(out, at + L);
    }
}
