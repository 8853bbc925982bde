package dev.tiller.kernels.cuda;

import org.junit.jupiter.api.Assumptions;

/** Backends for tests, on one device that serves all tests of a process. Where there can be none, tests are skipped. */
public final class CudaForTests {
    private static CudaDevice device;
    private static KernelSet kernels;
    private static String obstacle;

    private CudaForTests() {}

    /** A new backend; skips the test if there can be none. */
    public static synchronized CudaBackend open() {
        prepare();
        if (device == null) {
            device = CudaDevice.open();
            kernels = device.thread().call(() -> new KernelSet(device));
            System.out.println("CUDA tests run on " + device.description());
        }
        return new CudaBackend(device, kernels, true);
    }

    /** The same with a system property set while it is opened, and kernels of its own, which may depend on it. */
    public static synchronized CudaBackend open(String property, String value) {
        open().close();
        String before = System.getProperty(property);
        System.setProperty(property, value);
        try {
            KernelSet own = device.thread().call(() -> new KernelSet(device));
            own.naive(property.replaceFirst("tiller.cuda.kernel.", ""));
            return new CudaBackend(device, own, true);
        } finally {
            if (before == null) {
                System.clearProperty(property);
            } else {
                System.setProperty(property, before);
            }
        }
    }

    /**
     * Makes CUDA usable for whole models.
     *
     * @param ownMatmul whether an emulated device, too, is to run our kernels for products of few rows: they take it fifty
     *     times as long as the emulated library
     */
    public static synchronized void prepareFor(boolean ownMatmul) {
        prepare();
        if (ownMatmul || TestGpu.hasRealGpu()) {
            System.clearProperty(MatmulOps.PROPERTY);
        } else {
            System.setProperty(MatmulOps.PROPERTY, "0");
        }
    }

    /** Makes CUDA usable in this process, or skips the test. */
    public static synchronized void prepare() {
        if (obstacle == null) {
            TestGpu.require();
            try {
                CudaNatives.load();
                obstacle = "";
            } catch (CudaUnavailable e) {
                obstacle = e.getMessage();
            }
        }
        Assumptions.assumeTrue(obstacle.isEmpty(), obstacle);
    }
}
