package dev.tiller.loader.gguf;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Tensors of a GGUF file with their rows in Hugging Face's order. */
final class GgufWeights implements AutoCloseable {
    private final Arena arena = Arena.ofShared();

    /**
     * The bytes of a readable tensor: a view of the file where that will do, else a copy that lives until close. Blocks
     * never cross rows, so rows of blocks move as they are.
     *
     * @param rowOrder [rows] which stored row each row of the result is, null for the stored order; the rows of a vector
     *     are its elements
     */
    MemorySegment load(GgufTensor tensor, int[] rowOrder) {
        if (rowOrder == null) {
            return tensor.data();
        }
        MemorySegment stored = tensor.data();
        long rowBytes = stored.byteSize() / rowOrder.length;
        MemorySegment out = arena.allocate(stored.byteSize(), 64);
        for (int r = 0; r < rowOrder.length; r++) {
            MemorySegment.copy(stored, rowOrder[r] * rowBytes, out, r * rowBytes, rowBytes);
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
