package dev.tiller.kernels;

import dev.tiller.kernels.cpu.SimdBackend;
import dev.tiller.kernels.scalar.ScalarBackend;
import dev.tiller.loader.TillerException;

/** Chooses a backend by name. */
public final class Backends {
    private Backends() {}

    /**
     * Opens a backend; {@link Backend#description()} tells which one and why.
     *
     * @param name scalar, simd, or auto: simd where vectors can be used, else scalar with the reason in its description
     * @param threads worker threads, 0 for as many as there are processors; scalar always has one
     */
    public static Backend open(String name, int threads) {
        if (threads < 0) {
            throw new TillerException("expected 0 (as many as processors) or more threads, found " + threads);
        }
        switch (name) {
            case "scalar":
                return new ScalarBackend("asked for");
            case "auto", "simd":
                String obstacle = obstacle();
                if (obstacle == null) {
                    return new SimdBackend(threads == 0 ? Runtime.getRuntime().availableProcessors() : threads);
                }
                if (name.equals("simd")) {
                    throw new TillerException("cannot use the simd backend: " + obstacle);
                }
                return new ScalarBackend("SLOW, because the simd backend cannot be used: " + obstacle);
            default:
                throw new TillerException("expected backend auto, scalar or simd, found \"" + name + "\"");
        }
    }

    /** Why the SIMD backend cannot be used, or null if it can. */
    private static String obstacle() {
        String bits = System.getProperty("tiller.vector.bits");
        if (bits != null && !bits.matches("128|256|512")) {
            throw new TillerException("expected -Dtiller.vector.bits 128, 256 or 512, found \"" + bits + "\"");
        }
        if (ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
            return "Java was started without --add-modules=jdk.incubator.vector";
        }
        int preferred = SimdBackend.preferredBits();
        return preferred >= 128 ? null : "this Java machine has no vectors of 128 bits or more for this processor";
    }
}
