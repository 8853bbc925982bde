package dev.tiller.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.kernels.scalar.ScalarBackend;
import dev.tiller.loader.DType;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.gguf.Gguf;
import dev.tiller.loader.gguf.GgufTensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The codes, scales and minima that weights give: those of the file, or made from numbers. */
class WeightBlocksTest {
    private record Blocks(byte[] codes, float[] scales, float[] minima) {
        static Blocks of(List<TensorView> parts, WeightFormat format) {
            WeightRows rows = new WeightRows(parts, format);
            int blocks = Math.ceilDiv(rows.columns(), WeightFormat.BLOCK);
            Blocks out = new Blocks(
                    new byte[rows.rows() * rows.columns()],
                    new float[rows.rows() * blocks],
                    new float[rows.rows() * blocks]);
            for (int r = 0; r < rows.rows(); r++) {
                rows.blocks(r, out.codes, r * rows.columns(), out.scales, out.minima, r * blocks);
            }
            return out;
        }

        /** Of block b of rows of whole blocks. */
        double squaredError(float[] numbers, int b) {
            double sum = 0;
            for (int i = b * WeightFormat.BLOCK; i < (b + 1) * WeightFormat.BLOCK; i++) {
                double off = (double) scales[b] * codes[i] + minima[b] - numbers[i];
                sum += off * off;
            }
            return sum;
        }
    }

    private static Gguf reference() throws URISyntaxException {
        return Gguf.open(Path.of(
                WeightBlocksTest.class.getResource("/quantised/quantised.gguf").toURI()));
    }

    private static TensorView view(Gguf file, String name, DType type) {
        GgufTensor t = file.tensor(name).orElseThrow();
        return new TensorView(name, type, new long[] {t.dims()[1], t.dims()[0]}, t.data(), t.source());
    }

    /** See quantised.py beside the file. */
    @ParameterizedTest
    @ValueSource(strings = {"normal", "weights", "tails", "positive", "scales", "ties", "same"})
    void eightBitsAreThoseOfTheReference(String name) throws URISyntaxException {
        try (Gguf file = reference()) {
            Blocks made = Blocks.of(List.of(view(file, name, DType.F32)), WeightFormat.Q8);
            Blocks expected = Blocks.of(List.of(view(file, name + ".Q8_0", DType.Q8_0)), WeightFormat.Q8);
            assertArrayEquals(expected.scales, made.scales);
            assertArrayEquals(expected.codes, made.codes);
        }
    }

    /** The reference spans the range of each block; ours begins there and looks for less error, so never has more. */
    @ParameterizedTest
    @ValueSource(strings = {"normal", "weights", "tails", "positive", "scales", "ties", "same"})
    void fourBitsAreAtLeastAsNearAsTheReference(String name) throws URISyntaxException {
        try (Gguf file = reference()) {
            TensorView numbers = view(file, name, DType.F32);
            Blocks made = Blocks.of(List.of(numbers), WeightFormat.Q4);
            Blocks expected = Blocks.of(List.of(view(file, name + ".Q4_1", DType.Q4_1)), WeightFormat.Q4);
            float[] x = numbers.toFloats();
            double all = 0;
            double allExpected = 0;
            for (int b = 0; b < made.scales.length; b++) {
                double ours = made.squaredError(x, b);
                double theirs = expected.squaredError(x, b);
                assertTrue(ours <= theirs * (1 + 1e-6) + 1e-12, name + " block " + b + ": " + ours + " > " + theirs);
                all += ours;
                allExpected += theirs;
            }
            if (name.equals("normal") || name.equals("weights") || name.equals("tails")) {
                assertTrue(all < 0.95 * allExpected, name + ": squared error " + all + " of " + allExpected);
            }
        }
    }

    /** Parsed here once more, byte by byte. */
    @ParameterizedTest
    @EnumSource(names = {"Q8_0", "Q4_0", "Q4_1"})
    void storedBlocksAreTakenOverCodeByCode(DType type) {
        try (Duo duo = new Duo(new ScalarBackend("test"), type.ordinal())) {
            TensorView first = duo.blocks(type, 7, 96);
            TensorView second = duo.blocks(type, 5, 96);
            Blocks found = Blocks.of(List.of(first, second), type == DType.Q8_0 ? WeightFormat.Q8 : WeightFormat.Q4);
            byte[] bytes = new byte[12 * 3 * type.blockBytes()];
            MemorySegment.copy(first.data(), ValueLayout.JAVA_BYTE, 0, bytes, 0, 21 * type.blockBytes());
            MemorySegment.copy(
                    second.data(), ValueLayout.JAVA_BYTE, 0, bytes, 21 * type.blockBytes(), 15 * type.blockBytes());
            for (int b = 0; b < 36; b++) {
                int at = b * type.blockBytes();
                float scale = f16(bytes, at);
                assertEquals(scale, found.scales[b]);
                assertEquals(
                        type == DType.Q8_0 ? 0 : type == DType.Q4_0 ? -8 * scale : f16(bytes, at + 2), found.minima[b]);
                int codes = at + type.blockBytes() - (type == DType.Q8_0 ? 32 : 16);
                for (int i = 0; i < 32; i++) {
                    int expected = type == DType.Q8_0
                            ? bytes[codes + i]
                            : i < 16 ? bytes[codes + i] & 15 : (bytes[codes + i - 16] & 0xff) >> 4;
                    assertEquals(expected, found.codes[b * 32 + i], "block " + b + " code " + i);
                }
            }
        }
    }

    private static float f16(byte[] bytes, int at) {
        return Float.float16ToFloat((short) (bytes[at] & 0xff | bytes[at + 1] << 8));
    }

    /** Every number near what stands for it, up to the rounding of scale and minimum; any width. */
    @ParameterizedTest
    @EnumSource(names = {"Q8", "Q4"})
    void madeBlocksAreNearTheNumbers(WeightFormat format) {
        Random random = new Random(format.ordinal());
        for (int k : new int[] {1, 2, 31, 32, 33, 63, 64, 100, 576}) {
            for (double size : new double[] {0, 1e-9, 3e-6, 1e-3, 1, 3000}) {
                float[] x = new float[5 * k];
                for (int i = 0; i < x.length; i++) {
                    x[i] = (float) (size * random.nextGaussian());
                }
                TensorView w = Duo.tensor(DType.F32, 5, k, x);
                Blocks made = Blocks.of(List.of(w), format);
                float[] row = new float[k];
                int blocks = Math.ceilDiv(k, 32);
                for (int r = 0; r < 5; r++) {
                    new WeightRows(List.of(w), format).row(r, row, 0);
                    for (int i = 0; i < k; i++) {
                        int b = r * blocks + i / 32;
                        float largest = largest(x, r * k + i / 32 * 32, Math.min(32, k - i / 32 * 32));
                        float value = made.scales[b] * made.codes[r * k + i] + made.minima[b];
                        assertEquals(value, row[i], "rows are what their blocks say");
                        assertTrue(made.codes[r * k + i] >= (format == WeightFormat.Q8 ? -127 : 0));
                        assertTrue(made.codes[r * k + i] <= (format == WeightFormat.Q8 ? 127 : 15));
                        // Q4 may leave out the ends of a block's range where the rest gains more
                        double steps = format == WeightFormat.Q8 ? 0.51 * largest / 127 : 1.6 * 2 * largest / 15;
                        double off = steps + largest * 0x1p-10 + 128 * 0x1p-25;
                        assertTrue(Math.abs(x[r * k + i] - value) <= off, format + " " + x[r * k + i] + " as " + value);
                        assertEquals(made.scales[b], Float.float16ToFloat(Float.floatToFloat16(made.scales[b])));
                        assertEquals(made.minima[b], Float.float16ToFloat(Float.floatToFloat16(made.minima[b])));
                    }
                }
            }
        }
    }

    private static float largest(float[] x, int from, int count) {
        float largest = 0;
        for (int i = from; i < from + count; i++) {
            largest = Math.max(largest, Math.abs(x[i]));
        }
        return largest;
    }

    /** What one block's numbers are does not leak into the next, and blocks of one number keep it as well as f16 does. */
    @Test
    void blocksStandAlone() {
        float[] x = new float[64];
        for (int i = 0; i < 64; i++) {
            x[i] = i < 32 ? 1000 : 0.1f;
        }
        Blocks four = Blocks.of(List.of(Duo.tensor(DType.F32, 1, 64, x)), WeightFormat.Q4);
        assertArrayEquals(new float[] {0, 0}, four.scales);
        assertArrayEquals(new float[] {1000, Float.float16ToFloat(Float.floatToFloat16(0.1f))}, four.minima);
        Blocks eight = Blocks.of(List.of(Duo.tensor(DType.F32, 1, 64, x)), WeightFormat.Q8);
        assertEquals(127, eight.codes[0]);
        assertEquals(127, eight.codes[63]);
    }

    @Test
    void bytesOfAMatrix() {
        assertEquals(3 * 64 * 4, WeightFormat.F32.bytes(3, 64));
        assertEquals(3 * 64 * 2, WeightFormat.BF16.bytes(3, 64));
        assertEquals(3 * 2 * 34, WeightFormat.Q8.bytes(3, 64));
        assertEquals(3 * 2 * 20, WeightFormat.Q4.bytes(3, 64));
        assertEquals(3 * (33 + 4), WeightFormat.Q8.bytes(3, 33));
        assertEquals(3 * (17 + 8), WeightFormat.Q4.bytes(3, 33));
        assertEquals(1L << 40, WeightFormat.F32.bytes(1 << 28, 1 << 10));
        assertThrows(IllegalArgumentException.class, WeightFormat.Q4::bytes);
    }

    @Test
    void formatsWithoutBlocksGiveNone() {
        TensorView w = Duo.tensor(DType.F32, 1, 64, new float[64]);
        WeightRows rows = new WeightRows(List.of(w), WeightFormat.BF16);
        assertThrows(IllegalArgumentException.class, () -> rows.blocks(0, new byte[64], 0, new float[2], null, 0));
        WeightRows blocks = new WeightRows(List.of(w), WeightFormat.Q8);
        assertThrows(
                IllegalArgumentException.class,
                () -> blocks.row(0, new float[64], MemorySegment.ofArray(new byte[256]), 0));
        blocks.blocks(0, new byte[64], 0, new float[2], null, 0);
    }
}
