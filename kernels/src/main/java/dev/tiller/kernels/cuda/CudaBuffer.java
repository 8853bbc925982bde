package dev.tiller.kernels.cuda;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.WeightFormat;

/**
 * A matrix in device memory. Behind its last row lies room for the dummy rows of a recorded step. Memory of a buffer that
 * nobody holds any more is given back.
 */
final class CudaBuffer implements Buffer {
    private final CudaBackend owner;
    private final int rows;
    private final int columns;
    private final WeightFormat format;
    private final DeviceMemory memory;
    private DeviceMemory sums;
    private boolean summing;

    CudaBuffer(CudaBackend owner, GpuMemory heap, int rows, int columns, WeightFormat format) {
        if (rows < 0 || columns < 0 || (long) rows * columns > Integer.MAX_VALUE - 8) {
            throw new IllegalArgumentException("expected a buffer of at most " + (Integer.MAX_VALUE - 8)
                    + " elements, found [" + rows + ", " + columns + "]");
        }
        this.owner = owner;
        this.rows = rows;
        this.columns = columns;
        this.format = format;
        this.memory = heap.take(this, (long) RowBuckets.rows(rows) * columns * format.bytes(), "a buffer");
    }

    @Override
    public Backend owner() {
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

    long address() {
        return memory.address();
    }

    /** Where a row begins. */
    long address(int row) {
        return memory.address() + (long) row * columns * format.bytes();
    }

    /** Bytes of all rows, with the room behind. */
    long bytes() {
        return memory.bytes();
    }

    int elements() {
        return rows * columns;
    }

    // ---- accumulators of a residual site ----

    /** The sums in fixed point that belong to this buffer, or null. */
    DeviceMemory sums() {
        return sums;
    }

    /** Fixed-point sums, zeroed by the caller; they live as long as the buffer. */
    DeviceMemory sums(GpuMemory heap) {
        sums = heap.take(this, (long) elements() * Long.BYTES, "sums of activations");
        return sums;
    }

    /** Whether the fixed-point sums hold something that the buffer's numbers lack. */
    boolean summing() {
        return summing;
    }

    void summing(boolean value) {
        summing = value;
    }
}
