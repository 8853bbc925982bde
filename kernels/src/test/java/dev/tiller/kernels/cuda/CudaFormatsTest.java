package dev.tiller.kernels.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.kernels.AttentionSpec;
import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.Draws;
import dev.tiller.kernels.EditTable;
import dev.tiller.kernels.KvPages;
import dev.tiller.kernels.RopeTable;
import dev.tiller.kernels.Rows;
import dev.tiller.kernels.SiteTaps;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.WeightRows;
import dev.tiller.kernels.scalar.ScalarBackend;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** What the GPU does and the CPU backends do not: 16-bit inputs, keys and values, sums in fixed point, drawing tokens. */
class CudaFormatsTest {
    private static float[] normal(Random random, int n) {
        float[] a = new float[n];
        for (int i = 0; i < n; i++) {
            a[i] = (float) random.nextGaussian();
        }
        return a;
    }

    private static float rounded(float v, WeightFormat format) {
        return switch (format) {
            case F32 -> v;
            case BF16 -> Float.intBitsToFloat(WeightRows.toBf16(v) << 16);
            case F16 -> Float.float16ToFloat(Float.floatToFloat16(v));
            case Q8, Q4 -> throw new AssertionError("expected an operand type, found " + format);
        };
    }

    @ParameterizedTest
    @EnumSource(
            value = WeightFormat.class,
            names = {"F32", "BF16", "F16"})
    void operandsHoldNumbersRoundedToNearestEven(WeightFormat format) {
        try (CudaBackend b = CudaForTests.open()) {
            float[] values = normal(new Random(1), 5 * 7);
            Buffer x = b.buffer(6, 7, format);
            b.write(values, 0, x, 1, 5);
            float[] found = new float[6 * 7];
            b.read(x, 0, 6, found, 0);
            for (int i = 0; i < found.length; i++) {
                assertEquals(i < 7 ? 0 : rounded(values[i - 7], format), found[i]);
            }
            assertEquals(format, x.format());
            assertEquals(format, b.operandFormat(format));
        }
    }

    /** Prefill in chunks, then single rows, with keys and values of 16 bits, beside the oracle in double precision. */
    @ParameterizedTest
    @CsvSource({
        "BF16, 64, 0, 0",
        "BF16, 8, 20, 0",
        "F16, 64, 0, 30",
        "F16, 12, 0, 0",
        "BF16, 128, 0, 0",
        "F32, 64, 0, 0"
    })
    void attentionWithShortKeys(WeightFormat format, int headDim, int window, float cap) {
        float scale = (float) (1 / Math.sqrt(headDim));
        AttentionSpec spec = new AttentionSpec(4, 2, headDim, scale, cap, window);
        int columns = 8 * headDim;
        Random random = new Random(headDim + window);
        RopeTable rope = angles(headDim / 2, random);
        float[] x = normal(random, 72 * columns);
        try (CudaBackend cuda = CudaForTests.open();
                Backend scalar = new ScalarBackend("oracle")) {
            float[] found = attend(cuda, format, spec, rope, x);
            float[] expected = attend(scalar, WeightFormat.F32, spec, rope, x);
            // values of size 1, weights that add up to 1; a rounded score moves its weight by as much
            double unit = format == WeightFormat.BF16 ? 0x1p-8 : format == WeightFormat.F16 ? 0x1p-11 : 0x1p-20;
            double worst = 0;
            for (int i = 0; i < found.length; i++) {
                worst = Math.max(worst, Math.abs(found[i] - expected[i]));
            }
            assertTrue(worst <= 6 * unit, "largest difference " + worst);
            assertTrue(format == WeightFormat.F32 || worst > unit / 64, "numbers were rounded");
        }
    }

    private static RopeTable angles(int half, Random random) {
        float[] cos = new float[80 * half];
        float[] sin = new float[80 * half];
        for (int i = 0; i < cos.length; i++) {
            double a = random.nextDouble() * 7;
            cos[i] = (float) Math.cos(a);
            sin[i] = (float) Math.sin(a);
        }
        return new RopeTable(half, cos, sin);
    }

    /** Two sequences of 36 positions: 33 rows of each at once, then rows one by one, all through prepareAttention. */
    private static float[] attend(Backend b, WeightFormat format, AttentionSpec spec, RopeTable rope, float[] x) {
        KvPages kv = b.kvPages(2, spec.kvHeads(), spec.headDim(), format);
        int[][] pages = {{kv.allocate(), kv.allocate(), kv.allocate()}, {kv.allocate(), kv.allocate(), kv.allocate()}};
        int width = spec.heads() * spec.headDim();
        float[] out = new float[72 * width];
        int done = 0;
        for (int[] chunk : new int[][] {{0, 33}, {33, 34}, {34, 35}, {35, 36}}) {
            int n = chunk[1] - chunk[0];
            int[] position =
                    IntStream.range(0, 2 * n).map(t -> chunk[0] + t % n).toArray();
            int[] sequence = IntStream.range(0, 2 * n).map(t -> t / n).toArray();
            Rows rows = new Rows(2 * n, position, sequence, pages);
            int columns = x.length / 72;
            Buffer qkv = b.buffer(2 * n, columns, Arrays.copyOfRange(x, done * columns, (done + 2 * n) * columns));
            Buffer to = b.buffer(2 * n, width, format);
            b.prepareAttention(qkv, rows, spec, null, rope, kv, 1);
            b.attend(qkv, rows, 0, kv, 1, spec, to);
            b.read(to, 0, 2 * n, out, done * width);
            done += 2 * n;
        }
        return out;
    }

    @Test
    void sumsDoNotDependOnTheOrderOfRowsAndAreExactToTheStepOfFixedPoint() {
        try (CudaBackend b = CudaForTests.open()) {
            int d = 20;
            int rows = 50;
            float[] values = normal(new Random(5), rows * d);
            for (int i = 0; i < values.length; i++) {
                values[i] *= i / d % 3 == 0 ? 1e4f : 1;
            }
            values[0] = 3e9f; // beyond what fixed point holds
            float[] reversed = new float[rows * d];
            for (int t = 0; t < rows; t++) {
                System.arraycopy(values, t * d, reversed, (rows - 1 - t) * d, d);
            }
            float[] forth = sums(b, values, rows, d);
            assertArrayEquals(forth, sums(b, reversed, rows, d));
            for (int i = 1; i < d; i++) {
                double exact = 0;
                for (int t = 0; t < rows; t++) {
                    exact += values[t * d + i];
                }
                assertEquals(exact, forth[i], rows * 0x1p-25 + Math.ulp((float) exact));
            }
        }
    }

    private static float[] sums(CudaBackend b, float[] values, int rows, int d) {
        Buffer sums = b.buffer(2, d);
        int[] start = IntStream.rangeClosed(0, rows).toArray();
        SiteTaps taps = new SiteTaps(null, null, null, sums, start, new int[rows]);
        b.site(b.buffer(rows, d, values), null, rows, EditTable.NONE, taps, EditTable.NONE, null, null);
        float[] out = new float[d];
        b.read(sums, 0, 1, out, 0);
        float[] again = new float[d];
        b.read(sums, 0, 1, again, 0);
        assertArrayEquals(out, again, "reading changes nothing");
        b.clear(sums);
        b.read(sums, 0, 1, again, 0);
        assertArrayEquals(new float[d], again);
        return out;
    }

    @Test
    void sumsAreWholeWhereverTheyAreUsed() {
        try (CudaBackend b = CudaForTests.open()) {
            Buffer sums = b.buffer(2, 3, new float[] {1, 2, 3, 4, 5, 6});
            SiteTaps taps = new SiteTaps(null, null, null, sums, new int[] {0, 2, 3}, new int[] {0, 1, 1});
            Buffer x = b.buffer(2, 3, new float[] {10, 20, 30, 100, 200, 300});
            b.site(x, null, 2, EditTable.NONE, taps, EditTable.NONE, null, null);
            Buffer copy = b.buffer(2, 3);
            b.gather(sums, new int[] {1, 0}, 2, copy);
            float[] found = new float[6];
            b.read(copy, 0, 2, found, 0);
            assertArrayEquals(new float[] {114, 225, 336, 11, 22, 33}, found);
            b.write(new float[] {7, 7, 7}, 0, sums, 0, 1);
            b.read(sums, 0, 2, found, 0);
            assertArrayEquals(new float[] {7, 7, 7, 114, 225, 336}, found);
        }
    }

    @Test
    void tokensAreDrawnByTheirProbabilities() {
        try (CudaBackend b = CudaForTests.open()) {
            assertTrue(b.canSample());
            float[] logits = {0, (float) Math.log(3), Float.NEGATIVE_INFINITY, (float) Math.log(4)}; // 1/8, 3/8, 0, 4/8
            double[] u = {0, 0.124, 0.126, 0.49, 0.51, 0.999};
            int[] expected = {0, 0, 1, 1, 3, 3};
            draw(b, logits, new Draws(ones(6), new int[6], doubles(6, 1), new double[6], u), expected);
            // the two most likely: 3/7 and 4/7
            int[] two = {2, 2, 2, 2, 2, 2};
            draw(b, logits, new Draws(ones(6), two, doubles(6, 1), new double[6], u), 1, 1, 1, 3, 3, 3);
            // top-p 0.8 drops what is less likely than 0.2 together; min-p 0.3 what is below 0.15
            draw(b, logits, new Draws(ones(6), new int[6], doubles(6, .8), new double[6], u), 1, 1, 1, 3, 3, 3);
            draw(b, logits, new Draws(ones(6), new int[6], doubles(6, 1), doubles(6, .3), u), 1, 1, 1, 3, 3, 3);
            draw(b, logits, new Draws(new float[6], new int[6], doubles(6, 1), new double[6], u), 3, 3, 3, 3, 3, 3);
            logits[1] = Float.POSITIVE_INFINITY;
            draw(b, logits, new Draws(ones(1), new int[1], doubles(1, 1), new double[1], u), -1);
            Draws few = new Draws(ones(1), new int[1], doubles(1, 1), new double[1], u);
            assertThrows(IllegalArgumentException.class, () -> b.sample(b.buffer(2, 4), 2, few, new int[2]));
        }
    }

    private static void draw(CudaBackend b, float[] logits, Draws draws, int... expected) {
        int n = expected.length;
        Buffer rows = b.buffer(n, logits.length);
        for (int t = 0; t < n; t++) {
            b.write(logits, 0, rows, t, 1);
        }
        int[] found = new int[n];
        b.sample(rows, n, draws, found);
        assertArrayEquals(expected, found);
    }

    private static float[] ones(int n) {
        float[] a = new float[n];
        Arrays.fill(a, 1);
        return a;
    }

    private static double[] doubles(int n, double value) {
        double[] a = new double[n];
        Arrays.fill(a, value);
        return a;
    }

    @Test
    void operandsOfTheWrongTypeAreRefused() {
        try (CudaBackend b = CudaForTests.open()) {
            Buffer brain = b.buffer(2, 8, WeightFormat.BF16);
            Buffer full = b.buffer(2, 8);
            KvPages kv = b.kvPages(1, 1, 8, WeightFormat.BF16);
            Rows rows = new Rows(1, new int[1], new int[1], new int[][] {{kv.allocate()}});
            AttentionSpec spec = new AttentionSpec(1, 1, 8, 1, 0, 0);
            assertThrows(IllegalArgumentException.class, () -> b.gather(brain, new int[1], 1, full));
            assertThrows(IllegalArgumentException.class, () -> b.attend(full, rows, 0, kv, 0, spec, b.buffer(1, 8)));
            assertThrows(IllegalArgumentException.class, () -> b.argmax(brain, 1, new int[1]));
            assertThrows(IllegalArgumentException.class, () -> b.edit(brain, 1, EditTable.NONE));
        }
    }
}
