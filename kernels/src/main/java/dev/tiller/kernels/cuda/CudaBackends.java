package dev.tiller.kernels.cuda;

/** Opens the GPU as a backend. */
public final class CudaBackends {
    private CudaBackends() {}

    /**
     * Opens the GPU.
     *
     * @throws CudaUnavailable with the reason in one line
     */
    public static CudaBackend open() {
        CudaDevice device = CudaDevice.open();
        try {
            return new CudaBackend(device, device.thread().call(() -> new KernelSet(device)), false);
        } catch (RuntimeException | Error e) {
            device.close();
            throw e;
        }
    }

    /**
     * Opens the GPU, or, where no driver is installed, the emulated one that runs kernels on the CPU: built by g++ at first
     * use, right in its numbers, slow.
     *
     * @throws CudaUnavailable with the reason in one line
     */
    public static CudaBackend openOrEmulate() {
        if (CudaLibraries.ofSystem().driver() == null && System.getProperty(CudaLibraries.PROPERTY) == null) {
            try {
                System.setProperty(
                        CudaLibraries.PROPERTY, CudaSources.emulatedDriver().toString());
            } catch (CudaUnavailable e) {
                throw new CudaUnavailable("there is no GPU, and none can be emulated: " + e.getMessage(), e);
            }
        }
        return open();
    }

    /**
     * Opens a GPU that is worth choosing without being asked: there is one, and it is not the emulated one.
     *
     * @throws CudaUnavailable with the reason in one line
     */
    public static CudaBackend openGpu() {
        if (CudaLibraries.ofSystem().driver() == null) { // says so without loading anything
            throw new CudaUnavailable("no NVIDIA driver was found (libcuda.so.1)");
        }
        CudaBackend opened = open();
        if (opened.controls().isEmulated()) {
            opened.close();
            throw new CudaUnavailable("the only GPU is the emulated one");
        }
        return opened;
    }
}
