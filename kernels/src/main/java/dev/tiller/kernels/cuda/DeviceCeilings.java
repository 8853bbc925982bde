package dev.tiller.kernels.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;

/** What a GPU reaches at most, for comparison: copies of large pieces of memory, and a large matrix product. */
final class DeviceCeilings {
    private static final int ROUNDS = 10;
    private static final long COPY_BYTES = 2L << 30;
    private static final int SIDE = 8192;
    private static final int PATTERN_BYTES = 4 << 20;
    private static final long EMULATED_BYTES = 8L << 20;
    private static final int EMULATED_SIDE = 96;

    private final CudaDevice device;

    DeviceCeilings(CudaDevice device) {
        this.device = device;
    }

    /** {bytes a second, read and written; floating-point operations a second}: the best of some rounds each. */
    double[] measure(Operand operand) {
        return new double[] {copy(), product(operand)};
    }

    private double copy() {
        long bytes = device.isEmulated() ? EMULATED_BYTES : Math.min(COPY_BYTES, device.freeBytes() / 8);
        try (DeviceMemory from = device.allocate(bytes, "measuring the memory's speed");
                DeviceMemory to = device.allocate(bytes, "measuring the memory's speed")) {
            device.fill(from.address(), 1, bytes);
            double seconds = best(() -> device.copyOnDevice(to.address(), from.address(), bytes));
            return 2.0 * bytes / seconds;
        }
    }

    private double product(Operand operand) {
        int n = device.isEmulated() ? EMULATED_SIDE : SIDE;
        long operandBytes = (long) n * n * operand.bytes();
        try (DeviceMemory a = device.allocate(operandBytes, "measuring the speed of matrix products");
                DeviceMemory b = device.allocate(operandBytes, "measuring the speed of matrix products");
                DeviceMemory c = device.allocate(4L * n * n, "measuring the speed of matrix products")) {
            fill(a, operand);
            fill(b, operand);
            double seconds = best(
                    () -> device.cublas().linear(operand, c.address(), n, a.address(), n, b.address(), n, n, n, false));
            return 2.0 * n * n * n / seconds;
        }
    }

    /** Random numbers of size 1: a GPU runs faster on zeros or constants than on real data. */
    private void fill(DeviceMemory memory, Operand operand) {
        int piece = (int) Math.min(memory.bytes(), PATTERN_BYTES);
        try (PinnedMemory pattern = device.pin(piece)) {
            ByteBuffer bytes = pattern.segment().asByteBuffer().order(ByteOrder.nativeOrder());
            Random random = new Random(1);
            for (int i = 0; i < piece / operand.bytes(); i++) {
                float v = (float) random.nextGaussian();
                switch (operand) {
                    case F32 -> bytes.putFloat(4 * i, v);
                    case BF16 -> bytes.putShort(2 * i, (short) (Float.floatToRawIntBits(v) >>> 16));
                    case F16 -> bytes.putShort(2 * i, Float.floatToFloat16(v));
                }
            }
            for (long at = 0; at < memory.bytes(); at += piece) {
                device.copyToDevice(memory.address() + at, pattern, 0, Math.min(piece, memory.bytes() - at));
            }
            device.synchronize();
        }
    }

    private double best(Runnable work) {
        work.run();
        double best = Double.MAX_VALUE;
        for (int i = 0; i < ROUNDS; i++) {
            device.synchronize();
            long start = System.nanoTime();
            work.run();
            device.synchronize();
            best = Math.min(best, (System.nanoTime() - start) / 1e9);
        }
        return best;
    }
}
