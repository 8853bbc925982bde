package dev.tiller.kernels;

import dev.tiller.loader.TensorView;
import java.util.Arrays;
import java.util.List;

/** What the backends that keep their buffers in Java arrays have in common: buffers, copies, pages. */
public abstract class HeapBackend implements Backend {
    @Override
    public final Buffer buffer(int rows, int columns) {
        return new HeapBuffer(this, rows, columns);
    }

    @Override
    public final void write(float[] source, int from, Buffer target, int row, int rows) {
        Arguments.copy(this, source, from, target, row, rows);
        int n = target.columns();
        System.arraycopy(source, from, HeapBuffer.array(target), row * n, rows * n);
    }

    @Override
    public final void read(Buffer source, int row, int rows, float[] target, int at) {
        Arguments.copy(this, target, at, source, row, rows);
        int n = source.columns();
        System.arraycopy(HeapBuffer.array(source), row * n, target, at, rows * n);
    }

    @Override
    public final void clear(Buffer buffer) {
        Arguments.rows(this, "buffer", buffer, 0);
        Arrays.fill(HeapBuffer.array(buffer), 0);
    }

    @Override
    public final WeightFormat naturalFormat(TensorView weight) {
        return WeightFormat.natural(weight.dtype());
    }

    @Override
    public final List<WeightFormat> kvFormats(WeightFormat weights) {
        return WeightFormat.PLAIN;
    }

    /** Three quarters of the Java heap: the rest is for the buffers of a step and for everything else. */
    @Override
    public final long kvMemory() {
        return mostKvMemory() / 4 * 3;
    }

    @Override
    public final long mostKvMemory() {
        return Runtime.getRuntime().maxMemory();
    }

    @Override
    public final KvPages kvPages(int blocks, int kvHeads, int headDim, WeightFormat format) {
        if (format == null || !WeightFormat.PLAIN.contains(format)) {
            throw new IllegalArgumentException("expected keys and values in F32, BF16 or F16, found " + format);
        }
        return new HeapKvPages(this, blocks, kvHeads, headDim, format);
    }

    @Override
    public final void gather(Buffer x, int[] index, int count, Buffer out) {
        Arguments.gather(this, x, index, count, out);
        int n = x.columns();
        for (int i = 0; i < count; i++) {
            System.arraycopy(HeapBuffer.array(x), index[i] * n, HeapBuffer.array(out), i * n, n);
        }
    }
}
