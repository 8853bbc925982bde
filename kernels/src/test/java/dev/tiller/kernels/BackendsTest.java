package dev.tiller.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import org.junit.jupiter.api.Test;

class BackendsTest {
    @Test
    void opensByName() {
        try (Backend scalar = Backends.open("scalar", 0);
                Backend simd = Backends.open("simd", 3);
                Backend auto = Backends.open("auto", 0)) {
            assertEquals("scalar, 1 thread (asked for)", scalar.description());
            assertTrue(simd.description().contains("3 threads (asked for)"), simd.description());
            if (auto.description().startsWith("cuda, ")) {
                return; // this machine has a GPU
            }
            assertTrue(auto.description().startsWith("simd, "), auto.description());
            assertTrue(auto.description().contains("; no CUDA: "), auto.description());
            assertTrue(auto.description().contains(Threads.best().toString()), auto.description());
            String bits = System.getProperty("tiller.vector.bits");
            assertTrue(bits == null || auto.description().contains(bits + "-bit vectors"), auto.description());
        }
    }

    @Test
    void refusesUnknownNamesAndThreads() {
        TillerException e = assertThrows(TillerException.class, () -> Backends.open("fast", 0));
        assertEquals("expected backend auto, scalar, simd or cuda, found \"fast\"", e.getMessage());
        assertThrows(TillerException.class, () -> Backends.open("simd", -1));
        TillerException several = assertThrows(TillerException.class, () -> Backends.open("scalar", 4));
        assertTrue(several.getMessage().contains("one thread; expected no more, found 4"), several.getMessage());
    }

    @Test
    void refusesUnknownVectorWidths() {
        String before = System.setProperty("tiller.vector.bits", "100");
        try {
            TillerException e = assertThrows(TillerException.class, () -> Backends.open("auto", 0));
            assertEquals("expected -Dtiller.vector.bits 128, 256 or 512, found \"100\"", e.getMessage());
        } finally {
            if (before == null) {
                System.clearProperty("tiller.vector.bits");
            } else {
                System.setProperty("tiller.vector.bits", before);
            }
        }
    }
}
