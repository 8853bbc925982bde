package dev.tiller.kernels.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Kernels, their launches and graphs of them, on whatever device there is. */
@Timeout(300)
class CudaLaunchTest extends OnDevice {
    @TempDir
    Path dir;

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
