package dev.tiller.loader.gguf;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Tensors of a GGUF file in the form the forward pass reads: F32, F16 or BF16, rows in Hugging Face's order. */
final class GgufWeights implements AutoCloseable {
    /** A tensor of fewer elements per thread is not worth starting one. */
    private static final long ELEMENTS_PER_THREAD = 1 << 18;

    private final Arena arena = Arena.ofShared();

    /**
     * The elements of a readable tensor: a view of the file where that will do, else a copy that lives until close.
     *
     * @param rowOrder [rows] which stored row each row of the result is, null for the stored order; the rows of a vector
     *     are its elements
     */
    MemorySegment load(GgufTensor tensor, int[] rowOrder) {
        if (tensor.type().blockSize() > 1) {
            return dequantise(tensor, rowOrder);
        }
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

    private MemorySegment dequantise(GgufTensor tensor, int[] rowOrder) {
        long columns = tensor.dims()[0];
        long rows = tensor.elements() / columns;
        MemorySegment out = arena.allocate(tensor.elements() * Float.BYTES, 64);
        long threads = Math.clamp(
                tensor.elements() / ELEMENTS_PER_THREAD, 1, Runtime.getRuntime().availableProcessors());
        List<CompletableFuture<Void>> helpers = new ArrayList<>();
        for (long t = 1; t < threads; t++) {
            long from = rows * t / threads;
            long to = rows * (t + 1) / threads;
            helpers.add(CompletableFuture.runAsync(
                    () -> dequantiseRows(tensor, rowOrder, from, to, out), Thread.ofPlatform()::start));
        }
        dequantiseRows(tensor, rowOrder, 0, rows / threads, out);
        helpers.forEach(CompletableFuture::join);
        return out;
    }

    private static void dequantiseRows(GgufTensor tensor, int[] rowOrder, long from, long to, MemorySegment out) {
        Dequantiser blocks = new Dequantiser(tensor);
        long columns = tensor.dims()[0];
        if (rowOrder == null) {
            blocks.run(from * columns, (to - from) * columns, out, from * columns);
            return;
        }
        for (long r = from; r < to; r++) {
            blocks.run(rowOrder[(int) r] * columns, columns, out, r * columns);
        }
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
