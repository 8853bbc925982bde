package dev.tiller.kernels.cuda;

import dev.tiller.kernels.Matrix;
import dev.tiller.kernels.WeightFormat;

/** A weight [n, k] in device memory, row after row. */
final class CudaMatrix implements Matrix {
    private final CudaBackend owner;
    private final int rows;
    private final int columns;
    private final WeightFormat format;
    private final DeviceMemory memory;

    CudaMatrix(CudaBackend owner, GpuMemory heap, int rows, int columns, WeightFormat format) {
        this.owner = owner;
        this.rows = rows;
        this.columns = columns;
        this.format = format;
        this.memory = heap.take(this, (long) rows * columns * format.bytes(), "the weights");
    }

    CudaBackend owner() {
        return owner;
    }

    @Override
    public int rows() {
        return rows;
    }

    @Override
    public int columns() {
        return columns;
    }

    @Override
    public WeightFormat format() {
        return format;
    }

    @Override
    public long bytes() {
        return (long) rows * columns * format.bytes();
    }

    long address() {
        return memory.address();
    }
}
