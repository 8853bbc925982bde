package dev.tiller.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.Matrix;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.WeightRows;
import dev.tiller.loader.DType;
import dev.tiller.loader.TensorView;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Weights in blocks on this backend: kept exactly, multiplied as exactly as float32 allows, rows apart from each other. */
class SimdBlocksTest {
    private static final DType[] STORED = {DType.F32, DType.Q8_0, DType.Q4_0, DType.Q4_1};
    private static final int[] ROWS = {1, 2, 3, 4, 5, 6, 7, 8, 13, 14, 17, 64, 100};
    private static final int[] OUTPUTS = {1, 7, 31, 32, 33, 64, 65, 111, 200};

    private static int pick(Random random, int... of) {
        return of[random.nextInt(of.length)];
    }

    private static float[] numbers(Random random, int n) {
        float[] out = new float[n];
        for (int i = 0; i < n; i++) {
            out[i] = (float) random.nextGaussian();
        }
        return out;
    }

    /** A scale of a file: any finite 16-bit float, mostly of a usual size. */
    private static short scale(Random random) {
        return switch (random.nextInt(24)) {
            case 0 -> (short) random.nextInt(0x400); // below the smallest normal number
            case 1 -> (short) 0;
            case 2 -> (short) (0x8000 | random.nextInt(0x3c00));
            default -> Float.floatToFloat16((0.5f + random.nextFloat()) * 0.01f);
        };
    }

    private static TensorView tensor(Random random, DType type, int n, int k, boolean large) {
        if (type == DType.F32) {
            MemorySegment data = MemorySegment.ofArray(numbers(random, n * k));
            return new TensorView("w", type, new long[] {n, k}, data, "test");
        }
        int head = type == DType.Q4_1 ? 4 : 2;
        int size = head + (type == DType.Q8_0 ? 32 : 16);
        byte[] bytes = new byte[n * k / 32 * size];
        random.nextBytes(bytes);
        MemorySegment data = Arena.ofAuto().allocate(bytes.length);
        data.copyFrom(MemorySegment.ofArray(bytes));
        for (int at = 0; at < bytes.length; at += size) {
            for (int i = 0; i < head; i += 2) {
                short s = large && random.nextInt(50) == 0 ? Float.floatToFloat16(300) : scale(random);
                data.set(ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), at + i, s);
            }
        }
        return new TensorView("w", type, new long[] {n, k}, data, "test");
    }

    private static WeightFormat format(Random random, DType type) {
        return switch (type) {
            case Q8_0 -> WeightFormat.Q8;
            case Q4_0, Q4_1 -> WeightFormat.Q4;
            default -> random.nextBoolean() ? WeightFormat.Q8 : WeightFormat.Q4;
        };
    }

    private static int columns(Random random, DType type) {
        return type == DType.F32
                ? pick(random, 1, 2, 31, 32, 33, 60, 65, 100, 160, 577)
                : pick(random, 32, 64, 96, 576);
    }

    @Test
    void everyWeightIsThatOfTheSource() {
        for (int seed = 0; seed < 60; seed++) {
            Random random = new Random(seed);
            DType type = STORED[seed % STORED.length];
            int k = columns(random, type);
            int n = pick(random, OUTPUTS);
            List<TensorView> parts =
                    List.of(tensor(random, type, n, k, seed % 5 == 0), tensor(random, type, 3, k, false));
            WeightFormat format = format(random, type);
            WeightRows source = new WeightRows(parts, format);
            try (SimdBackend b = new SimdBackend(2)) {
                Matrix w = b.matrix(parts, format);
                assertEquals(format, w.format());
                int[] ids = new int[n + 3];
                Arrays.setAll(ids, i -> n + 2 - i);
                Buffer out = b.buffer(n + 3, k);
                b.embed(w, ids, n + 3, 1, out);
                float[] found = new float[(n + 3) * k];
                b.read(out, 0, n + 3, found, 0);
                float[] expected = new float[k];
                for (int t = 0; t < n + 3; t++) {
                    source.row(ids[t], expected, 0);
                    assertArrayEquals(
                            expected,
                            Arrays.copyOfRange(found, t * k, (t + 1) * k),
                            type + " as " + format + " row " + ids[t] + ", seed " + seed);
                }
            }
        }
    }

    @Test
    void productsAreThoseOfTheRows() {
        for (int seed = 0; seed < 80; seed++) {
            Random random = new Random(seed);
            DType type = STORED[seed % STORED.length];
            int k = columns(random, type);
            int n = pick(random, OUTPUTS);
            int rows = pick(random, ROWS);
            List<TensorView> parts = List.of(tensor(random, type, n, k, seed % 5 == 0));
            WeightFormat format = format(random, type);
            WeightRows source = new WeightRows(parts, format);
            float[] x = numbers(random, rows * k);
            try (SimdBackend b = new SimdBackend(2)) {
                Buffer out = b.buffer(rows, n);
                b.matmul(b.buffer(rows, k, x), rows, b.matrix(parts, format), null, out);
                float[] found = new float[rows * n];
                b.read(out, 0, rows, found, 0);
                float[] weights = new float[k];
                for (int r = 0; r < n; r++) {
                    source.row(r, weights, 0);
                    for (int t = 0; t < rows; t++) {
                        close(
                                x,
                                t * k,
                                weights,
                                found[t * n + r],
                                type + " as " + format + " [" + t + ", " + r + "] of " + rows + "x" + k + "x" + n
                                        + ", seed " + seed);
                    }
                }
            }
        }
    }

    /** Errors are measured by the magnitude of what is added up: codes, scales and minima of a block apart. */
    private static void close(float[] x, int at, float[] weights, float found, String what) {
        double exact = 0;
        double magnitude = 0;
        for (int from = 0; from < weights.length; from += 32) {
            double largest = 0;
            double inputs = 0;
            for (int i = from; i < Math.min(weights.length, from + 32); i++) {
                exact += (double) weights[i] * x[at + i];
                largest = Math.max(largest, Math.abs(weights[i]));
                inputs += Math.abs(x[at + i]);
            }
            magnitude += largest * inputs;
        }
        assertTrue(
                Math.abs(found - exact) <= 20 * 0x1p-24 * magnitude + 1e-30,
                () -> what + ": found " + found + " of magnitude");
    }

    @Test
    void aRowDoesNotDependOnTheOthersNorOnThreads() {
        for (int seed = 0; seed < 8; seed++) {
            Random random = new Random(seed);
            DType type = STORED[seed % STORED.length];
            int k = seed < 4 ? columns(random, type) : 576;
            int n = pick(random, 33, 96, 111);
            List<TensorView> parts = List.of(tensor(random, type, n, k, false));
            WeightFormat format = format(random, type);
            float[] x = numbers(random, 100 * k);
            float[] all = product(3, parts, format, 100, k, n, x);
            for (int rows = 1; rows < 100; rows += rows < 14 ? 1 : 17) {
                for (int at : new int[] {0, 100 - rows}) {
                    float[] some = product(
                            1 + rows % 2, parts, format, rows, k, n, Arrays.copyOfRange(x, at * k, (at + rows) * k));
                    for (int i = 0; i < some.length; i++) {
                        assertEquals(
                                Float.floatToRawIntBits(all[at * n + i]),
                                Float.floatToRawIntBits(some[i]),
                                type + " as " + format + ", " + rows + " rows from " + at + ", k " + k + ", seed "
                                        + seed);
                    }
                }
            }
        }
    }

    private static float[] product(
            int threads, List<TensorView> parts, WeightFormat format, int rows, int k, int n, float[] x) {
        try (SimdBackend b = new SimdBackend(threads)) {
            Buffer out = b.buffer(rows, n);
            b.matmul(b.buffer(rows, k, x), rows, b.matrix(parts, format), null, out);
            float[] found = new float[rows * n];
            b.read(out, 0, rows, found, 0);
            return found;
        }
    }
}
