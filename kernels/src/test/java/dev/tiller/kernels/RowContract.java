package dev.tiller.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** What the operations on single rows owe. */
interface RowContract {
    Backend open();

    int[] WIDTHS = {1, 2, 3, 7, 12, 15, 16, 17, 60, 64, 65, 96, 111, 576};

    @Test
    default void normAgreesWithTheOracle() {
        for (int d : WIDTHS) {
            for (Norm.Kind kind : Norm.Kind.values()) {
                try (Duo duo = new Duo(open(), d)) {
                    int rows = duo.pick(1, 2, 7, 100);
                    float offset = duo.pick(0, 1);
                    Buffer[] weight = duo.random(1, d);
                    Buffer[] bias = duo.random.nextBoolean() ? duo.random(1, d) : new Buffer[2];
                    Buffer[] x = duo.random(rows, d);
                    Buffer[] out = duo.random(rows + 1, d);
                    duo.both(i -> {
                        Norm norm = new Norm(kind, weight[i], bias[i], 1e-5f, offset);
                        duo.b[i].norm(x[i], rows, norm, out[i]);
                        duo.b[i].norm(x[i], rows, norm, x[i]);
                    });
                    // subtracting the mean of very few elements leaves little but rounding errors of the input
                    double tolerance = kind == Norm.Kind.LAYER && d < 4 ? 1e-3 : 2e-6;
                    duo.close(kind + " norm of " + d, out, tolerance);
                    duo.close(kind + " norm of " + d + " in place", x, tolerance);
                }
            }
        }
    }

    @Test
    default void normHasItsClosedForm() {
        try (Duo duo = new Duo(open(), 0)) {
            Backend b = duo.b[0];
            Buffer x = b.buffer(1, 4, new float[] {3, 3, -3, -3});
            Buffer weight = b.buffer(1, 4, new float[] {1, 2, 3, 0});
            Buffer bias = b.buffer(1, 4, new float[] {0, 0, 0, 5});
            b.norm(x, 1, new Norm(Norm.Kind.RMS, weight, bias, 0, 1), x);
            assertArrayEquals(new float[] {2, 3, -4, 4}, Duo.read(b, x), 1e-6f);
            b.write(new float[] {1, 2, 3, 6}, 0, x, 0, 1);
            b.norm(x, 1, new Norm(Norm.Kind.LAYER, weight, null, 0.5f, 0), x);
            assertArrayEquals(new float[] {-1, -1, 0, 0}, Duo.read(b, x), 1e-6f); // mean 3, variance 3.5
        }
    }

    @Test
    default void ropeAgreesWithTheOracle() {
        for (int seed = 0; seed < 40; seed++) {
            try (Duo duo = new Duo(open(), seed)) {
                int rows = duo.pick(1, 2, 7, 100);
                int headDim = duo.pick(2, 8, 12, 16, 32, 64, 80);
                int half = duo.random.nextBoolean() ? headDim / 2 : Math.max(1, headDim / 4);
                int heads = duo.pick(1, 3, 5);
                int column = duo.pick(0, 1, 64);
                RopeTable table = new RopeTable(half, duo.numbers(120 * half), duo.numbers(120 * half));
                int[] position = duo.random.ints(rows, 0, 120).toArray();
                Rows where = new Rows(rows, position, new int[rows], new int[1][0]);
                Buffer[] x = duo.random(rows + 1, column + heads * headDim + 3);
                float[] before = duo.read(x, 0);
                duo.both(i -> duo.b[i].rope(x[i], where, column, heads, headDim, table));
                duo.close("rope " + heads + " heads of " + headDim + ", half " + half, x, 1e-6);
                assertOutside(before, duo.read(x, 0), x[0].columns(), rows, column, heads, headDim, 2 * half, duo.name);
            }
        }
    }

    private static void assertOutside(
            float[] before,
            float[] after,
            int columns,
            int rows,
            int column,
            int heads,
            int headDim,
            int rotated,
            String name) {
        for (int i = 0; i < before.length; i++) {
            int c = i % columns - column;
            boolean inside = i / columns < rows && c >= 0 && c < heads * headDim && c % headDim < rotated;
            if (!inside) {
                assertEquals(before[i], after[i], "rope touched column " + i % columns + ", " + name);
            }
        }
    }

    @Test
    default void ropeByAQuarterTurnSwapsTheHalves() {
        try (Backend b = open()) {
            Buffer x = b.buffer(1, 5, new float[] {1, 2, 3, 4, 5});
            RopeTable table = new RopeTable(2, new float[] {1, 1, 0, 0}, new float[] {0, 0, 1, 1});
            b.rope(x, new Rows(1, new int[] {0}, new int[1], new int[1][0]), 0, 1, 4, table);
            assertArrayEquals(new float[] {1, 2, 3, 4, 5}, Duo.read(b, x));
            b.rope(x, new Rows(1, new int[] {1}, new int[1], new int[1][0]), 0, 1, 4, table);
            assertArrayEquals(new float[] {-3, -4, 1, 2, 5}, Duo.read(b, x));
        }
    }

    @Test
    default void gatedActivationAgreesWithTheOracle() {
        for (int f : WIDTHS) {
            for (Activation activation : Activation.values()) {
                try (Duo duo = new Duo(open(), f)) {
                    int rows = duo.pick(1, 2, 7, 100);
                    float[] values = duo.numbers(rows * 2 * f);
                    for (int i = 0; i < values.length; i++) {
                        values[i] *= duo.pick(1, 1, 10, 100);
                    }
                    Buffer[] x = duo.buffers(rows, 2 * f, values);
                    Buffer[] out = duo.random(rows + 1, f);
                    duo.both(i -> duo.b[i].gatedActivation(x[i], rows, activation, out[i]));
                    float[] found = duo.read(out, 0);
                    float[] expected = duo.read(out, 1);
                    for (int i = 0; i < rows * f; i++) {
                        float gate = values[i / f * 2 * f + i % f];
                        float up = values[i / f * 2 * f + f + i % f];
                        duo.close(
                                activation + " of " + gate + " times " + up,
                                found[i],
                                expected[i],
                                1e-6 * Math.max(0.1, Math.abs(gate)) * Math.abs(up));
                    }
                }
            }
        }
    }

    @Test
    default void activationsHaveTheirKnownValues() {
        try (Backend b = open()) {
            Buffer x = b.buffer(4, 2, new float[] {1, 1, -2, 1, 0, 7, 1e30f, 0.5f});
            float[][] expected = {
                {0.73105858f, -0.23840584f, 0, 0.5e30f},
                {0.84134475f, -0.04550026f, 0, 0.5e30f},
                {0.84119199f, -0.04540231f, 0, 0.5e30f}
            };
            for (Activation activation : Activation.values()) {
                Buffer out = b.buffer(4, 1);
                b.gatedActivation(x, 4, activation, out);
                float[] found = Duo.read(b, out);
                for (int i = 0; i < 4; i++) {
                    float e = expected[activation.ordinal()][i];
                    assertEquals(e, found[i], 3e-7f * Math.max(1, Math.abs(e)), activation + " " + i);
                }
            }
        }
    }

    @Test
    default void rowsDoNotDependOnTheOthers() {
        try (Duo duo = new Duo(open(), 5)) {
            Backend b = duo.b[0];
            int d = 111;
            float[] values = duo.numbers(100 * 2 * d);
            Norm norm = new Norm(Norm.Kind.LAYER, b.buffer(1, 2 * d, duo.numbers(2 * d)), null, 1e-5f, 0);
            Buffer normed = b.buffer(100, 2 * d);
            Buffer gated = b.buffer(100, d);
            b.norm(b.buffer(100, 2 * d, values), 100, norm, normed);
            b.gatedActivation(b.buffer(100, 2 * d, values), 100, Activation.GELU, gated);
            float[] allNormed = Duo.read(b, normed);
            float[] allGated = Duo.read(b, gated);
            for (int t = 0; t < 100; t++) {
                Buffer x = b.buffer(1, 2 * d, Duo.row(values, t, 2 * d));
                b.gatedActivation(x, 1, Activation.GELU, gated);
                b.norm(x, 1, norm, x);
                Duo.same("norm, row " + t + ", " + duo.name, Duo.row(allNormed, t, 2 * d), Duo.read(b, x));
                Duo.same("activation, row " + t, Duo.row(allGated, t, d), Duo.row(Duo.read(b, gated), 0, d));
            }
        }
    }

    @Test
    default void gatherCopiesRows() {
        try (Duo duo = new Duo(open(), 6)) {
            Backend b = duo.b[0];
            float[] values = duo.numbers(7 * 13);
            Buffer out = b.buffer(5, 13);
            b.gather(b.buffer(7, 13, values), new int[] {6, 0, 6, 3, 99}, 4, out);
            float[] found = Duo.read(b, out);
            int[] from = {6, 0, 6, 3};
            for (int i = 0; i < 4; i++) {
                Duo.same("row " + i, Duo.row(values, from[i], 13), Duo.row(found, i, 13));
            }
            Duo.same("beyond", new float[13], Duo.row(found, 4, 13));
        }
    }

    @Test
    default void argmaxTakesTheFirstOfTheLargest() {
        for (int seed = 0; seed < 60; seed++) {
            try (Duo duo = new Duo(open(), seed)) {
                int n = duo.pick(1, 2, 15, 16, 17, 65, 576, 1000);
                float[] values = new float[9 * n];
                for (int i = 0; i < values.length; i++) {
                    values[i] = duo.pick(-3, -2, -1, 0, 1, 2); // many ties
                }
                values[duo.random.nextInt(values.length)] = Float.NaN;
                values[duo.random.nextInt(values.length)] = Float.POSITIVE_INFINITY;
                Arrays.fill(values, 8 * n, 9 * n, Float.NEGATIVE_INFINITY);
                int[] found = new int[9];
                duo.b[0].argmax(duo.b[0].buffer(9, n, values), 9, found);
                for (int t = 0; t < 9; t++) {
                    int best = 0;
                    for (int i = 1; i < n; i++) {
                        boolean unset =
                                Float.isNaN(values[t * n + best]) && values[t * n + i] > Float.NEGATIVE_INFINITY;
                        best = unset || values[t * n + i] > values[t * n + best] ? i : best;
                    }
                    assertEquals(best, found[t], "row " + t + " of width " + n + ", " + duo.name);
                }
            }
        }
    }

    /** As wide as a vocabulary: the largest may be in any part of the row, and again in a later one. */
    @Test
    default void argmaxOfWideRows() {
        for (int seed = 0; seed < 12; seed++) {
            try (Duo duo = new Duo(open(), seed)) {
                int n = duo.pick(8191, 8192, 8193, 16384, 24577);
                float[] values = new float[3 * n];
                for (int i = 0; i < values.length; i++) {
                    values[i] = duo.random.nextFloat();
                }
                int[] expected = new int[3];
                for (int t = 0; t < 3; t++) {
                    expected[t] = duo.random.nextInt(n);
                    values[t * n + expected[t]] = 1;
                    values[t * n + expected[t] + duo.random.nextInt(n - expected[t])] = 1;
                    values[t * n + duo.random.nextInt(expected[t] + 1)] = Float.NaN;
                    values[t * n + expected[t]] = 1;
                }
                Arrays.fill(values, 2 * n, 3 * n, seed % 2 == 0 ? Float.NaN : Float.NEGATIVE_INFINITY);
                if (seed % 3 > 0) {
                    values[2 * n + expected[2]] = -5;
                } else {
                    expected[2] = 0; // nothing is larger than the others
                }
                int[] found = new int[3];
                duo.b[0].argmax(duo.b[0].buffer(3, n, values), 3, found);
                assertArrayEquals(expected, found, "width " + n + ", " + duo.name);
            }
        }
    }

    @Test
    default void buffersAreZeroedWrittenReadAndCleared() {
        try (Duo duo = new Duo(open(), 8)) {
            Backend b = duo.b[0];
            Buffer x = b.buffer(4, 3);
            assertArrayEquals(new float[12], Duo.read(b, x));
            b.write(new float[] {9, 1, 2, 3, 4, 5, 6}, 1, x, 1, 2);
            assertArrayEquals(new float[] {0, 0, 0, 1, 2, 3, 4, 5, 6, 0, 0, 0}, Duo.read(b, x));
            float[] out = new float[8];
            b.read(x, 2, 2, out, 1);
            assertArrayEquals(new float[] {0, 4, 5, 6, 0, 0, 0, 0}, out);
            b.clear(x);
            assertArrayEquals(new float[12], Duo.read(b, x));
            assertEquals(4, x.rows());
            assertEquals(3, x.columns());
            assertFalse(b.description().isBlank());
            b.close(); // and once more by the end of this block
        }
    }
}
