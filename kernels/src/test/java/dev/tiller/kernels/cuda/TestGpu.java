package dev.tiller.kernels.cuda;

import dev.tiller.loader.TillerException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/**
 * A device for tests: a real GPU where there is one, else the emulated driver, else the test is skipped with the reason.
 * A process can load one driver only, so all tests of a JVM get the same kind.
 */
public final class TestGpu {
    private TestGpu() {}

    /** Chooses the driver of this JVM; {@link CudaDevice#open} and everything above it then use it. */
    public static void require() {
        if (!hasRealGpu()) {
            System.setProperty(CudaLibraries.PROPERTY, emulator().toString());
        }
    }

    /** A new device, which the caller closes. */
    static CudaDevice open() {
        require();
        return CudaDevice.open();
    }

    /** The folder of the emulated driver, built if need be; skips the test where it cannot be. */
    static Path emulator() {
        try {
            return CudaSources.emulatedDriver();
        } catch (CudaUnavailable e) {
            return Assumptions.abort("no GPU, and no emulated one: " + e.getMessage());
        } catch (TillerException e) {
            throw new AssertionError("the emulated driver does not compile: " + e.getMessage(), e);
        }
    }

    static boolean hasRealGpu() {
        boolean node = Files.exists(Path.of("/dev/nvidia0")) || Files.exists(Path.of("/dev/dxg"));
        return node && CudaLibraries.ofSystem().driver() != null;
    }
}
