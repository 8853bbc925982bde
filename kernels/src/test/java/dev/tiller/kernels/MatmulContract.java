package dev.tiller.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.DType;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** What weights, matmul and embed owe. */
interface MatmulContract {
    Backend open();

    /** The number that stands for an input of matmul with such weights: rounded if the backend keeps inputs in a shorter type. */
    default float asOperand(float input, WeightFormat weights) {
        return input;
    }

    /**
     * The magnitude that rounding errors of a product over k standard normal numbers are measured by, at least; 0: that of
     * the row's largest result alone.
     */
    default double leastMagnitude(int k, WeightFormat weights) {
        return 0;
    }

    /** Why a row of matmul may depend on the other rows of the call, or null if it must not. */
    default String whyRowsOfMatmulDepend() {
        return null;
    }

    DType[] STORED = {DType.F32, DType.BF16, DType.F16};

    @Test
    default void matmulAgreesWithTheOracle() {
        for (int seed = 0; seed < 120; seed++) {
            try (Duo duo = new Duo(open(), seed)) {
                int rows = duo.pick(1, 2, 3, 5, 6, 7, 8, 13, 17, 64, 100);
                int k = duo.pick(1, 2, 3, 7, 60, 64, 65, 96, 111, 576);
                List<TensorView> parts = new ArrayList<>();
                int n = 0;
                DType type = STORED[duo.random.nextInt(3)];
                for (int i = duo.random.nextInt(3); i >= 0; i--) {
                    int part = duo.pick(1, 5, 16, 31, 32, 33, 60, 64, 65, 96, 111, 576);
                    parts.add(Duo.tensor(type, part, k, duo.numbers(part * k)));
                    n += part;
                }
                WeightFormat format = WeightFormat.values()[duo.random.nextInt(3)];
                int inputs = rows + duo.random.nextInt(2);
                float[] values = duo.numbers(inputs * k);
                Buffer[] x = {duo.b[0].buffer(inputs, k, values), duo.b[1].buffer(inputs, k, rounded(values, format))};
                Buffer[] bias = duo.random.nextBoolean() ? duo.random(1, n) : new Buffer[2];
                Buffer[] out = duo.random(rows + 1, n);
                duo.both(i -> {
                    Matrix w = duo.b[i].matrix(parts, format);
                    assertEquals(format, w.format());
                    duo.b[i].matmul(x[i], rows, w, bias[i], out[i]);
                });
                // numbers are standard normal: a sum has magnitude sqrt(k), its rounding errors grow like k at most
                duo.close(
                        rows + "x" + k + "x" + n + " " + type + " as " + format,
                        out,
                        (4 + Math.sqrt(k)) * Duo.EPS * 4,
                        leastMagnitude(k, format));
            }
        }
    }

    private float[] rounded(float[] values, WeightFormat weights) {
        float[] out = values.clone();
        for (int i = 0; i < out.length; i++) {
            out[i] = asOperand(out[i], weights);
        }
        return out;
    }

    @Test
    default void aRowOfMatmulDoesNotDependOnTheOthers() {
        Assumptions.assumeTrue(whyRowsOfMatmulDepend() == null, whyRowsOfMatmulDepend());
        for (DType type : STORED) {
            try (Duo duo = new Duo(open(), 1)) {
                for (int[] shape : new int[][] {{576, 96}, {65, 111}, {33, 700}}) {
                    int k = shape[0];
                    int n = shape[1];
                    Backend b = duo.b[0];
                    Matrix w = b.matrix(
                            List.of(Duo.tensor(type, n, k, duo.numbers(n * k))),
                            b.naturalFormat(Duo.tensor(type, 1, 1, new float[1])));
                    float[] x = duo.numbers(100 * k);
                    Buffer out = b.buffer(100, n);
                    b.matmul(b.buffer(100, k, x), 100, w, null, out);
                    float[] all = Duo.read(b, out);
                    for (int rows = 1; rows < 100; rows += rows < 14 ? 1 : 17) {
                        for (int at : new int[] {0, 100 - rows}) {
                            Buffer some = b.buffer(rows, n);
                            b.matmul(
                                    b.buffer(rows, k, Arrays.copyOfRange(x, at * k, (at + rows) * k)),
                                    rows,
                                    w,
                                    null,
                                    some);
                            Duo.same(
                                    type + " rows " + rows + " from " + at + ", " + duo.name,
                                    Arrays.copyOfRange(all, at * n, (at + rows) * n),
                                    Duo.read(b, some));
                        }
                    }
                }
            }
        }
    }

    /** Unit rows of x pick the weights out; every finite 16-bit number must come back, rounded to nearest even if needed. */
    @Test
    default void weightsAreKeptExactlyOrRoundedToNearestEven() {
        int k = 64;
        int n = 1024;
        float[] half = new float[k * n];
        float[] brain = new float[k * n];
        float[] full = new float[k * n];
        try (Duo duo = new Duo(open(), 3)) {
            for (int i = 0; i < k * n; i++) {
                float h = Float.float16ToFloat((short) i);
                half[i] = Float.isFinite(h) ? h : 1;
                float f = Float.intBitsToFloat(i << 16);
                brain[i] = Float.isFinite(f) ? f : 1;
                full[i] = (float) Math.scalb(duo.random.nextGaussian(), duo.random.nextInt(30) - 26);
            }
            full[0] = 1 + 0x1p-8f; // between two bf16 numbers: the even one is 1
            full[1] = 1 + 3 * 0x1p-8f; // the even one is above
            full[2] = 1 + 0x1p-11f; // between two f16 numbers
            full[3] = 0x1p-25f; // half of the smallest f16 number: 0
            check(duo, DType.F16, WeightFormat.F16, n, k, half, half);
            float[] small = half.clone(); // as weights usually are; a backend may keep large numbers in another way
            for (int i = 0; i < k * n; i++) {
                small[i] = Math.abs(half[i]) < 128 ? half[i] : 0;
            }
            check(duo, DType.F16, WeightFormat.F16, n, k, small, small);
            check(duo, DType.BF16, WeightFormat.BF16, n, k, brain, brain);
            check(duo, DType.F32, WeightFormat.F32, n, k, full, full);
            check(duo, DType.F16, WeightFormat.F32, n, k, half, half);
            float[] rounded = new float[k * n];
            for (int i = 0; i < k * n; i++) {
                rounded[i] = Float.float16ToFloat(Float.floatToFloat16(full[i]));
            }
            check(duo, DType.F32, WeightFormat.F16, n, k, full, rounded);
            for (int i = 0; i < k * n; i++) {
                double ulp = Math.ulp(full[i]) * 65536.0;
                rounded[i] = (float) (Math.rint(full[i] / ulp) * ulp);
            }
            check(duo, DType.F32, WeightFormat.BF16, n, k, full, rounded);
        }
    }

    private static void check(
            Duo duo, DType type, WeightFormat format, int n, int k, float[] stored, float[] expected) {
        float[] unit = new float[k * k];
        for (int i = 0; i < k; i++) {
            unit[i * k + i] = 1;
        }
        Backend b = duo.b[0];
        Matrix w = b.matrix(List.of(Duo.tensor(type, n, k, stored)), format);
        Buffer out = b.buffer(k, n);
        for (int rows : new int[] {k, 1}) {
            b.matmul(b.buffer(k, k, unit), rows, w, null, out);
            float[] found = Duo.read(b, out);
            for (int t = 0; t < rows; t++) {
                for (int o = 0; o < n; o++) {
                    assertEquals(
                            expected[o * k + t] + 0f, found[t * n + o] + 0f, type + " as " + format + ", " + duo.name);
                }
            }
        }
        int[] ids = {n - 1, 0, 33, 0};
        Buffer rows = b.buffer(4, k);
        b.embed(w, ids, 4, 0.5f, rows);
        for (int t = 0; t < 4; t++) {
            float[] row = Duo.row(expected, ids[t], k);
            for (int i = 0; i < k; i++) {
                row[i] *= 0.5f;
            }
            assertArrayEquals(row, Duo.row(Duo.read(b, rows), t, k), type + " as " + format + ", " + duo.name);
        }
    }

    @Test
    default void naturalFormatIsTheStoredOne() {
        try (Backend b = open()) {
            for (DType type : STORED) {
                TensorView w = Duo.tensor(type, 1, 1, new float[1]);
                assertEquals(type.name(), b.naturalFormat(w).name());
                assertTrue(b.matrix(List.of(w), b.naturalFormat(w)).bytes()
                        >= b.naturalFormat(w).bytes());
            }
        }
    }

    @Test
    default void numbersTooLargeFor16BitFloatsAreRefused() {
        try (Backend b = open()) {
            for (float bad : new float[] {65520, -1e9f, Float.POSITIVE_INFINITY, Float.NaN}) {
                TensorView w = Duo.tensor(DType.F32, 70, 2, new float[140]);
                TensorView v = Duo.tensor(DType.F32, 1, 2, new float[] {1, bad});
                TillerException e =
                        assertThrows(TillerException.class, () -> b.matrix(List.of(w, v), WeightFormat.F16));
                assertTrue(e.getMessage().contains("w F32[1, 2] in test"), e.getMessage());
            }
        }
    }
}
