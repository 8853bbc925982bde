package dev.tiller.kernels.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The layer over the driver, on whatever device there is. */
@Timeout(300)
class CudaDeviceTest extends OnDevice {
    @Test
    void saysWhatItIs() {
        assertFalse(gpu.name().isBlank());
        assertTrue(gpu.description().startsWith(gpu.name() + ", driver for CUDA 1"), gpu::description);
        assertTrue(gpu.description().matches(".*, cuBLAS 1\\d\\.\\d+\\.\\d+"), gpu::description);
        assertTrue(gpu.computeCapability() >= 80);
        assertTrue(gpu.processors() > 0 && gpu.sharedBytesPerBlock() > 48 << 10);
        assertTrue(gpu.freeBytes() > 0 && gpu.freeBytes() <= gpu.totalBytes());
        assertEquals(gpu.isEmulated(), !TestGpu.hasRealGpu());
    }

    @Test
    void copiesThereAndBackInStreamOrder() {
        float[] values = {1, -2, 3.5f, Float.MIN_VALUE, Float.NEGATIVE_INFINITY};
        try (DeviceMemory a = upload(values);
                DeviceMemory b = gpu.allocate(20, "a test");
                PinnedMemory out = gpu.pin(24)) {
            gpu.thread().run(() -> {
                gpu.copyOnDevice(b.address(), a.address(), 20);
                gpu.fill(a.address(), 0, 8);
                gpu.copyToHost(out, 4, b.address(), 20);
                gpu.synchronize();
            });
            assertEquals(0, out.segment().get(ValueLayout.JAVA_FLOAT, 0), "pinned memory begins with zeros");
            assertArrayEquals(values, out.segment().asSlice(4).toArray(ValueLayout.JAVA_FLOAT));
            assertArrayEquals(new float[] {0, 0, 3.5f}, Arrays.copyOf(download(a, 5), 3));
            assertThrows(
                    IndexOutOfBoundsException.class,
                    () -> gpu.thread().run(() -> gpu.copyToHost(out, 8, b.address(), 20)));
        }
    }

    @Test
    void countsMemoryAndGivesItBack() {
        long before = gpu.allocatedBytes();
        DeviceMemory m = gpu.allocate(1 << 20, "a test");
        assertEquals(before + (1 << 20), gpu.allocatedBytes());
        assertEquals(0, m.address() % 256);
        m.close();
        m.close();
        assertEquals(before, gpu.allocatedBytes());
        assertThrows(IllegalStateException.class, m::address);
        gpu.allocate(0, "nothing").close();
    }

    @Test
    void tellsWhatToDoWhenMemoryIsShort() {
        long bytes = gpu.totalBytes() + (1L << 30);
        TillerException e = assertThrows(TillerException.class, () -> gpu.allocate(bytes, "the weights"));
        String free = "%,d MB".formatted(gpu.freeBytes() / 1_000_000);
        assertTrue(
                e.getMessage()
                        .startsWith("the GPU has not enough memory for the weights: needed %,d MB, free %s of "
                                .formatted(bytes / 1_000_000, free)),
                e::getMessage);
        assertTrue(e.getMessage().contains("--weights") && e.getMessage().contains("--backend simd"), e::getMessage);
        gpu.allocate(1000, "what fits").close();
    }

    @Test
    void eventsMarkTheStream() {
        Launch scale = kernel("scale");
        try (DeviceMemory x = upload(1, 1)) {
            gpu.thread().run(() -> {
                try (CudaEvent a = new CudaEvent(gpu);
                        CudaEvent b = new CudaEvent(gpu)) {
                    a.record();
                    scale.start().pointer(x).real(2f).integer(2).pointer(0).run(1, 1, 1, 32, 128);
                    b.record();
                    b.await();
                    assertTrue(a.isReached() && b.isReached());
                    assertTrue(b.millisSince(a) >= 0);
                    a.record();
                    while (!a.isReached()) {
                        Thread.onSpinWait();
                    }
                }
            });
        }
    }

    @Test
    void productsOfEachOperandType() {
        for (Operand type : Operand.values()) {
            products(type, 1, 5, 8, 0);
            products(type, 3, 16, 40, 0);
            products(type, 7, 33, 64, 3);
        }
    }

    /** Rows of x and out may lie further apart than they are wide. */
    private void products(Operand type, int rows, int n, int k, int gap) {
        Random random = new Random(rows * 31L + n);
        float[] x = TestKernels.rounded(random, rows * (k + 8 * gap), type);
        float[] w = TestKernels.rounded(random, n * k, type);
        float[] start = TestKernels.rounded(random, rows * (n + gap), Operand.F32);
        try (DeviceMemory dx = bits(x, type);
                DeviceMemory dw = bits(w, type);
                DeviceMemory dout = upload(start)) {
            for (boolean add : new boolean[] {true, false}) {
                gpu.thread()
                        .run(() -> gpu.cublas()
                                .linear(
                                        type,
                                        dout.address(),
                                        n + gap,
                                        dx.address(),
                                        k + 8 * gap,
                                        dw.address(),
                                        rows,
                                        n,
                                        k,
                                        add));
                float[] got = download(dout, start.length);
                for (int r = 0; r < rows; r++) {
                    for (int i = 0; i < n + gap; i++) {
                        double sum = i >= n || add ? start[r * (n + gap) + i] : 0;
                        for (int j = 0; j < k && i < n; j++) {
                            sum += (double) x[r * (k + 8 * gap) + j] * w[i * k + j];
                        }
                        assertEquals(sum, got[r * (n + gap) + i], 1e-4, type + " row " + r + " column " + i);
                    }
                }
            }
        }
    }

    private DeviceMemory bits(float[] values, Operand type) {
        if (type == Operand.F32) {
            return upload(values);
        }
        short[] bits = TestKernels.bits(values, type);
        DeviceMemory memory = gpu.allocate(2L * bits.length, "a test");
        try (PinnedMemory staging = gpu.pin(2L * bits.length)) {
            staging.segment().copyFrom(MemorySegment.ofArray(bits));
            gpu.thread().run(() -> {
                gpu.copyToDevice(memory.address(), staging, 0, 2L * bits.length);
                gpu.synchronize();
            });
        }
        return memory;
    }
}
