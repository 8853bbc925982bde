package dev.tiller.loader;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The numbers of a tensor of ggml's blocks. Every type comes down to runs of 32 or 16 numbers that share a scale and, in
 * some, a minimum: scale code + minimum. Products and sums are rounded to float32 one by one (no fused multiply-add), as
 * the gguf package for Python does, so that results are equal bit by bit.
 *
 * @param dtype a type of blocks
 * @param data the tensor's bytes
 */
record Blocks(DType dtype, MemorySegment data) {
    /** Elements of a block of the simple types, and of a run of most others. */
    static final int SIZE = 32;

    /** Elements of the blocks of the K types. */
    static final int SUPER = 256;

    /** Elements are staged in so many at a time: they stay in the first-level cache. */
    private static final int STAGE = 16 * SUPER;

    /** What the codes of IQ4_NL and IQ4_XS stand for. */
    private static final byte[] NONLINEAR = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

    /** Elements that share a scale. */
    static int run(DType dtype) {
        return switch (dtype) {
            case Q2_K, Q3_K, Q6_K -> 16;
            default -> SIZE;
        };
    }

    /** True if a minimum is added; for Q4_0 it stands for the offset of its codes. */
    static boolean hasMinimum(DType dtype) {
        return switch (dtype) {
            case Q4_0, Q4_1, Q5_1, Q2_K, Q4_K, Q5_K -> true;
            default -> false;
        };
    }

    /** As {@link DType#toFloats}: {@code from} and {@code count} need not be multiples of the block. */
    void toFloats(long from, float[] out, int at, int count) {
        int run = run(dtype);
        byte[] codes = new byte[STAGE];
        float[] scales = new float[STAGE / run];
        float[] minima = new float[STAGE / run];
        int done = 0;
        while (done < count) {
            int skip = (int) ((from + done) % run);
            int n = Math.min(STAGE - skip, count - done);
            int runs = Math.ceilDiv(skip + n, run);
            read((from + done) / run, runs, codes, 0, scales, minima, 0);
            for (int r = 0; r < runs; r++) {
                int first = Math.max(skip, r * run);
                int last = Math.min(skip + n, (r + 1) * run);
                values(codes, first, last, scales[r], minima[r], out, at + done - skip);
            }
            done += n;
        }
    }

    private void values(byte[] codes, int first, int last, float scale, float minimum, float[] out, int shift) {
        if (dtype == DType.Q4_0) { // the same numbers as with the minimum, but for the sign of a zero
            for (int i = first; i < last; i++) {
                out[shift + i] = scale * (codes[i] - 8);
            }
        } else if (hasMinimum(dtype)) {
            for (int i = first; i < last; i++) {
                out[shift + i] = scale * codes[i] + minimum;
            }
        } else {
            for (int i = first; i < last; i++) {
                out[shift + i] = scale * codes[i];
            }
        }
    }

    /** As {@link TensorView#copyBlocks}, by runs of this type; minima are only written where it has them. */
    void read(long first, int count, byte[] codes, int at, float[] scales, float[] minima, int runAt) {
        int run = run(dtype);
        int perBlock = dtype.blockSize() / run;
        int bytes = dtype.blockBytes();
        byte[] b = new byte[bytes];
        long loaded = -1;
        for (int r = 0; r < count; r++) {
            long block = (first + r) / perBlock;
            if (block != loaded) {
                MemorySegment.copy(data, ValueLayout.JAVA_BYTE, block * bytes, b, 0, bytes);
                loaded = block;
            }
            int part = (int) ((first + r) % perBlock);
            int to = at + r * run;
            int i = runAt + r;
            switch (dtype) {
                case Q8_0 -> {
                    scales[i] = f16(b, 0);
                    System.arraycopy(b, 2, codes, to, SIZE);
                }
                case Q4_0, Q4_1, Q5_0, Q5_1 -> simple(b, codes, to, scales, minima, i);
                case IQ4_NL -> {
                    scales[i] = f16(b, 0);
                    nonlinear(b, 2, codes, to);
                }
                case IQ4_XS -> {
                    int high = (b[2] & 255 | (b[3] & 255) << 8) >> 2 * part & 3;
                    int low = b[4 + part / 2] >> 4 * (part % 2) & 15;
                    scales[i] = f16(b, 0) * ((low | high << 4) - 32);
                    nonlinear(b, 8 + 16 * part, codes, to);
                }
                case Q2_K -> {
                    scales[i] = f16(b, 80) * (b[part] & 15);
                    minima[i] = -(f16(b, 82) * (b[part] >> 4 & 15));
                    twoBits(b, 16, part, codes, to);
                }
                case Q3_K -> threeBits(b, part, codes, to, scales, i);
                case Q4_K, Q5_K -> withMinimum(b, part, codes, to, scales, minima, i);
                case Q6_K -> sixBits(b, part, codes, to, scales, i);
                default -> throw new IllegalArgumentException("expected a type of blocks, found " + dtype);
            }
        }
    }

    /** Low bits in halves: byte j holds those of elements j and 16 + j; the fifth bits are bits of one word. */
    private void simple(byte[] b, byte[] codes, int to, float[] scales, float[] minima, int i) {
        float scale = f16(b, 0);
        scales[i] = scale;
        switch (dtype) {
            case Q4_0 -> {
                minima[i] = -8 * scale;
                halves(b, 2, codes, to);
            }
            case Q4_1 -> {
                minima[i] = f16(b, 2);
                halves(b, 4, codes, to);
            }
            case Q5_0 -> {
                halves(b, 6, codes, to);
                fifthBits(b, 2, codes, to, -16);
            }
            default -> {
                minima[i] = f16(b, 2);
                halves(b, 8, codes, to);
                fifthBits(b, 4, codes, to, 0);
            }
        }
    }

    private static void halves(byte[] b, int from, byte[] codes, int to) {
        for (int j = 0; j < SIZE / 2; j++) {
            codes[to + j] = (byte) (b[from + j] & 15);
            codes[to + SIZE / 2 + j] = (byte) (b[from + j] >> 4 & 15);
        }
    }

    private static void fifthBits(byte[] b, int from, byte[] codes, int to, int offset) {
        for (int j = 0; j < SIZE; j++) {
            codes[to + j] += (byte) ((b[from + j / 8] >> j % 8 & 1) * 16 + offset);
        }
    }

    private static void nonlinear(byte[] b, int from, byte[] codes, int to) {
        for (int j = 0; j < SIZE / 2; j++) {
            codes[to + j] = NONLINEAR[b[from + j] & 15];
            codes[to + SIZE / 2 + j] = NONLINEAR[b[from + j] >> 4 & 15];
        }
    }

    /** Each 32 bytes hold 128 elements: bits 0-1 the first 32, bits 2-3 the next, and so on. */
    private static void twoBits(byte[] b, int from, int part, byte[] codes, int to) {
        int source = from + part / 8 * 32 + part % 2 * 16;
        int shift = part % 8 / 2 * 2;
        for (int j = 0; j < 16; j++) {
            codes[to + j] = (byte) (b[source + j] >> shift & 3);
        }
    }

    /** Third bits (set means not 4 less) at 0, low bits at 32, 6-bit scales at 96, the scale of the block at 108. */
    private static void threeBits(byte[] b, int part, byte[] codes, int to, float[] scales, int i) {
        int low = b[96 + part % 8] >> part / 8 * 4 & 15;
        int high = b[104 + part % 4] >> part / 4 * 2 & 3;
        scales[i] = f16(b, 108) * ((low | high << 4) - 32);
        twoBits(b, 32, part, codes, to);
        int bit = part / 2;
        int source = part % 2 * 16;
        for (int j = 0; j < 16; j++) {
            codes[to + j] -= (byte) (4 - 4 * (b[source + j] >> bit & 1));
        }
    }

    /**
     * Q4_K and Q5_K: scale and minimum of the block, eight pairs of 6 bits from 4 on, then for Q5_K the fifth bits, then the
     * low bits: each 32 bytes hold 64 elements, the first 32 in the low halves.
     */
    private void withMinimum(byte[] b, int part, byte[] codes, int to, float[] scales, float[] minima, int i) {
        int scale;
        int minimum;
        if (part < 4) {
            scale = b[4 + part] & 63;
            minimum = b[8 + part] & 63;
        } else {
            scale = b[8 + part] & 15 | b[part] >> 2 & 48;
            minimum = b[8 + part] >> 4 & 15 | b[4 + part] >> 2 & 48;
        }
        scales[i] = f16(b, 0) * scale;
        minima[i] = -(f16(b, 2) * minimum);
        boolean five = dtype == DType.Q5_K;
        int source = (five ? 48 : 16) + part / 2 * SIZE;
        int shift = part % 2 * 4;
        for (int j = 0; j < SIZE; j++) {
            int fifth = five ? b[16 + j] >> part & 1 : 0;
            codes[to + j] = (byte) (b[source + j] >> shift & 15 | fifth << 4);
        }
    }

    /** Low bits at 0: each 64 bytes hold 128 elements; high bits as {@link #twoBits}; scales at 192, that of the block last. */
    private static void sixBits(byte[] b, int part, byte[] codes, int to, float[] scales, int i) {
        scales[i] = f16(b, 208) * b[192 + part];
        twoBits(b, 128, part, codes, to);
        int source = part / 8 * 64 + part % 4 * 16;
        int shift = part % 8 / 4 * 4;
        for (int j = 0; j < 16; j++) {
            codes[to + j] = (byte) ((b[source + j] >> shift & 15 | codes[to + j] << 4) - 32);
        }
    }

    private static float f16(byte[] b, int at) {
        return Float.float16ToFloat((short) (b[at] & 255 | b[at + 1] << 8));
    }
}
