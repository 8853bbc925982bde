package dev.tiller.loader.gguf;

import dev.tiller.loader.TensorView;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Tensors of a GGUF file that are not as Hugging Face has them, put right. */
final class GgufWeights implements AutoCloseable {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Arena arena = Arena.ofShared();

    /**
     * A copy of a tensor's bytes with its rows in another order, which lives until close. Blocks never cross rows, so rows of
     * blocks move as they are.
     *
     * @param rowOrder [rows] which stored row each row of the result is; the rows of a vector are its elements
     */
    MemorySegment reordered(MemorySegment stored, int[] rowOrder) {
        long rowBytes = stored.byteSize() / rowOrder.length;
        MemorySegment out = arena.allocate(stored.byteSize(), 64);
        for (int r = 0; r < rowOrder.length; r++) {
            MemorySegment.copy(stored, rowOrder[r] * rowBytes, out, r * rowBytes, rowBytes);
        }
        return out;
    }

    /**
     * The numbers less one, in F32, which lives until close. The converter stored x = 1 + w rounded to float32, and the
     * model computes 1 + (x - 1), which is x again for every such x: for w up to -1/2 the sum 1 + w is exact, so x - 1 = w;
     * for greater w x is at least 1/2, and x - 1 is exact.
     */
    MemorySegment lessOne(TensorView stored) {
        float[] numbers = stored.toFloats();
        MemorySegment out = arena.allocate(Float.BYTES * (long) numbers.length, 64);
        for (int i = 0; i < numbers.length; i++) {
            out.set(FLOAT, (long) i * Float.BYTES, numbers[i] - 1);
        }
        return out;
    }

    /**
     * Row order that undoes the pairing of rotary dimensions: row j of the first half of a head is stored as row 2j of
     * that head, row j of the second half as row 2j+1.
     *
     * @return [heads * headDim] stored row of each row
     */
    static int[] halvesFromPairs(int heads, int headDim) {
        int half = headDim / 2;
        int[] order = new int[heads * headDim];
        for (int h = 0; h < heads; h++) {
            for (int j = 0; j < half; j++) {
                order[h * headDim + j] = h * headDim + 2 * j;
                order[h * headDim + half + j] = h * headDim + 2 * j + 1;
            }
        }
        return order;
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
