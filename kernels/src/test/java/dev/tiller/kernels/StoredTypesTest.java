package dev.tiller.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.kernels.cpu.SimdBackend;
import dev.tiller.kernels.scalar.ScalarBackend;
import dev.tiller.loader.DType;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** What becomes of the numbers of ggml's types that have no kernel of their own, and by how much they change. */
class StoredTypesTest {
    private static final int COLUMNS = 512;

    /** Where the 16-bit scale of a block lies, and the one of its minima (-1: none). */
    private static int[] places(DType type) {
        return switch (type) {
            case Q5_1, Q4_1, Q4_K, Q5_K -> new int[] {0, 2};
            case Q2_K -> new int[] {80, 82};
            case Q3_K -> new int[] {108, -1};
            case Q6_K -> new int[] {208, -1};
            default -> new int[] {0, -1};
        };
    }

    /** Blocks of random codes; scales of either sign about 1e-3, which K types multiply by up to 127. */
    private static TensorView tensor(DType type, int rows, long seed) {
        Random random = new Random(seed);
        byte[] bytes = new byte[rows * COLUMNS / type.blockSize() * type.blockBytes()];
        random.nextBytes(bytes);
        for (int block = 0; block < bytes.length; block += type.blockBytes()) {
            for (int place : places(type)) {
                if (place >= 0) {
                    short scale = Float.floatToFloat16((float) (1e-3 * random.nextGaussian()));
                    bytes[block + place] = (byte) scale;
                    bytes[block + place + 1] = (byte) (scale >> 8);
                }
            }
        }
        return new TensorView("w", type, new long[] {rows, COLUMNS}, MemorySegment.ofArray(bytes), "test");
    }

    private static float[] rows(TensorView w, WeightFormat format) {
        WeightRows source = new WeightRows(List.of(w), format);
        float[] out = new float[w.rows() * COLUMNS];
        for (int r = 0; r < w.rows(); r++) {
            source.row(r, out, r * COLUMNS);
        }
        return out;
    }

    private static WeightFormat natural(TensorView w) {
        return WeightFormat.natural(w.dtype());
    }

    @ParameterizedTest
    @EnumSource(names = {"Q5_0", "Q5_1", "IQ4_NL", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS"})
    void float32HoldsTheNumbersExactly(DType type) {
        assertEquals(WeightFormat.Loss.NONE, WeightFormat.F32.loss(type));
        for (long seed = 1; seed <= 3; seed++) {
            TensorView w = tensor(type, 4, seed);
            assertArrayEquals(w.toFloats(), rows(w, WeightFormat.F32));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"Q8_0", "Q5_0", "IQ4_NL", "Q4_0", "Q4_1"})
    void codesWithTheScaleOfTheirFormatLoseNothing(DType type) {
        assertEquals(WeightFormat.Loss.NONE, WeightFormat.natural(type).loss(type));
        for (long seed = 1; seed <= 3; seed++) {
            TensorView w = tensor(type, 4, seed);
            float[] expected = w.toFloats();
            float[] found = rows(w, natural(w));
            for (int i = 0; i < expected.length; i++) {
                assertTrue(expected[i] == found[i], type + ": " + expected[i] + " became " + found[i]);
            }
        }
    }

    /** Scale and minimum are each off by half a unit of 11 bits at most, or of the smallest 16-bit float. */
    @ParameterizedTest
    @CsvSource({"Q4_K, Q4", "IQ4_XS, Q8"})
    void codesOfKTypesStayAndTheirScalesAreRounded(DType type, WeightFormat format) {
        assertEquals(WeightFormat.Loss.SCALES, format.loss(type));
        for (long seed = 1; seed <= 3; seed++) {
            TensorView w = tensor(type, 4, seed);
            assertEquals(format, natural(w));
            float[] expected = w.toFloats();
            int runs = expected.length / 32;
            byte[] stored = new byte[expected.length];
            float[] scales = new float[runs];
            float[] minima = new float[runs];
            w.copyBlocks(0, runs, stored, 0, scales, minima, 0);
            byte[] kept = new byte[COLUMNS];
            float[] found = rows(w, format);
            int moved = 0;
            for (int r = 0; r < w.rows(); r++) {
                new WeightRows(List.of(w), format)
                        .blocks(r, kept, 0, new float[COLUMNS / 32], new float[COLUMNS / 32], 0);
                for (int c = 0; c < COLUMNS; c++) {
                    int i = r * COLUMNS + c;
                    assertEquals(stored[i], kept[c]);
                    double bound = (Math.abs(scales[i / 32] * stored[i]) + Math.abs(minima[i / 32])) * 0x1p-11
                            + (1 + Math.abs(stored[i])) * 0x1p-25;
                    assertEquals(expected[i], found[i], bound);
                    moved += expected[i] != found[i] ? 1 : 0;
                }
            }
            assertTrue(moved > expected.length / 4, "only " + moved + " numbers were rounded");
        }
    }

    /** Half a step of 1/127 of the largest of 32, and what its scale loses by rounding. */
    @ParameterizedTest
    @EnumSource(names = {"Q2_K", "Q3_K", "Q5_1", "Q5_K", "Q6_K"})
    void othersBecomeEightBits(DType type) {
        assertEquals(WeightFormat.Loss.NUMBERS, WeightFormat.Q8.loss(type));
        for (long seed = 1; seed <= 3; seed++) {
            TensorView w = tensor(type, 4, seed);
            assertEquals(WeightFormat.Q8, natural(w));
            float[] expected = w.toFloats();
            float[] found = rows(w, WeightFormat.Q8);
            double all = 0;
            double off = 0;
            for (int from = 0; from < expected.length; from += 32) {
                float largest = 0;
                for (int i = from; i < from + 32; i++) {
                    largest = Math.max(largest, Math.abs(expected[i]));
                }
                for (int i = from; i < from + 32; i++) {
                    assertEquals(expected[i], found[i], largest * (0.5 / 127 + 0x1p-11) + 128 * 0x1p-25);
                    all += (double) expected[i] * expected[i];
                    off += Math.pow((double) expected[i] - found[i], 2);
                }
            }
            assertTrue(off < 1e-4 * all, type + ": squared error " + off + " of " + all);
        }
    }

    /** Both backends keep what the rows say, in the natural format and beside another type. */
    @ParameterizedTest
    @EnumSource(names = {"Q5_0", "Q5_1", "IQ4_NL", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS"})
    void backendsKeepTheRows(DType type) {
        try (Backend scalar = new ScalarBackend("test");
                Backend simd = new SimdBackend(2)) {
            TensorView w = tensor(type, 5, type.ordinal());
            for (Backend b : List.of(scalar, simd)) {
                WeightFormat format = b.naturalFormat(w);
                Matrix m = b.matrix(List.of(w), format);
                Buffer out = b.buffer(5, COLUMNS);
                b.embed(m, IntStream.range(0, 5).toArray(), 5, 1, out);
                float[] found = new float[5 * COLUMNS];
                b.read(out, 0, 5, found, 0);
                assertArrayEquals(rows(w, format), found, b.description());
            }
        }
    }

    @Test
    void stackedTensorsFindACommonFormat() {
        assertEquals(WeightFormat.Q4, WeightFormat.Q4.joined(WeightFormat.Q4));
        assertEquals(WeightFormat.Q8, WeightFormat.Q4.joined(WeightFormat.Q8));
        assertEquals(WeightFormat.Q8, WeightFormat.Q8.joined(WeightFormat.Q4));
        assertEquals(WeightFormat.F32, WeightFormat.Q8.joined(WeightFormat.F16));
        assertEquals(WeightFormat.F32, WeightFormat.BF16.joined(WeightFormat.F16));
        assertEquals(WeightFormat.BF16, WeightFormat.BF16.joined(WeightFormat.BF16));
    }

    /** A product of two stored scales can be more than a 16-bit float holds. */
    @Test
    void scalesAboveTheFormatAreRefused() {
        TensorView w = tensor(DType.Q4_K, 1, 3);
        byte[] block = w.data().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
        block[0] = (byte) 0xff;
        block[1] = 0x7b; // 65504
        block[4] = 63;
        TensorView huge = new TensorView("w", DType.Q4_K, w.shape(), MemorySegment.ofArray(block), "test");
        TillerException e = assertThrows(TillerException.class, () -> rows(huge, WeightFormat.Q4));
        assertTrue(e.getMessage().endsWith("in row 0 of w Q4_K[1, 512] in test"), e.getMessage());
        assertArrayEquals(huge.toFloats(), rows(huge, WeightFormat.F32));
    }
}
