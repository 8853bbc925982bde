package dev.tiller.kernels.cuda;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** A device of its own for each test, with two small kernels and memory to try them on. */
abstract class OnDevice {
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

    CudaDevice gpu;
    CudaModules modules;

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

    final Launch kernel(String name) {
        KernelImage image = TestKernels.compile(gpu, SCALE);
        return gpu.thread().call(() -> {
            modules.replace("test", image);
            return modules.function("test", name).launch();
        });
    }

    final DeviceMemory upload(float... values) {
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

    final float[] download(DeviceMemory memory, int n) {
        try (PinnedMemory staging = gpu.pin(4L * n)) {
            gpu.thread().run(() -> {
                gpu.copyToHost(staging, 0, memory.address(), 4L * n);
                gpu.synchronize();
            });
            return staging.segment().toArray(ValueLayout.JAVA_FLOAT);
        }
    }
}
