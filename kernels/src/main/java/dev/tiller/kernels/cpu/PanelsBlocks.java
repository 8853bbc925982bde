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
 * follow, each with its scales (and minima) and its codes, all in 32-bit words for L rows. A scale shares its word with
 * that of the row L further down. k is filled up to whole blocks with zeros, in x too.
 *
 * <p>A block's sum is a chain of fused multiply-adds over its codes; the scales join the blocks' sums in a chain of their
 * own. One row of x is multiplied with codes on their way from memory; for more, a few blocks of a panel are widened to
 * floats once for all rows. Both take the same codes at the same height in the same order.
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

    /** Blocks that are widened at a time: with them half of a first-level cache is full. */
    private static final int WIDENED = 6;

    /** Blocks of a row. */
    final int blocks;

    /** Bytes of a block of a panel. */
    final long step;

    /** What the inputs of a block are multiplied by, so that codes need not be shifted. */
    private final float[] factors;

    /** What a block's sum begins with, for each of its inputs, since codes are kept without a sign. */
    private final float[] begin;

    PanelsBlocks(int columns, int words, float[] factors, float[] begin) {
        super(columns, 2 * L);
        this.factors = factors;
        this.begin = begin;
        this.blocks = Math.ceilDiv(columns, BLOCK);
        this.step = words * WORDS;
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
            boolean small = small(scales) && small(minima);
            words[0] = Float.floatToRawIntBits(small ? SMALL : PLAIN);
            for (int b = 0; b < blocks; b++) {
                int at = (int) (HEAD + b * step) / 4;
                packPairs(scales, b, small, words, at);
                packBlock(codes, b, minima, small, words, at + L);
            }
            MemorySegment.copy(words, 0, data, INT, at(p), words.length);
        }
    }

    /** Writes what follows the scales of block {@code b}. */
    abstract void packBlock(byte[] codes, int b, float[] minima, boolean small, int[] words, int at);

    /*
     * A 16-bit float moved to the place of a float32 lacks a factor for the other bias of its exponent. As long as all
     * numbers of a panel are below 128 they get exponents without subnormal numbers, which some processors multiply slowly:
     * field e means 2^(e - 25).
     */
    private static final float SMALL = 0x1p102f;
    private static final float PLAIN = 0x1p112f;

    private static boolean small(float[] numbers) {
        float largest = 0;
        for (float v : numbers) {
            largest = Math.max(largest, Math.abs(v));
        }
        return largest < 128;
    }

    private static int bits(float value, boolean small) {
        if (!small) {
            return Float.floatToFloat16(value) & 0xffff;
        }
        int bits = Float.floatToRawIntBits(value);
        int exponent = value == 0 ? 0 : Math.getExponent(value) + 25;
        return bits >>> 16 & 0x8000 | exponent << 10 | bits >>> 13 & 0x3ff;
    }

    /** The numbers of block b of all rows, in pairs. */
    final void packPairs(float[] numbers, int b, boolean small, int[] words, int at) {
        for (int r = 0; r < L; r++) {
            int low = bits(numbers[r * blocks + b], small);
            words[at + r] = low | bits(numbers[(L + r) * blocks + b], small) << 16;
        }
    }

    /** What the scales of a panel must be multiplied by. */
    static float factor(MemorySegment data, long panel) {
        return data.get(FLOAT, panel);
    }

    static int word(MemorySegment data, long at, int r) {
        return data.get(INT, at + 4L * (r % L));
    }

    /** Row r of pairs. */
    static float number(MemorySegment data, long at, int r, float factor) {
        int pair = word(data, at, r);
        int bits = r < L ? pair << 16 : pair;
        return Float.intBitsToFloat(bits >> 3 & 0x8fffe000) * factor;
    }

    /** The code of row r in a block that begins at {@code at}. */
    abstract int code(MemorySegment data, long at, int r, int i);

    /** The minimum of row r in a block that begins at {@code at}. */
    abstract float minimum(MemorySegment data, long at, int r, float factor);

    @Override
    final void unpack(MemorySegment data, int row, float scale, float[] out, int at) {
        int r = row % width;
        long panel = at(row / width);
        float factor = factor(data, panel);
        for (int i = 0; i < columns; i++) {
            long block = panel + HEAD + i / BLOCK * step;
            float product = number(data, block, r, factor) * code(data, block, r, i % BLOCK);
            out[at + i] = scale * (product + minimum(data, block, r, factor));
        }
    }

    /** The inputs; then what the sum of each block begins with; then the sum of each block's inputs. */
    @Override
    final int prepared(int rows) {
        return padded() + 2 * blocks;
    }

    @Override
    final void prepare(float[] x, int at, float[] prepared, int to, int rows) {
        Arrays.fill(prepared, to + columns, to + padded(), 0);
        for (int i = columns / BLOCK * BLOCK; i < columns; i++) {
            prepared[to + i] = x[at + i];
        }
        for (int b = 0; b < blocks; b++) {
            int o = to + b * BLOCK;
            boolean whole = (b + 1) * BLOCK <= columns;
            float[] source = whole ? x : prepared;
            int from = whole ? at + b * BLOCK : o;
            FloatVector first = FloatVector.zero(F);
            FloatVector sum = first;
            for (int i = 0; i < BLOCK; i += L) {
                FloatVector v = FloatVector.fromArray(F, source, from + i);
                first = v.fma(FloatVector.fromArray(F, begin, i), first);
                sum = sum.add(v);
                v.mul(FloatVector.fromArray(F, factors, i)).intoArray(prepared, o + i);
            }
            prepared[to + padded() + b] = Lanes.sum(first);
            prepared[to + padded() + blocks + b] = Lanes.sum(sum);
        }
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
            float[] scratch) {
        long at = at(panel);
        float factor = factor(data, at);
        if (rows == 1) {
            row(data, at + HEAD, factor, prepared, out, outAt);
            return;
        }
        for (int t = first; t <= last; t++) {
            Arrays.fill(out, outAt + t * stride, outAt + t * stride + width, 0);
        }
        boolean minima = minima();
        int floats = prepared(rows);
        for (int b = 0; b < blocks; b += WIDENED) {
            int count = Math.min(WIDENED, blocks - b);
            widen(data, at + HEAD + b * step, count, factor, scratch);
            for (int t = first; t <= last; ) {
                int end = Math.min(last, t + tile(last - t + 1) - 1);
                switch (end - t) {
                    case 0, 1 ->
                        TilesBlocks.rows2(
                                scratch, b, count, blocks, minima, prepared, floats, t, end, out, outAt, stride);
                    case 2, 3 ->
                        TilesBlocks.rows4(
                                scratch, b, count, blocks, minima, prepared, floats, t, end, out, outAt, stride);
                    case 4, 5 ->
                        TilesBlocks.rows6(
                                scratch, b, count, blocks, minima, prepared, floats, t, end, out, outAt, stride);
                    default ->
                        TilesBlocks.rows8(
                                scratch, b, count, blocks, minima, prepared, floats, t, end, out, outAt, stride);
                }
                t = end + 1;
            }
        }
    }

    /** Rows of the next tile when so many are left: 9 and 10 are 6 and 4 rather than 8 and 2. */
    private static int tile(int left) {
        return left == 9 || left == 10 ? 6 : 8;
    }

    @Override
    final int scratch(int rows) {
        return rows == 1 ? 0 : Math.min(WIDENED, blocks) * TilesBlocks.WIDE;
    }

    /** One row of x: panels in pairs, each of its half of the range. */
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
            float[] scratch) {
        int half = (to - from) / 2;
        for (int p = from; p < from + half; p++) {
            long at0 = at(p);
            long at1 = at(p + half);
            float factor0 = factor(data, at0);
            float factor1 = factor(data, at1);
            pair(data, at0 + HEAD, at1 + HEAD, factor0, factor1, prepared, out, p * width, (p + half) * width);
        }
        if ((to - from) % 2 > 0) {
            multiply(data, to - 1, x, prepared, rows, 0, 0, out, (to - 1) * width, stride, scratch);
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

    /** Whether blocks have minima. */
    abstract boolean minima();

    /**
     * Widens {@code count} blocks from byte {@code at}, each to {@link TilesBlocks#WIDE} floats: its codes as they are in
     * their words, [32, width], then the scales, then room for minima.
     */
    abstract void widen(MemorySegment data, long at, int count, float factor, float[] wide);
}
