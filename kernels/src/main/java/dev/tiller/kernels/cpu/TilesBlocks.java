package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.F;
import static dev.tiller.kernels.cpu.Lanes.I;
import static dev.tiller.kernels.cpu.Lanes.L;
import static dev.tiller.kernels.cpu.Lanes.LE;
import static dev.tiller.kernels.cpu.PanelsBlocks.WORDS;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
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
 * {@code out[outAt + row * stride ..]}, of the first {@code rows} rows only. {@code sums} has {@link #SCRATCH} floats.
 */
final class TilesBlocks {
    /** Rows of x that lie beside each other for every input. */
    static final int GROUP = 8;

    /** Floats of memory that a tile needs: the sums of a block and those of all blocks so far. */
    static final int SCRATCH = 4 * GROUP * L;

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
            float[] sums) {
        int[] masks = codes.masks;
        int[] places = codes.places;
        Arrays.fill(sums, 16 * L, 32 * L, 0);
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
            l0.intoArray(sums, 0);
            h0.intoArray(sums, L);
            l1.intoArray(sums, 2 * L);
            h1.intoArray(sums, 3 * L);
            l2.intoArray(sums, 4 * L);
            h2.intoArray(sums, 5 * L);
            l3.intoArray(sums, 6 * L);
            h3.intoArray(sums, 7 * L);
            l4.intoArray(sums, 8 * L);
            h4.intoArray(sums, 9 * L);
            l5.intoArray(sums, 10 * L);
            h5.intoArray(sums, 11 * L);
            l6.intoArray(sums, 12 * L);
            h6.intoArray(sums, 13 * L);
            l7.intoArray(sums, 14 * L);
            h7.intoArray(sums, 15 * L);
            join(w, block + codes.scales, factor, codes.minima, x, begin + 8 * blocks, 8, sums, 0);
        }
        for (int r = 0; r < rows; r++) {
            System.arraycopy(sums, (16 + 2 * r) * L, out, outAt + r * stride, 2 * L);
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
            float[] sums) {
        int[] masks = codes.masks;
        int[] places = codes.places;
        Arrays.fill(sums, 16 * L, 32 * L, 0);
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
            l0.intoArray(sums, 0);
            h0.intoArray(sums, L);
            l1.intoArray(sums, 2 * L);
            h1.intoArray(sums, 3 * L);
            l2.intoArray(sums, 4 * L);
            h2.intoArray(sums, 5 * L);
            l3.intoArray(sums, 6 * L);
            h3.intoArray(sums, 7 * L);
            m0.intoArray(sums, 8 * L);
            n0.intoArray(sums, 9 * L);
            m1.intoArray(sums, 10 * L);
            n1.intoArray(sums, 11 * L);
            m2.intoArray(sums, 12 * L);
            n2.intoArray(sums, 13 * L);
            m3.intoArray(sums, 14 * L);
            n3.intoArray(sums, 15 * L);
            join(w, block0 + codes.scales, factor0, codes.minima, x, begin + 8 * blocks, 4, sums, 0);
            join(w, block1 + codes.scales, factor1, codes.minima, x, begin + 8 * blocks, 4, sums, 8 * L);
        }
        for (int r = 0; r < rows; r++) {
            System.arraycopy(sums, (16 + 2 * r) * L, out, outAt0 + r * stride, 2 * L);
            System.arraycopy(sums, (24 + 2 * r) * L, out, outAt1 + r * stride, 2 * L);
        }
    }

    /**
     * Adds the sums of a block, times its scales at byte {@code at}, to those of the blocks before; then the minima
     * times the sums of the inputs, {@code x[inputs ..]}.
     *
     * @param sums from {@code from} on: the block's, [rows, 2 L]; and 16 L further on those of all blocks
     */
    private static void join(
            MemorySegment w,
            long at,
            float factor,
            boolean minima,
            float[] x,
            int inputs,
            int rows,
            float[] sums,
            int from) {
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
                int l = from + 2 * L * r;
                int h = l + L;
                scaleL.fma(FloatVector.fromArray(F, sums, l), FloatVector.fromArray(F, sums, l + 16 * L))
                        .intoArray(sums, l + 16 * L);
                scaleH.fma(FloatVector.fromArray(F, sums, h), FloatVector.fromArray(F, sums, h + 16 * L))
                        .intoArray(sums, h + 16 * L);
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
            int l = from + 2 * L * r;
            int h = l + L;
            FloatVector input = FloatVector.broadcast(F, x[inputs + r]);
            FloatVector sumL =
                    scaleL.fma(FloatVector.fromArray(F, sums, l), FloatVector.fromArray(F, sums, l + 16 * L));
            FloatVector sumH =
                    scaleH.fma(FloatVector.fromArray(F, sums, h), FloatVector.fromArray(F, sums, h + 16 * L));
            minimumL.fma(input, sumL).intoArray(sums, l + 16 * L);
            minimumH.fma(input, sumH).intoArray(sums, h + 16 * L);
        }
    }
}
