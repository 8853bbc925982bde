package dev.tiller.loader.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GgufTensorTest {
    @TempDir
    Path folder;

    /** Random blocks of each type with the values that the gguf package for Python gives: see blocks.py beside them. */
    @Test
    void equalsTheReferenceBitByBit() throws URISyntaxException {
        Path path = Path.of(getClass().getResource("/gguf/blocks.gguf").toURI());
        int compared = 0;
        try (Gguf file = Gguf.open(path)) {
            for (GgufTensor t : file.tensors()) {
                if (!t.name().startsWith("expected.")) {
                    float[] expected =
                            file.tensor("expected." + t.name()).orElseThrow().toFloats();
                    assertBitsEqual(expected, t.toFloats(), t.describe());
                    compared++;
                }
            }
        }
        assertEquals(14, compared);
    }

    /** Longer than one step of the conversion, and by hand: every block has the scale of its index and its own quants. */
    @Test
    void longTensorsKeepTheirOrder() {
        int blocks = 300;
        Random random = new Random(5);
        byte[] bytes = new byte[blocks * 34];
        random.nextBytes(bytes);
        float[] expected = new float[blocks * 32];
        for (int b = 0; b < blocks; b++) {
            short scale = Float.floatToFloat16(b);
            bytes[b * 34] = (byte) scale;
            bytes[b * 34 + 1] = (byte) (scale >> 8);
            for (int i = 0; i < 32; i++) {
                expected[b * 32 + i] = (float) b * bytes[b * 34 + 2 + i];
            }
        }
        try (Gguf file =
                Gguf.open(new GgufBytes().tensor("t", 8, bytes, 32, blocks).write(folder))) {
            assertBitsEqual(expected, file.tensor("t").orElseThrow().toFloats(), "t");
        }
    }

    @Test
    void otherTypesAreRefusedByName() {
        try (Gguf file =
                Gguf.open(new GgufBytes().tensor("t", 12, new byte[144], 256).write(folder))) {
            TillerException error = assertThrows(
                    TillerException.class, () -> file.tensor("t").orElseThrow().toFloats());
            assertTrue(
                    error.getMessage()
                            .endsWith("tensor t: expected type F32, F16, BF16, Q8_0, Q4_0 or Q4_1, found Q4_K"),
                    error.getMessage());
        }
    }

    private static void assertBitsEqual(float[] expected, float[] found, String what) {
        int[] bits = new int[expected.length];
        int[] foundBits = new int[found.length];
        for (int i = 0; i < bits.length; i++) {
            bits[i] = Float.floatToRawIntBits(expected[i]);
        }
        for (int i = 0; i < found.length; i++) {
            foundBits[i] = Float.floatToRawIntBits(found[i]);
        }
        assertArrayEquals(bits, foundBits, what);
    }
}
