package dev.tiller.loader.gguf;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Turns the blocks of one tensor into float32. A block of Q8_0 is an f16 scale d and 32 signed bytes q, values d*q; of
 * Q4_0, d and 16 bytes of two nibbles, values d*(q-8); of Q4_1, d, an f16 minimum m and 16 bytes, values d*q+m. The low
 * nibbles are elements 0 to 15, the high ones 16 to 31. Formats: ggml. Products and sums are rounded to float32 one by
 * one (no fused multiply-add), as the gguf package for Python does, so that results are equal bit by bit.
 *
 * <p>One instance serves one thread.
 */
final class Dequantiser {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Elements per step: a multiple of every block size, small enough for the first-level cache. */
    private static final int STEP = 4096;

    private final GgufTensor tensor;
    private final byte[] in;
    private final float[] out = new float[STEP];

    /** For a tensor of a readable type. */
    Dequantiser(GgufTensor tensor) {
        tensor.requireReadable();
        this.tensor = tensor;
        this.in = new byte[STEP / tensor.type().blockSize() * tensor.type().blockBytes()];
    }

    /**
     * Converts {@code count} elements.
     *
     * @param from flat index of the first element; a multiple of the block size, as is count
     * @param target float32 elements, little-endian
     * @param to index of the first converted element in target
     */
    void run(long from, long count, MemorySegment target, long to) {
        GgufType type = tensor.type();
        for (long done = 0; done < count; done += STEP) {
            int n = (int) Math.min(STEP, count - done);
            int blocks = n / type.blockSize();
            long firstByte = (from + done) / type.blockSize() * type.blockBytes();
            MemorySegment.copy(tensor.data(), ValueLayout.JAVA_BYTE, firstByte, in, 0, blocks * type.blockBytes());
            switch (type) {
                case F32 -> floats(n);
                case F16 -> halves(n);
                case BF16 -> brains(n);
                case Q8_0 -> eightBits(blocks);
                case Q4_0 -> fourBits(blocks);
                case Q4_1 -> fourBitsWithMinimum(blocks);
                default -> throw new IllegalStateException(type + " is not readable");
            }
            MemorySegment.copy(out, 0, target, FLOAT, (to + done) * Float.BYTES, n);
        }
    }

    private void floats(int n) {
        for (int i = 0; i < n; i++) {
            out[i] = Float.intBitsToFloat(bits16(4 * i) | bits16(4 * i + 2) << 16);
        }
    }

    private void halves(int n) {
        for (int i = 0; i < n; i++) {
            out[i] = Float.float16ToFloat((short) bits16(2 * i));
        }
    }

    private void brains(int n) {
        for (int i = 0; i < n; i++) {
            out[i] = Float.intBitsToFloat(bits16(2 * i) << 16);
        }
    }

    private void eightBits(int blocks) {
        for (int b = 0; b < blocks; b++) {
            int p = b * 34;
            float d = Float.float16ToFloat((short) bits16(p));
            for (int i = 0; i < 32; i++) {
                out[b * 32 + i] = d * in[p + 2 + i];
            }
        }
    }

    private void fourBits(int blocks) {
        for (int b = 0; b < blocks; b++) {
            int p = b * 18;
            float d = Float.float16ToFloat((short) bits16(p));
            for (int i = 0; i < 16; i++) {
                int q = in[p + 2 + i];
                out[b * 32 + i] = d * ((q & 15) - 8);
                out[b * 32 + 16 + i] = d * ((q >> 4 & 15) - 8);
            }
        }
    }

    private void fourBitsWithMinimum(int blocks) {
        for (int b = 0; b < blocks; b++) {
            int p = b * 20;
            float d = Float.float16ToFloat((short) bits16(p));
            float m = Float.float16ToFloat((short) bits16(p + 2));
            for (int i = 0; i < 16; i++) {
                int q = in[p + 4 + i];
                out[b * 32 + i] = d * (q & 15) + m;
                out[b * 32 + 16 + i] = d * (q >> 4 & 15) + m;
            }
        }
    }

    private int bits16(int at) {
        return in[at] & 0xFF | (in[at + 1] & 0xFF) << 8;
    }
}
