package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.F;
import static dev.tiller.kernels.cpu.Lanes.L;

import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.WeightRows;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Panels of weights in blocks of 32 along k. A panel begins with what its scales must be multiplied by; then its blocks
 * follow, each with its codes and then its scales (and minima), all in 32-bit words for L rows. A scale shares its word
 * with that of the row L further down. k is filled up to whole blocks with zeros, in x too.
 *
 * <p>A block's sum is a chain of fused multiply-adds over its codes; the scales join the blocks' sums in a chain of their
 * own. One row of x has kernels that depend on the format; more rows have one for all formats, and there they lie in groups
 * in which the numbers for an input are beside each other. Both take the same codes at the same height in the same order.
 *
 * <p>A code is taken out of its word by a mask alone, so that it comes 2^s times too large if it lies s bits high; in
 * exchange the inputs are made smaller by that once per row. Scaling by a power of two is exact, so that the sums are none
 * the worse. What stands at the top of a word has a sign and all else has none: where the format has it otherwise, codes
 * are kept with an offset, and a block's sum begins with the inputs times the opposite.
 */
abstract class PanelsBlocks extends Panels {
    static final int BLOCK = WeightFormat.BLOCK;

    /** Bytes of the words of L rows. */
    static final long WORDS = 4L * L;

    /** Bytes before the first block of a panel. */
    static final int HEAD = 64;

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Rows up to which panels are read in pairs if a group has no more than four rows in the end. */
    private static final int FEW = 64;

    private static final int GROUP = TilesBlocks.GROUP;

    /** Blocks of a row. */
    final int blocks;

    /** Bytes of a block of a panel. */
    final long step;

    /** Bytes of a block that come before its scales. */
    private final int scales;

    /** What the inputs of a block are multiplied by, so that codes need not be shifted. */
    private final float[] factors;

    /** What a block's sum begins with, for each of its inputs, since codes are kept without a sign. */
    private final float[] begin;

    private final TilesBlocks.Codes codes;

    /**
     * @param words words of L rows in a block
     * @param scales how many of them come before the scales; the minima come after those
     * @param masks what takes the code of each input of a block out of its word
     * @param places words of L rows before the one with that code
     */
    PanelsBlocks(
            int columns,
            int words,
            int scales,
            float[] factors,
            float[] begin,
            int[] masks,
            int[] places,
            boolean minima) {
        super(columns, 2 * L);
        this.scales = scales * (int) WORDS;
        this.factors = factors;
        this.begin = begin;
        this.blocks = Math.ceilDiv(columns, BLOCK);
        this.step = words * WORDS;
        int[] bytes = Arrays.stream(places).map(place -> place * (int) WORDS).toArray();
        this.codes = new TilesBlocks.Codes(step, this.scales, masks, bytes, minima);
    }

    @Override
    final long bytes() {
        return (HEAD + blocks * step + 63) / 64 * 64;
    }

    /** k, filled up to whole blocks. */
    final int padded() {
        return blocks * BLOCK;
    }

    @Override
    final void pack(WeightRows source, int from, int to, MemorySegment data) {
        byte[] codes = new byte[width * padded()];
        byte[] row = new byte[columns];
        float[] scales = new float[width * blocks];
        float[] minima = new float[width * blocks];
        int[] words = new int[(int) (bytes() / 4)];
        for (int p = from; p < to; p++) {
            int rows = Math.min(width, source.rows() - p * width);
            for (int r = 0; r < rows; r++) {
                source.blocks(p * width + r, row, 0, scales, minima, r * blocks);
                System.arraycopy(row, 0, codes, r * padded(), columns);
            }
            Arrays.fill(codes, rows * padded(), codes.length, (byte) 0);
            Arrays.fill(scales, rows * blocks, scales.length, 0);
            Arrays.fill(minima, rows * blocks, minima.length, 0);
            boolean small = BlockScales.small(scales) && BlockScales.small(minima);
            words[0] = Float.floatToRawIntBits(BlockScales.factor(small));
            for (int b = 0; b < blocks; b++) {
                int at = (int) (HEAD + b * step) / 4;
                packBlock(codes, b, minima, small, words, at);
                BlockScales.pack(scales, blocks, b, small, words, at + this.scales / 4);
            }
            MemorySegment.copy(words, 0, data, INT, at(p), words.length);
        }
    }

    /** Writes the codes of block {@code b}, and the minima behind its scales. */
    abstract void packBlock(byte[] codes, int b, float[] minima, boolean small, int[] words, int at);

    static int word(MemorySegment data, long at, int r) {
        return data.get(INT, at + 4L * (r % L));
    }

    /** The code of row r in a block that begins at {@code at}. */
    abstract int code(MemorySegment data, long at, int r, int i);

    /** The minimum of row r in a block that begins at {@code at}. */
    abstract float minimum(MemorySegment data, long at, int r, float factor);

    @Override
    final void unpack(MemorySegment data, int row, float scale, float[] out, int at) {
        int r = row % width;
        long panel = at(row / width);
        float factor = data.get(FLOAT, panel);
        for (int i = 0; i < columns; i++) {
            long block = panel + HEAD + i / BLOCK * step;
            float product = BlockScales.number(data, block + scales, r, factor) * code(data, block, r, i % BLOCK);
            out[at + i] = scale * (product + minimum(data, block, r, factor));
        }
    }

    /**
     * Of each row its inputs, then what the sum of each block begins with, then the sum of each block's inputs. More than
     * one row are in groups: first that of the first row, of the second, and so on, then the second number of each.
     */
    @Override
    final int prepared(int rows) {
        int groups = Math.ceilDiv(rows, GROUP);
        return rows == 1 ? floats() : Math.multiplyExact(groups, GROUP * floats());
    }

    private int floats() {
        return padded() + 2 * blocks;
    }

    @Override
    final int units(int rows) {
        return rows == 1 ? 1 : Math.ceilDiv(rows, GROUP) * blocks;
    }

    @Override
    final void prepare(float[] x, int rows, float[] prepared, int from, int to, float[] scratch) {
        if (rows == 1) {
            prepareRow(x, prepared);
            return;
        }
        for (int u = from; u < to; u++) {
            int group = u / blocks;
            prepareBlock(x, rows, group * GROUP, u % blocks, prepared, group * GROUP * floats(), scratch);
        }
    }

    private void prepareRow(float[] x, float[] prepared) {
        Arrays.fill(prepared, columns, padded(), 0);
        for (int i = columns / BLOCK * BLOCK; i < columns; i++) {
            prepared[i] = x[i];
        }
        for (int b = 0; b < blocks; b++) {
            int o = b * BLOCK;
            float[] source = o + BLOCK <= columns ? x : prepared;
            prepareBlock(source, o, prepared, o, prepared, padded() + b, blocks);
        }
    }

    /** The inputs of block {@code b} of rows {@code first} and following, one group, which begins at {@code at}. */
    private void prepareBlock(float[] x, int rows, int first, int b, float[] prepared, int at, float[] scratch) {
        int n = Math.min(BLOCK, columns - b * BLOCK);
        int inputs = at + b * BLOCK * GROUP;
        int sums = at + (padded() + b) * GROUP;
        int line = GROUP * BLOCK;
        for (int r = 0; r < GROUP; r++) {
            if (first + r >= rows) {
                Arrays.fill(scratch, r * BLOCK, (r + 1) * BLOCK, 0);
                continue;
            }
            int from = (first + r) * columns + b * BLOCK;
            if (n == BLOCK) {
                prepareBlock(x, from, scratch, r * BLOCK, prepared, sums + r, blocks * GROUP);
                continue;
            }
            System.arraycopy(x, from, scratch, line, n);
            Arrays.fill(scratch, line + n, line + BLOCK, 0);
            prepareBlock(scratch, line, scratch, r * BLOCK, prepared, sums + r, blocks * GROUP);
        }
        group(scratch, prepared, inputs);
    }

    /** Puts the inputs of eight rows beside each other, in one ascending stream: row by row it took eight times as long. */
    private static void group(float[] rows, float[] out, int at) {
        for (int i = 0; i < BLOCK; i++) {
            int to = at + i * GROUP;
            out[to] = rows[i];
            out[to + 1] = rows[BLOCK + i];
            out[to + 2] = rows[2 * BLOCK + i];
            out[to + 3] = rows[3 * BLOCK + i];
            out[to + 4] = rows[4 * BLOCK + i];
            out[to + 5] = rows[5 * BLOCK + i];
            out[to + 6] = rows[6 * BLOCK + i];
            out[to + 7] = rows[7 * BLOCK + i];
        }
    }

    /** The inputs of one block of one row to {@code to[at ..]}; the two sums to {@code sums}, {@code apart} each other. */
    private void prepareBlock(float[] source, int from, float[] to, int at, float[] sums, int sumAt, int apart) {
        FloatVector first = FloatVector.zero(F);
        FloatVector sum = first;
        for (int i = 0; i < BLOCK; i += L) {
            FloatVector v = FloatVector.fromArray(F, source, from + i);
            first = v.fma(FloatVector.fromArray(F, begin, i), first);
            sum = sum.add(v);
            v.mul(FloatVector.fromArray(F, factors, i)).intoArray(to, at + i);
        }
        sums[sumAt] = Lanes.sum(first);
        sums[sumAt + apart] = Lanes.sum(sum);
    }

    @Override
    final void multiply(
            MemorySegment data,
            int panel,
            float[] x,
            float[] prepared,
            int rows,
            int first,
            int last,
            float[] out,
            int outAt,
            int stride,
            MemorySegment scratch) {
        long at = at(panel);
        float factor = data.get(FLOAT, at);
        if (rows == 1) {
            row(data, at + HEAD, factor, prepared, out, outAt);
            return;
        }
        for (int t = first; t <= last; t += GROUP) {
            rows8(data, at + HEAD, factor, prepared, t, last, out, outAt, stride, scratch);
        }
    }

    private void rows8(
            MemorySegment data,
            long at,
            float factor,
            float[] x,
            int t,
            int last,
            float[] out,
            int outAt,
            int stride,
            MemorySegment scratch) {
        int rows = Math.min(GROUP, last - t + 1);
        int to = outAt + t * stride;
        TilesBlocks.rows8(data, at, blocks, factor, codes, x, t * floats(), rows, out, to, stride, scratch);
    }

    @Override
    final boolean few(int rows) {
        return rows == 1 || rows <= FEW && (rows - 1) % GROUP < 4;
    }

    /** Panels in pairs, each of its half of the range. */
    @Override
    final void multiplyFew(
            MemorySegment data,
            int from,
            int to,
            float[] x,
            float[] prepared,
            int rows,
            float[] out,
            int stride,
            MemorySegment scratch) {
        int half = (to - from) / 2;
        for (int p = from; p < from + half; p++) {
            long at0 = at(p);
            long at1 = at(p + half);
            float factor0 = data.get(FLOAT, at0);
            float factor1 = data.get(FLOAT, at1);
            int to0 = p * width;
            int to1 = to0 + half * width;
            if (rows == 1) {
                pair(data, at0 + HEAD, at1 + HEAD, factor0, factor1, prepared, out, to0, to1);
                continue;
            }
            int t = 0;
            for (; rows - t > 4; t += GROUP) {
                rows8(data, at0 + HEAD, factor0, prepared, t, rows - 1, out, to0, stride, scratch);
                rows8(data, at1 + HEAD, factor1, prepared, t, rows - 1, out, to1, stride, scratch);
            }
            if (t < rows) {
                int xAt = t * floats();
                to0 += t * stride;
                to1 += t * stride;
                TilesBlocks.rows4(
                        data,
                        at0 + HEAD,
                        at1 + HEAD,
                        blocks,
                        factor0,
                        factor1,
                        codes,
                        prepared,
                        xAt,
                        rows - t,
                        out,
                        to0,
                        to1,
                        stride,
                        scratch);
            }
        }
        if ((to - from) % 2 > 0) {
            multiply(data, to - 1, x, prepared, rows, 0, rows - 1, out, (to - 1) * width, stride, scratch);
        }
    }

    /** The blocks of a panel times the only row of x. */
    abstract void row(MemorySegment data, long at, float factor, float[] x, float[] out, int outAt);

    /** The same with two panels. */
    abstract void pair(
            MemorySegment data,
            long at0,
            long at1,
            float factor0,
            float factor1,
            float[] x,
            float[] out,
            int outAt0,
            int outAt1);
}
