package dev.tiller.loader.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GgufTensorTest {
    @TempDir
    Path folder;

    /** Blocks of each type with the values that the gguf package for Python gives: see the scripts beside the files. */
    @ParameterizedTest
    @CsvSource({"/gguf/blocks.gguf, 14", "/gguf/runs.gguf, 36"})
    void equalsTheReferenceBitByBit(String resource, int tensors) throws URISyntaxException {
        Path path = Path.of(getClass().getResource(resource).toURI());
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
        assertEquals(tensors, compared);
    }

    /** Any part of a tensor gives what the whole gives there. */
    @Test
    void partsOfATensorEqualTheWhole() throws URISyntaxException {
        Path path = Path.of(getClass().getResource("/gguf/runs.gguf").toURI());
        Random random = new Random(11);
        try (Gguf file = Gguf.open(path)) {
            for (GgufTensor t : file.tensors()) {
                float[] whole = t.toFloats();
                TensorView view = new TensorView(t.name(), t.dtype(), new long[] {whole.length}, t.data(), "test");
                for (int i = 0; i < 40; i++) {
                    int from = random.nextInt(whole.length);
                    int count = random.nextInt(whole.length - from + 1);
                    float[] part = new float[count + 3];
                    view.copyTo(from, part, 3, count);
                    assertBitsEqual(
                            Arrays.copyOfRange(whole, from, from + count),
                            Arrays.copyOfRange(part, 3, count + 3),
                            t.name() + " from " + from);
                }
            }
        }
    }

    /** The numbers are scale times code plus minimum, in float32, for the types that give their runs. */
    @Test
    void runsMakeUpTheNumbers() throws URISyntaxException {
        int types = 0;
        try (Gguf file =
                Gguf.open(Path.of(getClass().getResource("/gguf/runs.gguf").toURI()))) {
            for (GgufTensor t : file.tensors()) {
                float[] whole = t.toFloats();
                TensorView view = new TensorView(t.name(), t.dtype(), new long[] {whole.length}, t.data(), "test");
                if (!view.hasRuns()) {
                    continue;
                }
                types += t.name().endsWith(".edges") ? 1 : 0;
                int runs = whole.length / 32;
                byte[] codes = new byte[whole.length];
                float[] scales = new float[runs];
                float[] minima = new float[runs];
                view.copyBlocks(0, 1, codes, 0, scales, minima, 0);
                view.copyBlocks(1, runs - 1, codes, 32, scales, minima, 1);
                for (int i = 0; i < whole.length; i++) {
                    int least = view.hasMinima() ? 0 : -127;
                    int most = view.hasMinima() ? 31 : 127;
                    assertTrue(codes[i] >= least && codes[i] <= most, t.name() + " code " + codes[i]);
                    float made = scales[i / 32] * codes[i] + minima[i / 32];
                    assertEquals(whole[i] + 0f, made + 0f, t.name() + " at " + i); // a zero may have lost its sign
                }
            }
        }
        assertEquals(6, types);
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
                Gguf.open(new GgufBytes().tensor("t", 16, new byte[66], 256).write(folder))) {
            TillerException error = assertThrows(
                    TillerException.class, () -> file.tensor("t").orElseThrow().toFloats());
            assertTrue(
                    error.getMessage()
                            .endsWith(
                                    "tensor t: expected type F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K,"
                                            + " Q4_K, Q5_K, Q6_K, IQ4_NL or IQ4_XS, found IQ2_XXS"),
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
