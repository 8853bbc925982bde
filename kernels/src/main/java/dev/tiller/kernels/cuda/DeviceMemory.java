package dev.tiller.kernels.cuda;

import dev.tiller.loader.TillerException;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/** Memory of the GPU, from {@link CudaDevice#allocate}; its content is undefined at first. */
final class DeviceMemory implements AutoCloseable {
    private final CudaDevice device;
    private final long bytes;
    private long address;

    private DeviceMemory(CudaDevice device, long address, long bytes) {
        this.device = device;
        this.address = address;
        this.bytes = bytes;
    }

    /** @param purpose what it is for, for the message when there is not enough */
    static DeviceMemory allocate(CudaDevice device, long bytes, String purpose) {
        if (bytes < 0) {
            throw new IllegalArgumentException("expected 0 or more bytes for " + purpose + ", found " + bytes);
        }
        // CUDA refuses to give nothing.
        long size = Math.max(bytes, 1);
        return device.thread().call(() -> {
            RawPointer.DeviceResult p = new RawPointer.DeviceResult();
            int status = JCudaDriver.cuMemAlloc(p, size);
            if (status == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
                throw tooLarge(device, size, purpose);
            }
            CudaStatus.check(status, "cuMemAlloc");
            device.count(size);
            return new DeviceMemory(device, p.address(), size);
        });
    }

    private static TillerException tooLarge(CudaDevice device, long bytes, String purpose) {
        return new TillerException("the GPU has not enough memory for " + purpose + ": needed " + size(bytes)
                + ", free "
                + size(device.freeBytes()) + " of " + size(device.totalBytes()) + " (" + size(device.allocatedBytes())
                + " in use by this program); load fewer bits per weight (--weights), use shorter contexts or fewer"
                + " sequences at a time, end other programs on the GPU, or use --backend simd");
    }

    private static String size(long bytes) {
        return bytes < 10_000_000 ? "%,d bytes".formatted(bytes) : "%,d MB".formatted(bytes / 1_000_000);
    }

    /** Address of the first byte on the GPU. */
    long address() {
        if (address == 0) {
            throw new IllegalStateException("this memory of the GPU has been freed");
        }
        return address;
    }

    long bytes() {
        return bytes;
    }

    /** Waits for what is under way on the stream, so that nothing still uses the memory, then frees it. */
    @Override
    public void close() {
        device.thread().run(() -> {
            if (address != 0) {
                device.synchronize();
                CudaStatus.check(JCudaDriver.cuMemFree(RawPointer.device(address)), "cuMemFree");
                address = 0;
                device.count(-bytes);
            }
        });
    }
}
