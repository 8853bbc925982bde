package dev.tiller.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.kernels.EditTable.Kind;
import dev.tiller.kernels.lab.RandomEdits;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Closed forms, in double precision, of edits that turn rows, keep their norms or wait for a gate. */
interface EditContract {
    int[] WIDTHS = {3, 8, 60, 64, 65, 96, 111, 576};
    int ROWS = 7;

    Backend open();

    /** Edits e = 0, 1, .. of two directions and one gate, listed in that order for every row. */
    final class EditList {
        private final Backend b;
        private final Buffer directions;
        private final List<Kind> kinds = new ArrayList<>();
        private final List<float[]> numbers = new ArrayList<>(); // direction, second, low, high, coefficient
        final Buffer gates;

        EditList(Backend b, float[] first, float[] second, int rows) {
            this.b = b;
            float[] both = Arrays.copyOf(first, 2 * first.length);
            System.arraycopy(second, 0, both, first.length, second.length);
            directions = b.buffer(2, first.length, both);
            gates = b.buffer(rows, 1);
        }

        EditList add(Kind kind, int direction, int second, double low, double high, double coefficient) {
            kinds.add(kind);
            numbers.add(new float[] {direction, second, (float) low, (float) high, (float) coefficient});
            return this;
        }

        EditList mark(Kind kind) {
            return add(kind, 0, 0, 0, 0, 1);
        }

        private float[] column(int i) {
            float[] out = new float[numbers.size()];
            for (int e = 0; e < out.length; e++) {
                out[e] = numbers.get(e)[i];
            }
            return out;
        }

        private int[] whole(int i) {
            int[] out = new int[numbers.size()];
            Arrays.setAll(out, e -> (int) numbers.get(e)[i]);
            return out;
        }

        EditTable table(int rows) {
            int n = kinds.size();
            int[] start = new int[rows + 1];
            int[] edit = new int[rows * n];
            float[] coefficient = new float[rows * n];
            for (int i = 0; i < rows * n; i++) {
                start[i / n + 1] = i + 1;
                edit[i] = i % n;
                coefficient[i] = numbers.get(i % n)[4];
            }
            return new EditTable(
                    kinds.toArray(Kind[]::new),
                    directions,
                    whole(0),
                    whole(1),
                    column(2),
                    column(3),
                    start,
                    edit,
                    coefficient,
                    gates);
        }

        float[] applied(float[] values, int d) {
            int rows = values.length / d;
            Buffer x = b.buffer(rows, d, values);
            b.edit(x, rows, table(rows));
            return Duo.read(b, x);
        }
    }

    private static double dot(float[] x, float[] v) {
        double sum = 0;
        for (int i = 0; i < v.length; i++) {
            sum += (double) x[i] * v[i];
        }
        return sum;
    }

    private static double length(float[] x) {
        return Math.sqrt(dot(x, x));
    }

    private static float[] unit(Duo duo, int d) {
        float[] u = duo.numbers(d);
        RandomEdits.normalise(u, 0, d);
        return u;
    }

    /** A unit vector orthogonal to u. */
    private static float[] orthogonal(Duo duo, float[] u) {
        float[] v = unit(duo, u.length);
        double p = dot(u, v);
        for (int i = 0; i < v.length; i++) {
            v[i] -= (float) (p * u[i]);
        }
        RandomEdits.normalise(v, 0, v.length);
        return v;
    }

    /** h' = h - P h + |P h| (cos b1 + sin b2), and |h'| = |h|. */
    @Test
    default void turnedRowsHaveTheirClosedForm() {
        for (int d : WIDTHS) {
            for (double degrees : new double[] {0, 30, 90, 135, 180, -60, 400}) {
                try (Duo duo = new Duo(open(), d + (long) degrees)) {
                    float[] b1 = unit(duo, d);
                    float[] b2 = orthogonal(duo, b1);
                    double angle = Math.toRadians(degrees);
                    float[] x = duo.numbers(ROWS * d);
                    float[] y = new EditList(duo.b[0], b1, b2, ROWS)
                            .add(Kind.ROTATE, 0, 1, Math.cos(angle), Math.sin(angle), 1)
                            .applied(x, d);
                    for (int t = 0; t < ROWS; t++) {
                        float[] before = Duo.row(x, t, d);
                        double p = dot(before, b1);
                        double q = dot(before, b2);
                        double r = Math.hypot(p, q);
                        double[] expected = new double[d];
                        for (int i = 0; i < d; i++) {
                            expected[i] =
                                    before[i] + (r * Math.cos(angle) - p) * b1[i] + (r * Math.sin(angle) - q) * b2[i];
                        }
                        float[] after = Duo.row(y, t, d);
                        String where = degrees + " degrees, row " + t + " of " + d + ", " + duo.name;
                        double tolerance = 8 * Duo.EPS * (4 + Math.sqrt(d));
                        for (int i = 0; i < d; i++) {
                            assertEquals(expected[i], after[i], tolerance, where);
                        }
                        assertEquals(length(before), length(after), tolerance * 4, where);
                    }
                }
            }
        }
    }

    /** Half way to a right angle the part in the plane stands at the middle of both directions, and is as long as before. */
    @Test
    default void aTurnCanStopOnTheWay() {
        try (Duo duo = new Duo(open(), 5)) {
            float[] x = {3, 0, 7, 0, 0, 0, 0, 0, 2};
            float[] y = new EditList(duo.b[0], new float[] {1, 0, 0}, new float[] {0, 1, 0}, 3)
                    .add(Kind.ROTATE, 0, 1, 0, 1, 0.5)
                    .applied(x, 3);
            float part = (float) (3 / Math.sqrt(2));
            assertArrayEquals(new float[] {part, part, 7, 0, 0, 0, 0, 0, 2}, y, 1e-6f);
        }
    }

    /** (h + c v) |h| / |h + c v|, and the same around two edits at once. */
    @Test
    default void restoredNormsAreThoseBefore() {
        for (int d : WIDTHS) {
            try (Duo duo = new Duo(open(), d)) {
                float[] v = duo.numbers(d);
                float[] u = orthogonal(duo, unit(duo, d));
                float[] x = duo.numbers(ROWS * d);
                float[] one = new EditList(duo.b[0], v, u, ROWS)
                        .mark(Kind.KEEP_NORM)
                        .add(Kind.ADD, 0, 0, 0, 0, 2.5)
                        .mark(Kind.RESTORE_NORM)
                        .applied(x, d);
                float[] two = new EditList(duo.b[0], v, u, ROWS)
                        .mark(Kind.KEEP_NORM)
                        .add(Kind.ADD, 0, 0, 0, 0, -1)
                        .add(Kind.ABLATE, 1, 0, 0, 0, 1)
                        .mark(Kind.RESTORE_NORM)
                        .applied(x, d);
                double tolerance = 16 * Duo.EPS * (4 + Math.sqrt(d));
                for (int t = 0; t < ROWS; t++) {
                    float[] h = Duo.row(x, t, d);
                    String where = "row " + t + " of " + d + ", " + duo.name;
                    expect(h, v, 2.5, null, Duo.row(one, t, d), tolerance, where);
                    expect(h, v, -1, u, Duo.row(two, t, d), tolerance * 8, where);
                }
            }
        }
    }

    private static void expect(
            float[] h, float[] v, double c, float[] ablated, float[] found, double tolerance, String where) {
        double[] moved = new double[h.length];
        double p = 0;
        for (int i = 0; i < h.length; i++) {
            moved[i] = h[i] + c * v[i];
            p += ablated == null ? 0 : moved[i] * ablated[i];
        }
        double square = 0;
        for (int i = 0; i < h.length; i++) {
            moved[i] -= ablated == null ? 0 : p * ablated[i];
            square += moved[i] * moved[i];
        }
        double scale = length(h) / Math.sqrt(square);
        for (int i = 0; i < h.length; i++) {
            assertEquals(moved[i] * scale, found[i], tolerance * Math.max(1, scale), where);
        }
        assertEquals(length(h), length(found), tolerance * 4, where);
    }

    /** Zeros have no direction: what became zero stays so, and what was zero becomes so again. */
    @Test
    default void normsOfZeroAreRestoredToo() {
        for (int d : new int[] {1, 65, 128}) {
            try (Duo duo = new Duo(open(), d)) {
                float[] u = new float[d];
                u[d - 1] = 1;
                float[] x = new float[2 * d];
                x[d - 1] = 3;
                float[] ablated = new EditList(duo.b[0], u, u, 2)
                        .mark(Kind.KEEP_NORM)
                        .add(Kind.ABLATE, 0, 0, 0, 0, 1)
                        .mark(Kind.RESTORE_NORM)
                        .applied(x, d);
                Duo.same("ablated, " + duo.name, new float[2 * d], ablated);
                float[] added = new EditList(duo.b[0], u, u, 2)
                        .mark(Kind.KEEP_NORM)
                        .add(Kind.ADD, 0, 0, 0, 0, 3)
                        .mark(Kind.RESTORE_NORM)
                        .applied(x, d);
                Duo.same("added, " + duo.name, x, added);
            }
        }
    }

    /** A gate holds what the row was when the probe read it, and decides for its own row alone. */
    @Test
    default void gatesDecideRowByRow() {
        for (int d : WIDTHS) {
            for (boolean above : new boolean[] {false, true}) {
                try (Duo duo = new Duo(open(), d)) {
                    Backend b = duo.b[0];
                    float[] probe = unit(duo, d);
                    float[] v = duo.numbers(d);
                    float[] x = duo.numbers(50 * d);
                    double infinity = Double.POSITIVE_INFINITY;
                    EditList list = new EditList(b, probe, v, 50)
                            .add(Kind.PROBE, 0, 0, 0, 0, 1)
                            .add(Kind.WHEN, 0, 0, above ? 0.1 : -infinity, above ? infinity : 0.1, 1)
                            .add(Kind.ADD, 1, 0, 0, 0, 2)
                            .mark(Kind.ALWAYS)
                            .add(Kind.ADD, 1, 0, 0, 0, 1);
                    float[] y = list.applied(x, d);
                    float[] gates = Duo.read(b, list.gates);
                    int acted = 0;
                    for (int t = 0; t < 50; t++) {
                        double p = dot(Duo.row(x, t, d), probe);
                        assertEquals(p, gates[t], 8 * Duo.EPS * (4 + Math.sqrt(d)), duo.name);
                        boolean holds = above == p > 0.1;
                        acted += holds ? 1 : 0;
                        for (int i = 0; i < d; i++) {
                            double expected = x[t * d + i] + (holds ? 3.0 : 1.0) * v[i];
                            assertEquals(expected, y[t * d + i], 16 * Duo.EPS * (1 + Math.abs(expected)), duo.name);
                        }
                    }
                    assertTrue(acted > 5 && acted < 45, acted + " of 50 rows");
                }
            }
        }
    }

    /** The probe of one call opens the gate of a later one, at another site; rows that wait keep their bits. */
    @Test
    default void gatesLastFromCallToCall() {
        try (Duo duo = new Duo(open(), 3)) {
            Backend b = duo.b[0];
            int d = 65;
            float[] probe = unit(duo, d);
            float[] x = duo.numbers(20 * d);
            float[] y = duo.numbers(20 * d);
            EditList reading = new EditList(b, probe, probe, 20).add(Kind.PROBE, 0, 0, 0, 0, 1);
            Duo.same("a probe changes nothing, " + duo.name, x, reading.applied(x, d));
            EditTable read = reading.table(20);
            EditTable acting = new EditList(b, probe, probe, 20)
                    .add(Kind.WHEN, 0, 0, 0, Double.POSITIVE_INFINITY, 1)
                    .mark(Kind.KEEP_NORM)
                    .add(Kind.ADD, 1, 0, 0, 0, 5)
                    .mark(Kind.RESTORE_NORM)
                    .table(20);
            EditTable withGates = new EditTable(
                    acting.kinds(),
                    acting.directions(),
                    acting.direction(),
                    acting.second(),
                    acting.low(),
                    acting.high(),
                    acting.rowStart(),
                    acting.edit(),
                    acting.coefficient(),
                    read.gates());
            Buffer rows = b.buffer(20, d, y);
            b.edit(rows, 20, withGates);
            float[] after = Duo.read(b, rows);
            int waited = 0;
            for (int t = 0; t < 20; t++) {
                if (dot(Duo.row(x, t, d), probe) > 0) {
                    assertTrue(!Arrays.equals(Duo.row(y, t, d), Duo.row(after, t, d)), "row " + t);
                } else {
                    Duo.same("row " + t + ", " + duo.name, Duo.row(y, t, d), Duo.row(after, t, d));
                    waited++;
                }
            }
            assertTrue(waited > 2 && waited < 18, waited + " of 20 rows wait");
        }
    }

    /** Keeping a norm around nothing, or around a clamp inside its bounds, changes no bit. */
    @Test
    default void aNormThatIsTheSameIsNotTouched() {
        try (Duo duo = new Duo(open(), 4)) {
            float[] x = duo.numbers(9 * 111);
            float[] y = new EditList(duo.b[0], unit(duo, 111), unit(duo, 111), 9)
                    .mark(Kind.KEEP_NORM)
                    .add(Kind.CLAMP, 0, 0, -1000, 1000, 1)
                    .mark(Kind.RESTORE_NORM)
                    .applied(x, 111);
            Duo.same(duo.name, x, y);
        }
    }
}
