package dev.tiller.kernels.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The layer over the driver, on whatever device there is. */
@Timeout(300)
class CudaDeviceTest {
    private static final String SCALE = """
            #include "common.cuh"
            extern "C" __global__ void scale(float* x, float factor, int n, const float* add) {
                DYN_SHARED(float, staged);
                int i = blockIdx.x * blockDim.x + threadIdx.x;
                staged[threadIdx.x] = i < n ? x[i] : 0.f;
                __syncthreads();
                if (i < n) x[i] = staged[threadIdx.x] * factor + (add ? add[i] : 0.f);
            }
            extern "C" __global__ void numbers(double* out, double a, long long b, int c) {
                out[0] = a;
                out[1] = (double)b;
                out[2] = c;
            }
            """;

    @TempDir
    Path dir;

    private CudaDevice gpu;
    private CudaModules modules;

    @BeforeEach
    void open() {
        gpu = TestGpu.open();
        modules = new CudaModules(gpu);
    }

    @AfterEach
    void close() {
        if (gpu != null) {
            gpu.thread().run(modules::close);
            gpu.close();
        }
    }

    private Launch kernel(String name) {
        KernelImage image = TestKernels.compile(gpu, SCALE);
        return gpu.thread().call(() -> {
            modules.replace("test", image);
            return modules.function("test", name).launch();
        });
    }

    private DeviceMemory upload(float... values) {
        DeviceMemory memory = gpu.allocate(4L * values.length, "a test");
        try (PinnedMemory staging = gpu.pin(4L * values.length)) {
            staging.segment().copyFrom(MemorySegment.ofArray(values));
            gpu.thread().run(() -> {
                gpu.copyToDevice(memory.address(), staging, 0, 4L * values.length);
                gpu.synchronize();
            });
        }
        return memory;
    }

    private float[] download(DeviceMemory memory, int n) {
        try (PinnedMemory staging = gpu.pin(4L * n)) {
            gpu.thread().run(() -> {
                gpu.copyToHost(staging, 0, memory.address(), 4L * n);
                gpu.synchronize();
            });
            return staging.segment().toArray(ValueLayout.JAVA_FLOAT);
        }
    }

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
    void launchesWithParametersThatChange() {
        Launch scale = kernel("scale");
        try (DeviceMemory x = upload(1, 2, 3, 4, 5);
                DeviceMemory add = upload(10, 20, 30, 40, 50)) {
            gpu.thread().run(() -> {
                for (int i = 1; i <= 3; i++) {
                    scale.start().pointer(x).real((float) i).integer(5).pointer(i == 2 ? add : null);
                    scale.run(3, 1, 1, 2, 2 * 4);
                }
            });
            assertArrayEquals(new float[] {36, 72, 108, 144, 180}, download(x, 5));
        }
        Launch numbers = kernel("numbers");
        try (DeviceMemory out = gpu.allocate(24, "a test");
                PinnedMemory back = gpu.pin(24)) {
            gpu.thread().run(() -> {
                numbers.start()
                        .pointer(out)
                        .real(0.1)
                        .pointer(-(1L << 40))
                        .integer(-7)
                        .run(1, 1, 1, 1, 0);
                gpu.copyToHost(back, 0, out.address(), 24);
                gpu.synchronize();
            });
            assertArrayEquals(
                    new double[] {0.1, -(1L << 40), -7}, back.segment().toArray(ValueLayout.JAVA_DOUBLE));
        }
    }

    @Test
    void launchesWithMoreSharedMemoryThanUsual() {
        Launch scale = kernel("scale");
        try (DeviceMemory x = upload(1, 2)) {
            gpu.thread()
                    .run(() -> scale.start()
                            .pointer(x)
                            .real(2f)
                            .integer(2)
                            .pointer(0)
                            .run(1, 1, 1, 32, 100 << 10));
            assertArrayEquals(new float[] {2, 4}, download(x, 2));
            TillerException e = assertThrows(
                    TillerException.class,
                    () -> gpu.thread()
                            .run(() -> scale.start()
                                    .pointer(x)
                                    .real(2f)
                                    .integer(2)
                                    .pointer(0)
                                    .run(1, 1, 1, 32, 1 << 20)));
            assertTrue(e.getMessage().contains("scale") && e.getMessage().contains("1048576 bytes"), e::getMessage);
        }
    }

    @Test
    void refusedLaunchesNameTheKernel() {
        Launch scale = kernel("scale");
        TillerException e = assertThrows(
                TillerException.class,
                () -> gpu.thread()
                        .run(() -> scale.start()
                                .pointer(0)
                                .real(1f)
                                .integer(0)
                                .pointer(0)
                                .run(1, 1, 1, 2000, 0)));
        assertTrue(
                e.getMessage().contains("cuLaunchKernel of scale (grid 1 x 1 x 1, block 2000,")
                        && e.getMessage().contains("CUDA_ERROR_INVALID_VALUE"),
                e::getMessage);
    }

    @Test
    void parametersAreCheckedAgainstThePtx() {
        KernelImage image = new KernelImage("made-up", """
                .version 7.0
                .target sm_80
                .address_size 64
                .visible .entry scale(
                	.param .u64 .ptr .align 1 scale_param_0,
                	.param .f32 scale_param_1,
                	.param .u32 scale_param_2,
                	.param .align 8 .b8 scale_param_3[16]
                )
                .maxntid 256, 1, 1
                { ret; }
                """.getBytes());
        assertEquals("{scale=[LONG, FLOAT, INT, OTHER]}", image.entries().toString());
        CudaFunction f = new CudaFunction(
                gpu, null, "scale", image.entries().get("scale").subList(0, 3));
        Launch launch = f.launch();
        assertThrows(IllegalArgumentException.class, () -> launch.start().integer(1));
        assertThrows(
                IllegalArgumentException.class, () -> launch.start().pointer(1).real(1.0));
        assertThrows(
                IllegalArgumentException.class,
                () -> launch.start().pointer(1).real(1f).integer(2).integer(3));
        assertThrows(
                IllegalArgumentException.class, () -> launch.start().pointer(1).run(1, 1, 1, 32, 0));
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
    void graphsReplayWithWhatLiesInMemory() {
        Launch scale = kernel("scale");
        try (DeviceMemory x = upload(0, 0, 0);
                DeviceMemory w = upload(1, 0, 0, 0, 1, 0, 0, 0, 1);
                DeviceMemory y = upload(0, 0, 0);
                PinnedMemory in = gpu.pin(12);
                PinnedMemory out = gpu.pin(12)) {
            CudaGraph graph = gpu.thread()
                    .call(() -> CudaGraph.capture(gpu, () -> {
                        gpu.copyToDevice(x.address(), in, 0, 12);
                        scale.start().pointer(x).real(3f).integer(3).pointer(0).run(1, 1, 1, 32, 128);
                        gpu.cublas().linear(Operand.F32, y.address(), 3, x.address(), 3, w.address(), 1, 3, 3, true);
                        gpu.copyToHost(out, 0, y.address(), 12);
                    }));
            // What the launch object holds after the capture is of no importance.
            gpu.thread().run(() -> scale.start().pointer(0).real(0f).integer(0).pointer(0));
            assertArrayEquals(new float[3], download(y, 3), "recording runs nothing");
            for (int i = 1; i <= 3; i++) {
                in.segment().setAtIndex(ValueLayout.JAVA_FLOAT, 0, i);
                in.segment().setAtIndex(ValueLayout.JAVA_FLOAT, 2, -i);
                gpu.thread().run(() -> {
                    graph.launch();
                    gpu.synchronize();
                });
                float sum = 3 * i * (i + 1) / 2;
                assertArrayEquals(new float[] {sum, 0, -sum}, out.segment().toArray(ValueLayout.JAVA_FLOAT));
            }
            gpu.thread().run(graph::close);
        }
    }

    @Test
    void aCaptureThatFailsLeavesTheStreamUsable() {
        IllegalStateException planted = new IllegalStateException("planted");
        IllegalStateException e = assertThrows(
                IllegalStateException.class,
                () -> gpu.thread()
                        .run(() -> CudaGraph.capture(gpu, () -> {
                            throw planted;
                        })));
        assertSame(planted, e);
        TillerException waited = assertThrows(
                TillerException.class, () -> gpu.thread().run(() -> CudaGraph.capture(gpu, gpu::synchronize)));
        assertTrue(waited.getMessage().contains("CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"), waited::getMessage);
        try (DeviceMemory x = upload(1, 2)) {
            assertArrayEquals(new float[] {1, 2}, download(x, 2));
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

    @Test
    void modulesNameWhatTheyHaveNot() {
        kernel("scale");
        TillerException none =
                assertThrows(TillerException.class, () -> gpu.thread().call(() -> modules.function("test", "absent")));
        assertTrue(none.getMessage().contains("no kernel named absent"), none::getMessage);
        TillerException operation = assertThrows(
                TillerException.class, () -> gpu.thread().call(() -> modules.function("nosuch", "nosuch_f32")));
        assertTrue(operation.getMessage().contains("operation nosuch"), operation::getMessage);
        TillerException image = assertThrows(
                TillerException.class,
                () -> gpu.thread().run(() -> modules.replace("test", new KernelImage("my.ptx", "rubbish".getBytes()))));
        assertTrue(image.getMessage().contains("my.ptx"), image::getMessage);
        gpu.thread().call(() -> modules.function("test", "scale"));
    }

    @Test
    void compilerMessagesNameTheLine() {
        Path file = TestKernels.write(
                dir.resolve("wrong.cu"),
                "#include \"common.cuh\"\nextern \"C\" __global__ void k(float* x) {\n    x[0] = nothing;\n}\n");
        TillerException e = assertThrows(TillerException.class, () -> new KernelCompiler(gpu).compile(file));
        assertTrue(e.getMessage().startsWith("cannot compile " + file), e::getMessage);
        assertTrue(e.getMessage().contains("nothing"), e::getMessage);
        assertTrue(e.getMessage().matches("(?s).*wrong\\.cu[(:]3\\b.*"), e::getMessage);
        assertThrows(TillerException.class, () -> new KernelCompiler(gpu).compile(dir.resolve("absent.cu")));
    }
}
