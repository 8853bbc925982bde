package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.L;

import java.lang.foreign.MemorySegment;

/**
 * Weights in codes of 8 bits. The words of a block hold four codes each, the first one at the bottom; first the words of
 * rows 0 to L - 1 and L to 2 L - 1 with inputs 0 4 8 12, then 1 5 9 13, 2 6 10 14, 3 7 11 15, and the same with 16 more.
 */
final class PanelsQ8 extends PanelsBlocks {
    /** Codes that are not at the top of their word are kept plus 128, so that they have no sign. */
    private static final int SIGNS = 0x00808080;

    private static final float[] FACTORS = new float[BLOCK];
    private static final float[] BEGIN = new float[BLOCK];
    private static final int[] MASKS = new int[BLOCK];
    private static final int[] PLACES = new int[BLOCK];

    static {
        for (int i = 0; i < BLOCK; i++) {
            FACTORS[i] = Math.scalb(1f, -8 * (i / 4 % 4));
            BEGIN[i] = i % 16 < 12 ? -128 : 0;
            MASKS[i] = 255 << 8 * (i / 4 % 4);
            PLACES[i] = 2 * (i / 16 * 4 + i % 4);
        }
    }

    PanelsQ8(int columns) {
        super(columns, 17, 16, FACTORS, BEGIN, MASKS, PLACES, false);
    }

    @Override
    String name() {
        return "q8-3";
    }

    @Override
    void packBlock(byte[] codes, int b, float[] minima, boolean small, int[] words, int at) {
        for (int r = 0; r < width; r++) {
            int from = r * padded() + b * BLOCK;
            for (int v = 0; v < 8; v++) {
                int i = from + v / 4 * 16 + v % 4;
                int word =
                        codes[i] & 255 | (codes[i + 4] & 255) << 8 | (codes[i + 8] & 255) << 16 | codes[i + 12] << 24;
                words[at + v * 2 * L + r] = word ^ SIGNS;
            }
        }
    }

    @Override
    int code(MemorySegment data, long at, int r, int i) {
        int v = i / 16 * 4 + i % 4;
        int word = word(data, at + (2 * v + r / L) * WORDS, r) ^ SIGNS;
        return (byte) (word >> i / 4 % 4 * 8);
    }

    @Override
    float minimum(MemorySegment data, long at, int r, float factor) {
        return 0;
    }

    @Override
    void row(MemorySegment data, long at, float factor, float[] x, float[] out, int outAt) {
        TilesQ8.row(data, at, blocks, factor, x, out, outAt);
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
        TilesQ8.row(data, at0, at1, blocks, factor0, factor1, x, out, outAt0, outAt1);
    }
}
