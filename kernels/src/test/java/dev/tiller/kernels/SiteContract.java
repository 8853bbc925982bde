package dev.tiller.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.kernels.EditTable.Kind;
import dev.tiller.kernels.lab.RandomEdits;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What the residual site and edits owe. */
interface SiteContract {
    Backend open();

    /**
     * What sums must be: the numbers of each element in the order of the rows, added in the way of the backend. Adding
     * float32 numbers one after the other unless said otherwise.
     */
    default float sum(float[] numbers) {
        float sum = 0;
        for (float n : numbers) {
            sum += n;
        }
        return sum;
    }

    /** Edits for some rows, of all kinds; the same for both backends but for the buffers. */
    private static EditTable[] edits(Duo duo, int rows, int d, boolean none) {
        if (none) {
            return new EditTable[] {EditTable.NONE, EditTable.NONE};
        }
        RandomEdits random = new RandomEdits(duo.random, rows, d);
        Buffer[] v = duo.buffers(random.count(), d, random.directions());
        Buffer[] gates = duo.buffers(rows, RandomEdits.GATES, duo.numbers(rows * RandomEdits.GATES));
        return new EditTable[] {random.table(v[0], gates[0]), random.table(v[1], gates[1])};
    }

    @Test
    default void siteAgreesWithTheOracle() {
        for (int seed = 0; seed < 200; seed++) {
            try (Duo duo = new Duo(open(), seed)) {
                int rows = duo.pick(1, 2, 3, 5, 6, 7, 8, 13, 17, 64, 100);
                int d = duo.pick(1, 3, 16, 60, 64, 65, 96, 111, 576);
                Buffer[] x = duo.random(rows + 1, d);
                Buffer[] delta = duo.random.nextBoolean() ? duo.random(rows, d) : new Buffer[2];
                EditTable[] edits = edits(duo, rows, d, duo.random.nextInt(4) == 0);
                EditTable[] after = edits(duo, rows, d, duo.random.nextBoolean());
                Buffer[] tapped = duo.random.nextBoolean() ? duo.random(rows, d) : new Buffer[2];
                int p = duo.pick(1, 3);
                Buffer[] probes = duo.random.nextBoolean() ? duo.random(p, d) : new Buffer[2];
                Buffer[] projections = probes[0] == null ? new Buffer[2] : duo.buffers(rows, p);
                Buffer[] sums = duo.random.nextBoolean() ? duo.random(3, d) : new Buffer[2];
                int[] start = IntStream.range(0, rows + 1).map(t -> t * 2).toArray();
                int[] slot = duo.random.ints(2 * rows, 0, 3).toArray();
                Buffer[] weight = duo.random(1, d);
                Buffer[] normed = duo.random.nextBoolean() ? duo.buffers(rows, d) : new Buffer[2];
                duo.both(i -> {
                    SiteTaps taps = new SiteTaps(tapped[i], probes[i], projections[i], sums[i], start, slot);
                    Norm norm = normed[i] == null ? null : new Norm(Norm.Kind.RMS, weight[i], null, 1e-5f, 0);
                    duo.b[i].site(x[i], ModuleOutput.of(delta[i]), rows, edits[i], taps, after[i], norm, normed[i]);
                });
                // up to 14 edits of size |v| = sqrt(d), each with a dot product over d
                double tolerance = 60 * (4 + Math.sqrt(d)) * Duo.EPS;
                String what = rows + " rows of " + d;
                duo.close("residual, " + what, x, tolerance);
                if (tapped[0] != null) {
                    duo.close("tapped rows, " + what, tapped, tolerance);
                }
                if (probes[0] != null) {
                    duo.close("projections, " + what, projections, tolerance * Math.sqrt(d) * 4);
                }
                if (sums[0] != null) {
                    duo.close("sums, " + what, sums, tolerance * 4);
                }
                if (normed[0] != null) {
                    duo.close("normed, " + what, normed, tolerance * 2);
                }
            }
        }
    }

    @Test
    default void whatAModuleWritesAgreesWithTheOracle() {
        for (int seed = 0; seed < 80; seed++) {
            try (Duo duo = new Duo(open(), seed)) {
                int rows = duo.pick(1, 2, 3, 8, 13, 64);
                int d = duo.pick(16, 60, 64, 65, 96, 111, 576);
                Buffer[] x = duo.random(rows, d);
                Buffer[] delta = duo.random(rows, d);
                EditTable[] out = edits(duo, rows, d, duo.random.nextInt(3) == 0);
                EditTable[] write = edits(duo, rows, d, duo.random.nextInt(3) == 0);
                EditTable[] edits = edits(duo, rows, d, duo.random.nextBoolean());
                Norm.Kind kind = duo.random.nextBoolean() ? Norm.Kind.RMS : Norm.Kind.LAYER;
                Buffer[] weight = duo.random.nextBoolean() ? duo.random(1, d) : new Buffer[2];
                float scale = duo.pick(1, 1, 2, -1) / (float) duo.pick(1, 3);
                duo.both(i -> {
                    Norm norm = weight[i] == null ? null : new Norm(kind, weight[i], null, 1e-5f, 1);
                    ModuleOutput module = new ModuleOutput(delta[i], out[i], norm, scale, write[i]);
                    duo.b[i].site(x[i], module, rows, edits[i], SiteTaps.NONE, EditTable.NONE, null, null);
                });
                // up to 21 edits of size |v| = sqrt(d), each with a dot product over d
                duo.close(rows + " rows of " + d, x, 90 * (4 + Math.sqrt(d)) * Duo.EPS);
            }
        }
    }

    @Test
    default void theScaleOfAModuleComesBetweenItsNormAndItsWriteEdits() {
        try (Backend b = open()) {
            Buffer x = b.buffer(1, 2, new float[] {1, 1});
            EditTable out = one(b, Kind.ADD, new float[] {0, 4}, 1, 0, 0, 1);
            Norm norm = new Norm(Norm.Kind.RMS, b.buffer(1, 2, new float[] {1, 10}), null, 0, 0);
            EditTable write = one(b, Kind.ADD, new float[] {0, 1}, 7, 0, 0, 1);
            ModuleOutput module = new ModuleOutput(b.buffer(1, 2, new float[] {3, 0}), out, norm, 0.5f, write);
            b.site(x, module, 1, EditTable.NONE, SiteTaps.NONE, EditTable.NONE, null, null);
            float a = (float) (1 / Math.sqrt(12.5)); // row 3 4
            assertArrayEquals(new float[] {1 + 1.5f * a, 1 + 20 * a + 7}, Duo.read(b, x), 4e-6f);
        }
    }

    @Test
    default void whatAModuleWritesIsEditedNormedAndEditedAgain() {
        try (Duo duo = new Duo(open(), 12)) {
            Backend b = duo.b[0];
            Buffer x = b.buffer(2, 2, new float[] {1, 1, 1, 1});
            Buffer delta = b.buffer(2, 2, new float[] {3, 0, 0, 0});
            EditTable out = one(b, Kind.ADD, new float[] {0, 4}, 1, 0, 0, 2);
            Norm norm = new Norm(Norm.Kind.RMS, b.buffer(1, 2, new float[] {1, 10}), null, 0, 0);
            EditTable write = one(b, Kind.ABLATE, new float[] {0, 1}, 0.5f, 0, 0, 2);
            b.site(
                    x,
                    new ModuleOutput(delta, out, norm, write),
                    2,
                    EditTable.NONE,
                    SiteTaps.NONE,
                    EditTable.NONE,
                    null,
                    null);
            // rows 3 4 and 0 4: root mean squares sqrt(12.5) and sqrt(8)
            float a = (float) (1 / Math.sqrt(12.5));
            float c = (float) (1 / Math.sqrt(8));
            assertArrayEquals(new float[] {1 + 3 * a, 1 + 20 * a, 1, 1 + 20 * c}, Duo.read(b, x), 4e-6f);
        }
    }

    @Test
    default void editAgreesWithTheSite() {
        try (Duo duo = new Duo(open(), 1)) {
            Backend b = duo.b[0];
            float[] values = duo.numbers(17 * 65);
            EditTable table = edits(duo, 17, 65, false)[0];
            Buffer x = b.buffer(17, 65, values);
            Buffer y = b.buffer(17, 65, values);
            b.edit(x, 17, table);
            b.site(y, null, 17, table, SiteTaps.NONE, EditTable.NONE, null, null);
            Duo.same(duo.name, Duo.read(b, y), Duo.read(b, x));
        }
    }

    /** One edit of one direction for all rows. */
    private static EditTable one(Backend b, Kind kind, float[] v, float c, float low, float high, int rows) {
        return new EditTable(
                new Kind[] {kind},
                b.buffer(1, v.length, v),
                new float[] {low},
                new float[] {high},
                IntStream.rangeClosed(0, rows).toArray(),
                new int[rows],
                floats(rows, c));
    }

    private static float[] floats(int n, float value) {
        float[] a = new float[n];
        Arrays.fill(a, value);
        return a;
    }

    private static double dot(float[] x, float[] v) {
        double sum = 0;
        for (int i = 0; i < v.length; i++) {
            sum += (double) x[i] * v[i];
        }
        return sum;
    }

    @Test
    default void editsHaveTheirClosedForms() {
        for (int d : new int[] {1, 3, 8, 60, 64, 65, 96, 111, 576}) {
            try (Duo duo = new Duo(open(), d)) {
                Backend b = duo.b[0];
                float[] v = duo.numbers(d);
                float[] u = v.clone();
                RandomEdits.normalise(u, 0, d);
                double length = Math.sqrt(dot(v, v));
                float[] x = duo.numbers(7 * d);
                double tolerance = 8 * Duo.EPS * (length + 4) * (4 + Math.sqrt(d));
                float[] added = edited(b, x, d, one(b, Kind.ADD, v, -1.5f, 0, 0, 7));
                float[] ablated = edited(b, x, d, one(b, Kind.ABLATE, u, 1, 0, 0, 7));
                float[] half = edited(b, x, d, one(b, Kind.ABLATE, u, 0.5f, 0, 0, 7));
                float[] clamped = edited(b, x, d, one(b, Kind.CLAMP, u, 1, 0.25f, 0.5f, 7));
                for (int t = 0; t < 7; t++) {
                    double before = dot(Duo.row(x, t, d), u);
                    String where = "row " + t + " of " + d + ", " + duo.name;
                    // adding c v moves the projection on v / |v| by c |v|^2 / |v|
                    assertEquals(before - 1.5 * length, dot(Duo.row(added, t, d), u), tolerance, where);
                    assertEquals(0, dot(Duo.row(ablated, t, d), u), tolerance, where);
                    assertEquals(before / 2, dot(Duo.row(half, t, d), u), tolerance, where);
                    double inside = Math.min(Math.max(before, 0.25), 0.5);
                    assertEquals(inside, dot(Duo.row(clamped, t, d), u), tolerance, where);
                    assertTrue(d == 1 || !Arrays.equals(Duo.row(x, t, d), Duo.row(ablated, t, d)), where);
                }
            }
        }
    }

    private static float[] edited(Backend b, float[] values, int d, EditTable table) {
        Buffer x = b.buffer(values.length / d, d, values);
        b.edit(x, x.rows(), table);
        return Duo.read(b, x);
    }

    @Test
    default void rowsWithoutEntriesAreUntouchedBitForBit() {
        for (int d : new int[] {1, 65, 576}) {
            try (Duo duo = new Duo(open(), d)) {
                Backend b = duo.b[0];
                float[] values = duo.numbers(100 * d);
                values[0] = -0f;
                float[] v = duo.numbers(d);
                int[] start = new int[101];
                for (int t = 0; t < 100; t++) {
                    start[t + 1] = start[t] + (t % 3 == 1 ? 1 : 0);
                }
                EditTable table = new EditTable(
                        new Kind[] {Kind.ADD},
                        b.buffer(1, d, v),
                        new float[1],
                        new float[1],
                        start,
                        new int[start[100]],
                        floats(start[100], 3));
                float[] after = edited(b, values, d, table);
                for (int t = 0; t < 100; t++) {
                    if (t % 3 == 1) {
                        assertTrue(!Arrays.equals(Duo.row(values, t, d), Duo.row(after, t, d)));
                    } else {
                        Duo.same("row " + t + ", " + duo.name, Duo.row(values, t, d), Duo.row(after, t, d));
                    }
                }
                // a clamp that finds the projection inside its bounds does nothing
                EditTable wide = one(b, Kind.CLAMP, v, 1, Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY, 100);
                Duo.same("clamp, " + duo.name, values, edited(b, values, d, wide));
            }
        }
    }

    @Test
    default void aRowOfTheSiteDependsNeitherOnTheOthersNorOnTaps() {
        try (Duo duo = new Duo(open(), 9)) {
            Backend b = duo.b[0];
            int d = 111;
            float[] values = duo.numbers(100 * d);
            float[] delta = duo.numbers(100 * d);
            EditTable edits = edits(duo, 100, d, false)[0];
            EditTable after = edits(duo, 100, d, false)[0];
            Norm norm = new Norm(Norm.Kind.RMS, b.buffer(1, d, duo.numbers(d)), null, 1e-6f, 0);
            Buffer x = b.buffer(100, d, values);
            Buffer normed = b.buffer(100, d);
            b.site(x, ModuleOutput.of(b.buffer(100, d, delta)), 100, edits, SiteTaps.NONE, after, norm, normed);
            Buffer y = b.buffer(100, d, values);
            Buffer normedToo = b.buffer(100, d);
            SiteTaps taps = new SiteTaps(
                    b.buffer(100, d),
                    b.buffer(2, d),
                    b.buffer(100, 2),
                    b.buffer(1, d),
                    IntStream.rangeClosed(0, 100).toArray(),
                    new int[100]);
            b.site(y, ModuleOutput.of(b.buffer(100, d, delta)), 100, edits, taps, after, norm, normedToo);
            Duo.same("residual with taps, " + duo.name, Duo.read(b, x), Duo.read(b, y));
            Duo.same("normed with taps, " + duo.name, Duo.read(b, normed), Duo.read(b, normedToo));
            for (int t = 0; t < 100; t += 7) {
                Buffer row = b.buffer(1, d, Duo.row(values, t, d));
                Buffer rowNormed = b.buffer(1, d);
                b.site(
                        row,
                        ModuleOutput.of(b.buffer(1, d, Duo.row(delta, t, d))),
                        1,
                        only(b, edits, t),
                        SiteTaps.NONE,
                        only(b, after, t),
                        norm,
                        rowNormed);
                Duo.same("row " + t + ", " + duo.name, Duo.row(Duo.read(b, x), t, d), Duo.read(b, row));
                Duo.same("normed " + t, Duo.row(Duo.read(b, normed), t, d), Duo.read(b, rowNormed));
            }
        }
    }

    /** The edits of row t as a table for that row alone. */
    private static EditTable only(Backend b, EditTable all, int t) {
        int from = all.rowStart()[t];
        int to = all.rowStart()[t + 1];
        Buffer gates = b.buffer(1, RandomEdits.GATES);
        return new EditTable(
                all.kinds(),
                all.directions(),
                all.direction(),
                all.second(),
                all.low(),
                all.high(),
                new int[] {0, to - from},
                Arrays.copyOfRange(all.edit(), from, to),
                Arrays.copyOfRange(all.coefficient(), from, to),
                gates);
    }

    @Test
    default void tapsSeeTheRowAfterItsEditsButBeforeThoseOfTheNextSite() {
        try (Duo duo = new Duo(open(), 10)) {
            Backend b = duo.b[0];
            Buffer x = b.buffer(3, 2, new float[] {1, 2, 3, 4, 5, 6});
            Buffer rows = b.buffer(3, 2);
            Buffer sums = b.buffer(2, 2, new float[] {0.5f, 0, 0, 0});
            Buffer projections = b.buffer(3, 1);
            SiteTaps taps = new SiteTaps(
                    rows, b.buffer(1, 2, new float[] {1, 1}), projections, sums, new int[] {0, 1, 1, 3}, new int[] {
                        1, 0, 1
                    });
            EditTable edits = one(b, Kind.ADD, new float[] {10, 0}, 1, 0, 0, 3);
            EditTable after = one(b, Kind.ADD, new float[] {0, 100}, 1, 0, 0, 3);
            b.site(
                    x,
                    ModuleOutput.of(b.buffer(3, 2, new float[] {0, 0, 0, 0, 0, 1000})),
                    3,
                    edits,
                    taps,
                    after,
                    null,
                    null);
            Duo.same("rows", new float[] {11, 2, 13, 4, 15, 1006}, Duo.read(b, rows));
            Duo.same("projections", new float[] {13, 17, 1021}, Duo.read(b, projections));
            Duo.same("sums", new float[] {15.5f, 1006, 26, 1008}, Duo.read(b, sums));
            Duo.same("residual", new float[] {11, 102, 13, 104, 15, 1106}, Duo.read(b, x));
        }
    }

    /** Rows are added in their order whatever the number of threads: with these sizes any other order shows. */
    @Test
    default void sumsAreAddedInRowOrder() {
        try (Duo duo = new Duo(open(), 11)) {
            Backend b = duo.b[0];
            int d = 700;
            int rows = 300;
            float[] values = duo.numbers(rows * d);
            for (int i = 0; i < values.length; i++) {
                values[i] *= i / d % 2 == 0 ? 1e5f : 1;
            }
            float[] expected = new float[d];
            for (int i = 0; i < d; i++) {
                float[] column = new float[rows];
                for (int t = 0; t < rows; t++) {
                    column[t] = values[t * d + i];
                }
                expected[i] = sum(column);
            }
            Buffer sums = b.buffer(1, d);
            SiteTaps taps = new SiteTaps(
                    null, null, null, sums, IntStream.rangeClosed(0, rows).toArray(), new int[rows]);
            b.site(b.buffer(rows, d, values), null, rows, EditTable.NONE, taps, EditTable.NONE, null, null);
            Duo.same(duo.name, expected, Duo.read(b, sums));
        }
    }
}
