package dev.tiller.kernels.cuda;

import jcuda.driver.CUevent;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/** A mark in the stream of a device. All methods belong on the GPU's thread. */
final class CudaEvent implements AutoCloseable {
    private final CudaDevice device;
    private final CUevent event = new CUevent();

    CudaEvent(CudaDevice device) {
        this.device = device;
        CudaStatus.check(JCudaDriver.cuEventCreate(event, 0), "cuEventCreate");
    }

    /** Sets the mark behind everything that is on the stream now. */
    void record() {
        CudaStatus.check(JCudaDriver.cuEventRecord(event, device.stream()), "cuEventRecord");
    }

    /** Whether the GPU has come to the mark. */
    boolean isReached() {
        int status = JCudaDriver.cuEventQuery(event);
        if (status == CUresult.CUDA_ERROR_NOT_READY) {
            return false;
        }
        CudaStatus.check(status, "cuEventQuery");
        return true;
    }

    /** Waits until the GPU has come to the mark. */
    void await() {
        CudaStatus.check(JCudaDriver.cuEventSynchronize(event), "cuEventSynchronize");
    }

    /** Time on the GPU between two marks that it has come to. */
    double millisSince(CudaEvent earlier) {
        float[] millis = new float[1];
        CudaStatus.check(JCudaDriver.cuEventElapsedTime(millis, earlier.event, event), "cuEventElapsedTime");
        return millis[0];
    }

    @Override
    public void close() {
        CudaStatus.check(JCudaDriver.cuEventDestroy(event), "cuEventDestroy");
    }
}
