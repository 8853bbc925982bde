package dev.tiller.kernels.cuda;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;

/**
 * One GPU: its context, the thread that owns it, one stream, cuBLAS. Everything that goes to the GPU goes through that
 * stream, in order. Methods that say so may be called from any thread; all others only on {@link #thread()}.
 */
final class CudaDevice implements AutoCloseable {
    /** Compute capability that the kernels are compiled for, times ten: bf16 and asynchronous copies need it. */
    private static final int OLDEST = 80;

    private final GpuThread thread;
    private final CudaNatives.Loaded natives;
    private final CUdevice device = new CUdevice();
    private final CUstream stream = new CUstream();
    private String name;
    private int capability;
    private int processors;
    private int sharedPerBlock;
    private long totalBytes;
    private long allocatedBytes;
    private boolean retained;
    private boolean streaming;
    private Cublas cublas;

    private CudaDevice(CudaNatives.Loaded natives, int ordinal) {
        this.natives = natives;
        this.thread = new GpuThread("gpu-" + ordinal);
    }

    /**
     * Opens the first GPU that the driver shows (CUDA_VISIBLE_DEVICES chooses among several). From any thread.
     *
     * @throws CudaUnavailable with the reason in one line
     */
    static CudaDevice open() {
        CudaDevice d = new CudaDevice(CudaNatives.load(), 0);
        try {
            d.thread.run(() -> d.start(0));
            return d;
        } catch (RuntimeException | Error e) {
            d.close();
            throw e;
        }
    }

    private void start(int ordinal) {
        usable(JCudaDriver.cuDeviceGet(device, ordinal), "cuDeviceGet");
        byte[] text = new byte[256];
        usable(JCudaDriver.cuDeviceGetName(text, text.length, device), "cuDeviceGetName");
        name = new String(text, StandardCharsets.UTF_8).replaceFirst("\0.*", "").strip();
        capability = 10 * attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
                + attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
        if (capability < OLDEST) {
            throw new CudaUnavailable("the GPU " + name + " has compute capability " + dotted(capability) + " and "
                    + dotted(OLDEST) + " or newer is needed (Ampere, 2020)");
        }
        processors = attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
        sharedPerBlock = attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
        CUcontext context = new CUcontext();
        usable(JCudaDriver.cuDevicePrimaryCtxRetain(context, device), "cuDevicePrimaryCtxRetain");
        retained = true;
        usable(JCudaDriver.cuCtxSetCurrent(context), "cuCtxSetCurrent");
        usable(JCudaDriver.cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING), "cuStreamCreate");
        streaming = true;
        totalBytes = memory()[1];
        cublas = new Cublas(this);
    }

    /** A call that fails while the device is opened: CUDA is there, but not for us. */
    private static void usable(int status, String call) {
        if (status != CUresult.CUDA_SUCCESS) {
            throw new CudaUnavailable("the GPU cannot be opened: " + call + " gives " + CudaStatus.describe(status));
        }
    }

    private int attribute(int which) {
        int[] value = new int[1];
        usable(JCudaDriver.cuDeviceGetAttribute(value, which, device), "cuDeviceGetAttribute");
        return value[0];
    }

    private static long[] memory() {
        long[] free = new long[1];
        long[] total = new long[1];
        CudaStatus.check(JCudaDriver.cuMemGetInfo(free, total), "cuMemGetInfo");
        return new long[] {free[0], total[0]};
    }

    // --- what it is; from any thread ---

    GpuThread thread() {
        return thread;
    }

    String name() {
        return name;
    }

    /** Whether this is the driver that runs kernels on the CPU (simt/fake), which numbers come from but no timings. */
    boolean isEmulated() {
        return name.equals("emulated GPU on the CPU");
    }

    /** Name, driver and cuBLAS, for users to read: "NVIDIA H200, driver for CUDA 13.0, cuBLAS 13.1.1". */
    String description() {
        return name + ", driver for CUDA " + natives.driverVersion() / 1000 + "." + natives.driverVersion() % 1000 / 10
                + ", cuBLAS " + cublas.version();
    }

    /** Major and minor version in one number: 90 for 9.0. */
    int computeCapability() {
        return capability;
    }

    private static String dotted(int capability) {
        return String.format(Locale.ROOT, "%d.%d", capability / 10, capability % 10);
    }

    /** Streaming multiprocessors. */
    int processors() {
        return processors;
    }

    /** The most dynamic shared memory that a block may ask for. */
    int sharedBytesPerBlock() {
        return sharedPerBlock;
    }

    /** As cuDriverGetVersion counts: 13000 for 13.0. */
    int driverVersion() {
        return natives.driverVersion();
    }

    long totalBytes() {
        return totalBytes;
    }

    /** Free memory at this moment, whoever else uses the GPU. */
    long freeBytes() {
        return thread.call(() -> memory()[0]);
    }

    /** Memory held by {@link DeviceMemory} of this device. */
    long allocatedBytes() {
        return thread.call(() -> allocatedBytes);
    }

    void count(long bytes) {
        allocatedBytes += bytes;
    }

    // --- memory; from any thread ---

    /**
     * @param purpose what the memory is for, in the words of a user, for the message when there is not enough
     * @throws dev.tiller.loader.TillerException naming what is needed, what is free and what to change
     */
    DeviceMemory allocate(long bytes, String purpose) {
        return DeviceMemory.allocate(this, bytes, purpose);
    }

    PinnedMemory pin(long bytes) {
        return PinnedMemory.allocate(this, bytes);
    }

    // --- the stream; on the GPU's thread ---

    CUstream stream() {
        return stream;
    }

    Cublas cublas() {
        return cublas;
    }

    /** Waits until everything on the stream is done. Errors of earlier kernels come out here. From any thread. */
    void synchronize() {
        thread.run(() -> {
            if (streaming) {
                CudaStatus.check(JCudaDriver.cuStreamSynchronize(stream), "cuStreamSynchronize");
            }
        });
    }

    /** Copies in stream order; the source must stay as it is until the copy is done. */
    void copyToDevice(long target, PinnedMemory source, long offset, long bytes) {
        copyToDevice(target, source.address() + checked(source, offset, bytes), bytes);
    }

    /** As above from any memory of the host that does not move; where it is not pinned, the call waits for the copy. */
    void copyToDevice(long target, long source, long bytes) {
        CudaStatus.check(
                JCudaDriver.cuMemcpyHtoDAsync(RawPointer.device(target), RawPointer.of(source), bytes, stream),
                "cuMemcpyHtoDAsync");
    }

    /** Copies in stream order; the target holds the bytes after the next {@link #synchronize}. */
    void copyToHost(PinnedMemory target, long offset, long source, long bytes) {
        long to = target.address() + checked(target, offset, bytes);
        CudaStatus.check(
                JCudaDriver.cuMemcpyDtoHAsync(RawPointer.of(to), RawPointer.device(source), bytes, stream),
                "cuMemcpyDtoHAsync");
    }

    /** Copies in stream order between places on the device that do not overlap. */
    void copyOnDevice(long target, long source, long bytes) {
        CudaStatus.check(
                JCudaDriver.cuMemcpyDtoDAsync(RawPointer.device(target), RawPointer.device(source), bytes, stream),
                "cuMemcpyDtoDAsync");
    }

    /** Sets bytes in stream order. */
    void fill(long target, int value, long bytes) {
        CudaStatus.check(
                JCudaDriver.cuMemsetD8Async(RawPointer.device(target), (byte) value, bytes, stream), "cuMemsetD8Async");
    }

    private static long checked(PinnedMemory memory, long offset, long bytes) {
        MemorySegment s = memory.segment();
        if (offset < 0 || bytes < 0 || offset + bytes > s.byteSize()) {
            throw new IndexOutOfBoundsException(
                    "bytes " + offset + " to " + (offset + bytes) + " of " + s.byteSize() + " bytes of pinned memory");
        }
        return offset;
    }

    /**
     * Gives the GPU back and ends its thread; memory must have been closed before. After an error of a kernel everything
     * fails, this too, but the GPU is given back all the same. From any thread.
     */
    @Override
    public void close() {
        if (thread.isClosed()) {
            return;
        }
        try {
            thread.run(() -> {
                try {
                    if (cublas != null) {
                        cublas.close();
                    }
                } finally {
                    releaseContext();
                }
            });
        } finally {
            thread.close();
        }
    }

    private void releaseContext() {
        int destroyed = streaming ? JCudaDriver.cuStreamDestroy(stream) : 0;
        int released = retained ? JCudaDriver.cuDevicePrimaryCtxRelease(device) : 0;
        CudaStatus.check(destroyed, "cuStreamDestroy");
        CudaStatus.check(released, "cuDevicePrimaryCtxRelease");
    }
}
