package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.L;

import java.lang.foreign.MemorySegment;

/**
 * Scales and minima of the blocks of a panel, see {@link PanelsBlocks}: 16-bit floats in pairs, one of row r and one of row
 * r + L in a word.
 *
 * <p>A 16-bit float moved to the place of a float32 lacks a factor for the other bias of its exponent, which a panel begins
 * with. As long as all numbers of a panel are below 128 they get exponents without subnormal numbers, which some processors
 * multiply slowly: field e means 2^(e - 25).
 */
final class BlockScales {
    private static final float SMALL = 0x1p102f;
    private static final float PLAIN = 0x1p112f;

    private BlockScales() {}

    static boolean small(float[] numbers) {
        float largest = 0;
        for (float v : numbers) {
            largest = Math.max(largest, Math.abs(v));
        }
        return largest < 128;
    }

    /** What the numbers of a panel must be multiplied by. */
    static float factor(boolean small) {
        return small ? SMALL : PLAIN;
    }

    /** Writes the numbers of block b of all rows, each of so many blocks. */
    static void pack(float[] numbers, int blocks, int b, boolean small, int[] words, int at) {
        for (int r = 0; r < L; r++) {
            int low = bits(numbers[r * blocks + b], small);
            words[at + r] = low | bits(numbers[(L + r) * blocks + b], small) << 16;
        }
    }

    private static int bits(float value, boolean small) {
        if (!small) {
            return Float.floatToFloat16(value) & 0xffff;
        }
        int bits = Float.floatToRawIntBits(value);
        int exponent = value == 0 ? 0 : Math.getExponent(value) + 25;
        return bits >>> 16 & 0x8000 | exponent << 10 | bits >>> 13 & 0x3ff;
    }

    /** The number of row r. */
    static float number(MemorySegment data, long at, int r, float factor) {
        int pair = PanelsBlocks.word(data, at, r);
        int bits = r < L ? pair << 16 : pair;
        return Float.intBitsToFloat(bits >> 3 & 0x8fffe000) * factor;
    }
}
