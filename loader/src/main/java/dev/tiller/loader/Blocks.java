package dev.tiller.loader;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * The blocks of a tensor of Q8_0, Q4_0 or Q4_1 as ggml lays them out: the f16 scale, for Q4_1 the f16 minimum, the codes.
 * Of codes of 4 bits, the low halves of the 16 bytes are elements 0 to 15, the high ones 16 to 31. Products and sums are
 * rounded to float32 one by one (no fused multiply-add), as the gguf package for Python does, so that results are equal
 * bit by bit.
 *
 * @param dtype one of the three
 * @param data the tensor's bytes
 */
record Blocks(DType dtype, MemorySegment data) {
    /** Elements of a block of any of the three. */
    static final int SIZE = 32;

    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Blocks are staged in so many at a time: they stay in the first-level cache. */
    private static final int STAGE = 128;

    /** As {@link DType#toFloats}: {@code from} and {@code count} need not be multiples of the block. */
    void toFloats(long from, float[] out, int at, int count) {
        byte[] codes = new byte[STAGE * SIZE];
        float[] scales = new float[STAGE];
        float[] minima = new float[STAGE];
        int done = 0;
        while (done < count) {
            int skip = (int) ((from + done) % SIZE);
            int n = Math.min(STAGE * SIZE - skip, count - done);
            int blocks = Math.ceilDiv(skip + n, SIZE);
            read((from + done) / SIZE, blocks, codes, 0, scales, minima, 0);
            for (int b = 0; b < blocks; b++) {
                int first = Math.max(skip, b * SIZE);
                int last = Math.min(skip + n, (b + 1) * SIZE);
                values(codes, first, last, scales[b], minima[b], out, at + done - skip);
            }
            done += n;
        }
    }

    private void values(byte[] codes, int first, int last, float scale, float minimum, float[] out, int shift) {
        switch (dtype) {
            case Q8_0 -> {
                for (int i = first; i < last; i++) {
                    out[shift + i] = scale * codes[i];
                }
            }
            case Q4_0 -> { // the same numbers as with the minimum, but for the sign of a zero
                for (int i = first; i < last; i++) {
                    out[shift + i] = scale * (codes[i] - 8);
                }
            }
            default -> {
                for (int i = first; i < last; i++) {
                    out[shift + i] = scale * codes[i] + minimum;
                }
            }
        }
    }

    /** As {@link TensorView#copyBlocks}. */
    void read(long first, int count, byte[] codes, int at, float[] scales, float[] minima, int blockAt) {
        int blockBytes = dtype.blockBytes();
        for (int b = 0; b < count; b++) {
            long from = (first + b) * blockBytes;
            float scale = Float.float16ToFloat(data.get(SHORT, from));
            scales[blockAt + b] = scale;
            int to = at + b * SIZE;
            switch (dtype) {
                case Q8_0 -> MemorySegment.copy(data, ValueLayout.JAVA_BYTE, from + 2, codes, to, SIZE);
                case Q4_0 -> {
                    minima[blockAt + b] = -8 * scale;
                    halves(from + 2, codes, to);
                }
                default -> {
                    minima[blockAt + b] = Float.float16ToFloat(data.get(SHORT, from + 2));
                    halves(from + 4, codes, to);
                }
            }
        }
    }

    private void halves(long from, byte[] codes, int to) {
        MemorySegment.copy(data, ValueLayout.JAVA_BYTE, from, codes, to, SIZE / 2);
        for (int i = to; i < to + SIZE / 2; i++) {
            codes[i + SIZE / 2] = (byte) (codes[i] >> 4 & 15);
            codes[i] &= 15;
        }
    }
}
