package dev.tiller.kernels.cuda;

import dev.tiller.loader.TillerException;
import java.lang.foreign.MemorySegment;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/**
 * Memory of the host that the GPU copies from and to by itself, from {@link CudaDevice#pin}. Only such memory may take
 * part in copies that run beside Java: arrays move.
 */
final class PinnedMemory implements AutoCloseable {
    private final CudaDevice device;
    private final long address;
    private MemorySegment segment;

    private PinnedMemory(CudaDevice device, long address, MemorySegment segment) {
        this.device = device;
        this.address = address;
        this.segment = segment;
    }

    /** Memory that holds zeros. */
    @SuppressWarnings("restricted")
    static PinnedMemory allocate(CudaDevice device, long bytes) {
        return device.thread().call(() -> {
            RawPointer.HostResult p = new RawPointer.HostResult();
            int status = JCudaDriver.cuMemHostAlloc(p, Math.max(bytes, 1), 0);
            if (status == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
                throw new TillerException("cannot lock " + bytes + " bytes of main memory for copies to the GPU;"
                        + " free memory, or raise the limit of locked memory (ulimit -l)");
            }
            CudaStatus.check(status, "cuMemHostAlloc");
            MemorySegment s = MemorySegment.ofAddress(p.address()).reinterpret(Math.max(bytes, 1));
            return new PinnedMemory(device, p.address(), s.fill((byte) 0));
        });
    }

    /** The memory as Java sees it; of undefined content while a copy to it is under way. */
    MemorySegment segment() {
        if (segment == null) {
            throw new IllegalStateException("this pinned memory has been freed");
        }
        return segment;
    }

    long address() {
        return segment().address();
    }

    /** Waits for the copies under way, then frees the memory; segments of it must not be used after. */
    @Override
    public void close() {
        device.thread().run(() -> {
            if (segment != null) {
                device.synchronize();
                segment = null;
                CudaStatus.check(JCudaDriver.cuMemFreeHost(RawPointer.of(address)), "cuMemFreeHost");
            }
        });
    }
}
