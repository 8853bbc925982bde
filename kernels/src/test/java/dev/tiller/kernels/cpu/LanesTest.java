package dev.tiller.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LanesTest {
    @Test
    void theReasonOfTheWidthIsSaid(@TempDir Path folder) throws IOException {
        Path wide = Files.writeString(folder.resolve("wide"), "processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512dq\n");
        Path narrow = Files.writeString(folder.resolve("narrow"), "processor\t: 0\nflags\t\t: fpu avx2\n");
        assertEquals("the widest this processor prefers", Lanes.reason(512, 512, null));
        assertEquals("the widest this processor prefers", Lanes.reason(256, 256, narrow));
        assertEquals("the widest this processor prefers", Lanes.reason(256, 256, folder.resolve("missing")));
        assertEquals("what Java prefers on this processor, although it has 512", Lanes.reason(256, 256, wide));
        assertEquals("set by -Dtiller.vector.bits, this processor prefers 512", Lanes.reason(128, 512, null));
        assertEquals("SLOW: set by -Dtiller.vector.bits, this processor has 256", Lanes.reason(512, 256, wide));
    }

    /** The build starts a JVM for each width; this is where it would show that one of them did not get its own. */
    @Test
    void theWidthIsTheOneAskedFor() {
        assertEquals(Integer.getInteger("tiller.vector.bits", SimdBackend.preferredBits()), SimdBackend.vectorBits());
        assertEquals(SimdBackend.vectorBits() / 32, Lanes.L);
    }
}
