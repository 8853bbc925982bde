package dev.tiller.kernels;

import dev.tiller.kernels.cpu.SimdBackend;
import dev.tiller.kernels.cuda.CudaBackends;
import dev.tiller.kernels.cuda.CudaUnavailable;
import dev.tiller.kernels.scalar.ScalarBackend;
import dev.tiller.loader.TillerException;

/** Chooses a backend by name. */
public final class Backends {
    private Backends() {}

    /**
     * Opens a backend; {@link Backend#description()} tells which one and why.
     *
     * @param name scalar, simd, cuda, or auto: cuda where there is a GPU, else simd where vectors can be used, else scalar,
     *     with the reasons in its description
     * @param threads worker threads, 0 for one per physical core; only simd has more than one
     */
    public static Backend open(String name, int threads) {
        if (threads < 0) {
            throw new TillerException("expected 0 (one per physical core) or more threads, found " + threads);
        }
        switch (name) {
            case "scalar":
                if (threads > 1) {
                    throw new TillerException("the scalar backend has one thread; expected no more, found " + threads
                            + "; the simd backend has as many as wanted");
                }
                return new ScalarBackend("asked for");
            case "cuda":
                try {
                    return CudaBackends.open();
                } catch (CudaUnavailable e) {
                    throw new TillerException("cannot use the cuda backend: " + e.getMessage(), e);
                }
            case "simd":
                String obstacle = obstacle();
                if (obstacle != null) {
                    throw new TillerException("cannot use the simd backend: " + obstacle);
                }
                return simd(threads, "");
            case "auto":
                try {
                    return CudaBackends.openGpu();
                } catch (TillerException e) {
                    return onProcessor(threads, "no CUDA: " + e.getMessage());
                }
            default:
                throw new TillerException("expected backend auto, scalar, simd or cuda, found \"" + name + "\"");
        }
    }

    private static Backend onProcessor(int threads, String note) {
        String obstacle = obstacle();
        return obstacle == null
                ? simd(threads, "; " + note)
                : new ScalarBackend("SLOW, because the simd backend cannot be used: " + obstacle + "; " + note);
    }

    private static Backend simd(int threads, String note) {
        SimdBackend.checkVectors();
        return new SimdBackend(Threads.of(threads), note);
    }

    /** Why the SIMD backend cannot be used, or null if it can. */
    private static String obstacle() {
        String bits = System.getProperty("tiller.vector.bits");
        if (bits != null && !bits.matches("128|256|512")) {
            throw new TillerException("expected -Dtiller.vector.bits 128, 256 or 512, found \"" + bits + "\"");
        }
        if (!hasVectors()) {
            return "Java was started without --add-modules=jdk.incubator.vector";
        }
        int preferred = SimdBackend.preferredBits();
        return preferred >= 128 ? null : "this Java machine has no vectors of 128 bits or more for this processor";
    }

    /** By a class, as it need not come as a module: see the program's script. */
    private static boolean hasVectors() {
        try {
            Class.forName("jdk.incubator.vector.FloatVector", false, Backends.class.getClassLoader());
            return true;
        } catch (ClassNotFoundException e) {
            return false;
        }
    }
}
