package dev.tiller.kernels.cuda;

import dev.tiller.kernels.WeightFormat;

/**
 * What the operations of a backend share.
 *
 * @param device the GPU
 * @param heap memory of this backend
 * @param kernels kernels of this device
 * @param steps how operations come to run
 */
record Gpu(CudaDevice device, GpuMemory heap, KernelSet kernels, Steps steps) {
    static Operand operand(WeightFormat format) {
        return switch (format) {
            case F32 -> Operand.F32;
            case BF16 -> Operand.BF16;
            case F16 -> Operand.F16;
            case Q8, Q4 -> throw new IllegalArgumentException("expected F32, BF16 or F16, found " + format);
        };
    }

    /** Where a buffer lies; 0 for none. */
    static long address(CudaBuffer buffer) {
        return buffer == null ? 0 : buffer.address();
    }

    /** Blocks of 256 threads for n numbers, at most as many as keep a GPU busy. */
    static int blocks(long n) {
        return Math.clamp(Math.ceilDiv(n, 256), 1, 2048);
    }
}
