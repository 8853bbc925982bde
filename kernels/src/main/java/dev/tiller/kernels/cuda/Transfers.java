package dev.tiller.kernels.cuda;

import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.WeightRows;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Numbers between Java arrays and buffers, by way of pinned memory; 16-bit ones are converted on the way. */
final class Transfers implements AutoCloseable {
    private static final int ELEMENTS = 1 << 20;

    private final CudaDevice device;
    private final Steps steps;
    private final PinnedMemory staging;

    Transfers(CudaDevice device, Steps steps) {
        this.device = device;
        this.steps = steps;
        this.staging = device.pin((long) ELEMENTS * Float.BYTES);
    }

    void write(float[] source, int from, CudaBuffer target, int row, int rows) {
        long to = target.address(row);
        int size = target.format().bytes();
        long n = (long) rows * target.columns();
        for (long i = 0; i < n; i += ELEMENTS) {
            int count = (int) Math.min(ELEMENTS, n - i);
            steps.synchronize();
            pack(source, from + (int) i, count, target.format(), staging.segment());
            device.copyToDevice(to + i * size, staging, 0, (long) count * size);
        }
        steps.synchronize();
    }

    private static void pack(float[] source, int from, int count, WeightFormat format, MemorySegment to) {
        if (format == WeightFormat.F32) {
            MemorySegment.copy(source, from, to, ValueLayout.JAVA_FLOAT, 0, count);
            return;
        }
        for (int i = 0; i < count; i++) {
            float v = source[from + i];
            short bits = format == WeightFormat.BF16 ? WeightRows.toBf16(v) : Float.floatToFloat16(v);
            to.setAtIndex(ValueLayout.JAVA_SHORT, i, bits);
        }
    }

    void read(CudaBuffer source, int row, int rows, float[] target, int at) {
        long from = source.address(row);
        int size = source.format().bytes();
        long n = (long) rows * source.columns();
        for (long i = 0; i < n; i += ELEMENTS) {
            int count = (int) Math.min(ELEMENTS, n - i);
            device.copyToHost(staging, 0, from + i * size, (long) count * size);
            steps.synchronize();
            unpack(staging.segment(), source.format(), target, at + (int) i, count);
        }
    }

    private static void unpack(MemorySegment from, WeightFormat format, float[] target, int at, int count) {
        if (format == WeightFormat.F32) {
            MemorySegment.copy(from, ValueLayout.JAVA_FLOAT, 0, target, at, count);
            return;
        }
        for (int i = 0; i < count; i++) {
            short bits = from.getAtIndex(ValueLayout.JAVA_SHORT, i);
            target[at + i] =
                    format == WeightFormat.BF16 ? Float.intBitsToFloat(bits << 16) : Float.float16ToFloat(bits);
        }
    }

    /** Whole numbers from the device. */
    void read(long source, int[] target, int count) {
        if (count > ELEMENTS) {
            throw new IllegalArgumentException("expected at most " + ELEMENTS + " numbers, found " + count);
        }
        device.copyToHost(staging, 0, source, 4L * count);
        steps.synchronize();
        MemorySegment.copy(staging.segment(), ValueLayout.JAVA_INT, 0, target, 0, count);
    }

    @Override
    public void close() {
        staging.close();
    }
}
