package dev.tiller.kernels.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** That the emulated device notices what would go wrong on a GPU, without taking Java with it. */
@Timeout(300)
class EmulatorTest {
    private static final String KERNELS = """
            #include "common.cuh"
            extern "C" __global__ void write(float* x, int at) { x[at] = 1.f; }
            extern "C" __global__ void diverge(float* x) {
                if (threadIdx.x == 0) __syncthreads();
                x[0] = warp_sum(1.f);
            }
            """;

    private CudaDevice gpu;
    private CudaModules modules;

    @BeforeEach
    void open() {
        Assumptions.assumeFalse(TestGpu.hasRealGpu(), "this machine has a real GPU, which does not check itself");
        gpu = TestGpu.open();
        modules = new CudaModules(gpu);
    }

    @AfterEach
    void close() {
        if (gpu != null) {
            try {
                gpu.close();
            } catch (TillerException e) {
                // Closing tells of the planted error once more.
            }
        }
    }

    private Launch kernel(String name) {
        KernelImage image = TestKernels.compile(gpu, KERNELS);
        return gpu.thread().call(() -> {
            modules.replace("test", image);
            return modules.function("test", name).launch();
        });
    }

    private TillerException failure(Runnable work) {
        return assertThrows(
                TillerException.class,
                () -> gpu.thread().run(() -> {
                    work.run();
                    gpu.synchronize();
                }));
    }

    @Test
    void nothingRunsBeforeSomebodyWaits() {
        DeviceMemory x = gpu.allocate(4, "a test");
        PinnedMemory in = gpu.pin(4);
        PinnedMemory out = gpu.pin(4);
        gpu.thread().run(() -> {
            in.segment().set(ValueLayout.JAVA_INT, 0, 1);
            gpu.copyToDevice(x.address(), in, 0, 4);
            gpu.copyToHost(out, 0, x.address(), 4);
            assertEquals(0, out.segment().get(ValueLayout.JAVA_INT, 0), "read too early");
            in.segment().set(ValueLayout.JAVA_INT, 0, 2);
            gpu.synchronize();
        });
        assertEquals(2, out.segment().get(ValueLayout.JAVA_INT, 0), "the source changed under the copy");
    }

    @Test
    void newMemoryIsNoNumber() {
        try (DeviceMemory x = gpu.allocate(8, "a test");
                PinnedMemory out = gpu.pin(8)) {
            gpu.thread().run(() -> {
                gpu.copyToHost(out, 0, x.address(), 8);
                gpu.synchronize();
            });
            assertTrue(Double.isNaN(out.segment().get(ValueLayout.JAVA_DOUBLE, 0)));
        }
    }

    @Test
    void copiesStayInside() {
        DeviceMemory x = gpu.allocate(100, "a test");
        PinnedMemory host = gpu.pin(200);
        assertTrue(failure(() -> gpu.copyToDevice(x.address(), host, 0, 101))
                .getMessage()
                .contains("cuMemcpyHtoDAsync gives CUDA_ERROR_INVALID_VALUE"));
        failure(() -> gpu.copyToHost(host, 0, x.address() + 1, 100));
        failure(() -> gpu.fill(x.address(), 0, 101));
        gpu.thread().run(() -> gpu.fill(x.address(), 0, 100));
        long address = x.address();
        x.close();
        failure(() -> gpu.fill(address, 0, 1));
    }

    @Test
    void kernelsOutsideOfMemoryAreFoundOut() {
        Launch write = kernel("write");
        DeviceMemory x = gpu.allocate(4 * 1024, "a test");
        assertTrue(failure(() -> write.start().pointer(x).integer(1 << 20).run(1, 1, 1, 1, 0))
                .getMessage()
                .contains("CUDA_ERROR_ILLEGAL_ADDRESS"));
        // As on a GPU, the context is spoiled from there on.
        assertTrue(failure(() -> {}).getMessage().contains("CUDA_ERROR_ILLEGAL_ADDRESS"));
    }

    @Test
    void evenOneNumberBehindTheEnd() {
        Launch write = kernel("write");
        DeviceMemory x = gpu.allocate(4 * 100, "a test");
        gpu.thread().run(() -> write.start().pointer(x).integer(100).run(1, 1, 1, 1, 0));
        TillerException e = assertThrows(TillerException.class, x::close);
        assertTrue(e.getMessage().contains("cuMemFree gives CUDA_ERROR_ILLEGAL_ADDRESS"), e::getMessage);
    }

    @Test
    void freedMemoryIsNoArgument() {
        Launch write = kernel("write");
        DeviceMemory x = gpu.allocate(4 * 100, "a test");
        long address = x.address();
        x.close();
        assertTrue(failure(() -> write.start().pointer(address).integer(0).run(1, 1, 1, 1, 0))
                .getMessage()
                .contains("cuLaunchKernel of write"));
        DeviceMemory y = gpu.allocate(4 * 100, "a test");
        assertNotEquals(address, y.address(), "addresses are not given out again");
        y.close();
    }

    @Test
    void threadsThatWaitInDifferentPlacesAreFoundOut() {
        Launch diverge = kernel("diverge");
        DeviceMemory x = gpu.allocate(4, "a test");
        assertTrue(failure(() -> diverge.start().pointer(x).run(1, 1, 1, 32, 0))
                .getMessage()
                .contains("CUDA_ERROR_LAUNCH_FAILED"));
    }

    @Test
    void aNewDeviceIsFreeOfOldErrors() {
        threadsThatWaitInDifferentPlacesAreFoundOut();
        close();
        open();
        Launch write = kernel("write");
        try (DeviceMemory x = gpu.allocate(4, "a test")) {
            gpu.thread().run(() -> write.start().pointer(x).integer(0).run(1, 1, 1, 1, 0));
            gpu.synchronize();
        }
    }

    /** Java finds null by faults, too, in code that it has compiled; the emulator's handler must pass those on. */
    @Test
    void javasOwnFaultsStayJavas() {
        Launch write = kernel("write");
        try (DeviceMemory x = gpu.allocate(4, "a test")) {
            int caught = gpu.thread().call(() -> {
                int n = 0;
                for (int i = 0; i < 200_000; i++) {
                    n += isNull(i % 10_000 == 7 ? null : new int[1]) ? 1 : 0;
                    if (i % 50_000 == 0) {
                        write.start().pointer(x).integer(0).run(1, 1, 1, 1, 0);
                        gpu.synchronize();
                    }
                }
                return n;
            });
            assertEquals(20, caught);
        }
    }

    private static boolean isNull(int[] array) {
        try {
            return array[0] != 0;
        } catch (NullPointerException e) {
            return true;
        }
    }

    @Test
    void matricesStayInside() {
        DeviceMemory x = gpu.allocate(4 * 16, "a test");
        gpu.thread()
                .run(() ->
                        gpu.cublas().linear(Operand.F32, x.address(), 4, x.address(), 4, x.address(), 1, 4, 4, false));
        TillerException e = failure(
                () -> gpu.cublas().linear(Operand.F32, x.address(), 4, x.address(), 4, x.address(), 1, 5, 4, false));
        assertTrue(e.getMessage().contains("cublasSgemm gives CUBLAS_STATUS_"), e::getMessage);
    }

    @Test
    void callsNeedTheThreadThatHasTheContext() {
        TillerException e = assertThrows(TillerException.class, () -> new CudaEvent(gpu));
        assertTrue(e.getMessage().contains("CUDA_ERROR_INVALID_CONTEXT"), e::getMessage);
    }

    @Test
    void builtInKernelsComeFromThePtx() {
        Assumptions.assumeTrue(
                EmulatorTest.class.getResource("embed.ptx") != null, "there are no built-in kernels in this build");
        try (DeviceMemory table = gpu.allocate(4 * 8, "a test");
                DeviceMemory ids = gpu.allocate(4, "a test");
                DeviceMemory out = gpu.allocate(4 * 4, "a test");
                PinnedMemory host = gpu.pin(4 * 9)) {
            for (int i = 0; i < 8; i++) {
                host.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, i);
            }
            host.segment().setAtIndex(ValueLayout.JAVA_INT, 8, 1);
            gpu.thread().run(() -> {
                gpu.copyToDevice(table.address(), host, 0, 32);
                gpu.copyToDevice(ids.address(), host, 32, 4);
                Launch embed = modules.function("embed", "embed_f32").launch();
                embed.start()
                        .pointer(table)
                        .pointer(ids)
                        .real(0.5f)
                        .pointer(out)
                        .integer(4);
                embed.run(1, 1, 1, 256, 0);
                gpu.copyToHost(host, 0, out.address(), 16);
                gpu.synchronize();
            });
            for (int i = 0; i < 4; i++) {
                assertEquals(0.5f * (4 + i), host.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i));
            }
        }
    }
}
