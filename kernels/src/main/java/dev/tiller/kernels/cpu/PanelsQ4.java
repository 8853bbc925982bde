package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.L;

import java.lang.foreign.MemorySegment;

/**
 * Weights in codes of 4 bits with a minimum. The words of a block hold eight codes each, the first one at the bottom; first
 * the words of rows 0 to L - 1 and L to 2 L - 1 with inputs 0 4 .. 28, then 1 5 .. 29, 2 6 .. 30, 3 7 .. 31.
 */
final class PanelsQ4 extends PanelsBlocks {
    private static final float[] FACTORS = new float[BLOCK];
    private static final float[] BEGIN = new float[BLOCK];
    private static final int[] MASKS = new int[BLOCK];
    private static final int[] PLACES = new int[BLOCK];

    static {
        for (int i = 0; i < BLOCK; i++) {
            FACTORS[i] = Math.scalb(1f, -4 * (i / 4));
            BEGIN[i] = i < 28 ? 0 : 8;
            MASKS[i] = 15 << 4 * (i / 4);
            PLACES[i] = 2 * (i % 4);
        }
    }

    /** Of the topmost code of a word, whose highest bit is a sign, is kept that code less 8. */
    private static final int TOP = 0x80000000;

    PanelsQ4(int columns) {
        super(columns, 10, 8, FACTORS, BEGIN, MASKS, PLACES, true);
    }

    @Override
    String name() {
        return "q4-3";
    }

    @Override
    void packBlock(byte[] codes, int b, float[] minima, boolean small, int[] words, int at) {
        for (int r = 0; r < width; r++) {
            int from = r * padded() + b * BLOCK;
            for (int v = 0; v < 4; v++) {
                int word = 0;
                for (int j = 0; j < 8; j++) {
                    word |= codes[from + v + 4 * j] << 4 * j;
                }
                words[at + v * 2 * L + r] = word ^ TOP;
            }
        }
        BlockScales.pack(minima, blocks, b, small, words, at + 9 * L);
    }

    @Override
    int code(MemorySegment data, long at, int r, int i) {
        return (word(data, at + (i % 4 * 2 + r / L) * WORDS, r) ^ TOP) >>> i / 4 * 4 & 15;
    }

    @Override
    float minimum(MemorySegment data, long at, int r, float factor) {
        return BlockScales.number(data, at + 9 * WORDS, r, factor);
    }

    @Override
    void row(MemorySegment data, long at, float factor, float[] x, float[] out, int outAt) {
        TilesQ4.row(data, at, blocks, factor, x, out, outAt);
    }

    @Override
    void pair(
            MemorySegment data,
            long at0,
            long at1,
            float factor0,
            float factor1,
            float[] x,
            float[] out,
            int outAt0,
            int outAt1) {
        TilesQ4.row(data, at0, at1, blocks, factor0, factor1, x, out, outAt0, outAt1);
    }
}
