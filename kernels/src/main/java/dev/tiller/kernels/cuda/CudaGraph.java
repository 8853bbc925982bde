package dev.tiller.kernels.cuda;

import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.JCudaDriver;

/**
 * Work of a stream that was recorded once and is launched as a whole: kernels, matrix products and copies with the
 * addresses they had when recorded. All methods belong on the GPU's thread.
 */
final class CudaGraph implements AutoCloseable {
    private final CudaDevice device;
    private final CUgraphExec executable;

    private CudaGraph(CudaDevice device, CUgraphExec executable) {
        this.device = device;
        this.executable = executable;
    }

    /**
     * Records what the work puts on the device's stream, without running it. The work must neither wait for the stream
     * nor allocate. Kernels should have run once before: a first launch may load code, which recording forbids.
     */
    static CudaGraph capture(CudaDevice device, Runnable work) {
        CUgraph graph = new CUgraph();
        CudaStatus.check(
                JCudaDriver.cuStreamBeginCapture(device.stream(), CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_RELAXED),
                "cuStreamBeginCapture");
        try {
            work.run();
        } catch (RuntimeException | Error e) {
            if (JCudaDriver.cuStreamEndCapture(device.stream(), graph) == 0) {
                JCudaDriver.cuGraphDestroy(graph);
            }
            throw e;
        }
        CudaStatus.check(JCudaDriver.cuStreamEndCapture(device.stream(), graph), "cuStreamEndCapture");
        try {
            CUgraphExec executable = new CUgraphExec();
            CudaStatus.check(JCudaDriver.cuGraphInstantiate(executable, graph, 0), "cuGraphInstantiate");
            CudaGraph made = new CudaGraph(device, executable);
            CudaStatus.check(JCudaDriver.cuGraphUpload(executable, device.stream()), "cuGraphUpload");
            return made;
        } finally {
            CudaStatus.check(JCudaDriver.cuGraphDestroy(graph), "cuGraphDestroy");
        }
    }

    /** Runs all of it in stream order; does not wait. */
    void launch() {
        int status = JCudaDriver.cuGraphLaunch(executable, device.stream());
        if (status != 0) {
            throw CudaStatus.failure(status, "cuGraphLaunch", "");
        }
    }

    @Override
    public void close() {
        CudaStatus.check(JCudaDriver.cuGraphExecDestroy(executable), "cuGraphExecDestroy");
    }
}
