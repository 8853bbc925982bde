package dev.tiller.kernels.cuda;

import dev.tiller.kernels.WeightFormat;
import java.nio.file.Path;
import java.util.Set;

/** Switches and counters of a {@link CudaBackend}: what the kernel lab and tests change and look at. From any thread. */
public final class CudaControls {
    private final CudaDevice device;
    private final KernelSet kernels;
    private final Steps steps;
    private final MatmulOps matmulOps;

    CudaControls(CudaDevice device, KernelSet kernels, Steps steps, MatmulOps matmulOps) {
        this.device = device;
        this.kernels = kernels;
        this.steps = steps;
        this.matmulOps = matmulOps;
    }

    /**
     * Compiles a CUDA source for this device and puts its kernels in the place of the built-in ones of the same names.
     *
     * @param source name of the built-in source, e.g. "site"
     * @throws dev.tiller.loader.TillerException with the compiler's messages if the file is wrong
     */
    public void compileKernels(String source, Path file) {
        KernelImage image = new KernelCompiler(device).compile(file);
        changed(() -> kernels.replace(source, image));
    }

    /** Names of the kernels in use that are not the built-in ones. */
    public Set<String> replacementsUsed() {
        return device.thread().call(() -> Set.copyOf(kernels.replacementsUsed()));
    }

    /** Takes the simplest form of the kernels of a source from now on. */
    public void useNaive(String source) {
        changed(() -> kernels.useNaive(source));
    }

    /** Matmuls of up to so many rows go to the own kernels from now on, others to cuBLAS. */
    public void ownMatmulRows(int rows) {
        changed(() -> matmulOps.ownRows(rows));
    }

    private void changed(Runnable change) {
        device.thread().run(() -> {
            steps.forget();
            change.run();
        });
    }

    /** What this device reaches at most: bytes copied a second (read and written), and flops of a large product. */
    public double[] ceilings(WeightFormat operand) {
        return device.thread().call(() -> new DeviceCeilings(device).measure(Gpu.operand(operand)));
    }

    /** Whether this is the driver that runs kernels on the CPU: right in its numbers, of no use for timings. */
    public boolean isEmulated() {
        return device.isEmulated();
    }

    /**
     * On the emulated device: runs the threads of a block in another order from now on, with some warps held back, so that
     * a missing barrier shows. On a GPU nothing.
     *
     * @param seed which order; 0 for the plain one
     */
    public void threadOrder(int seed) {
        if (isEmulated()) {
            device.thread().run(() -> Schedule.set(seed));
        }
    }

    /** Steps recorded so far. */
    public long captures() {
        return device.thread().call(steps::captures);
    }

    /** Steps that ran from a record. */
    public long replays() {
        return device.thread().call(steps::replays);
    }

    /** Records held now. */
    public long graphs() {
        return device.thread().call(steps::graphs);
    }
}
