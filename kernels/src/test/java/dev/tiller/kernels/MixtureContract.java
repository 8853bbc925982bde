package dev.tiller.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.DType;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** What a mixture of experts owes, on backends that run it. */
interface MixtureContract {
    Backend open();

    private static void onlyIfTaken(Backend b) {
        Assumptions.assumeTrue(b.supportsMixture(), "this backend runs no mixtures of experts");
    }

    @Test
    default void aMixtureWithoutExpertsIsRefused() {
        try (Backend b = open()) {
            Buffer x = b.buffer(1, 1);
            Class<? extends RuntimeException> refusal =
                    b.supportsMixture() ? IllegalArgumentException.class : UnsupportedOperationException.class;
            assertThrows(
                    refusal,
                    () -> b.mixture(x, 1, x, new Mixture(List.of(), 1, false, Activation.SILU), b.buffer(1, 1)));
        }
    }

    /** Experts of one shape, their results of about the size of x. */
    private static List<List<Expert>> experts(Duo duo, int count, int d, int f, WeightFormat format) {
        List<List<Expert>> both = List.of(new ArrayList<>(), new ArrayList<>());
        for (int e = 0; e < count; e++) {
            float[] gateUp = scaled(duo.numbers(2 * f * d), d);
            float[] down = scaled(duo.numbers(d * f), f);
            duo.both(i -> both.get(i)
                    .add(new Expert(
                            duo.b[i].matrix(List.of(Duo.tensor(DType.F32, 2 * f, d, gateUp)), format),
                            duo.b[i].matrix(List.of(Duo.tensor(DType.F32, d, f, down)), format))));
        }
        return both;
    }

    private static float[] scaled(float[] values, int n) {
        for (int i = 0; i < values.length; i++) {
            values[i] /= (float) Math.sqrt(n);
        }
        return values;
    }

    /** Router scores, some with many ties, some with experts that are out of the question. */
    private static float[] scores(Duo duo, int n) {
        float[] scores = duo.numbers(n);
        boolean ties = duo.random.nextInt(3) == 0;
        for (int i = 0; i < n; i++) {
            scores[i] = ties ? Math.round(scores[i]) : 3 * scores[i];
            scores[i] = duo.random.nextInt(30) == 0 ? Float.NEGATIVE_INFINITY : scores[i];
        }
        return scores;
    }

    private static Activation activation(Duo duo) {
        return Activation.values()[duo.random.nextInt(Activation.values().length)];
    }

    @Test
    default void mixtureAgreesWithTheOracle() {
        for (int seed = 0; seed < 60; seed++) {
            try (Duo duo = new Duo(open(), seed)) {
                onlyIfTaken(duo.b[0]);
                int rows = duo.pick(1, 1, 2, 3, 7, 33);
                int d = duo.pick(3, 16, 60, 64, 65, 96);
                int f = duo.pick(1, 5, 16, 32, 65, 111);
                int count = duo.pick(2, 3, 8, 13);
                WeightFormat format = WeightFormat.values()[duo.random.nextInt(WeightFormat.values().length)];
                List<List<Expert>> experts = experts(duo, count, d, f, format);
                int chosen = duo.pick(1, 2, Math.min(count, 8));
                boolean normalised = duo.random.nextBoolean();
                Activation activation = activation(duo);
                Buffer[] x = duo.random(rows + 1, d);
                Buffer[] scores = duo.buffers(rows, count, scores(duo, rows * count));
                Buffer[] out = duo.random(rows + 1, d);
                duo.both(i -> {
                    Mixture mixture = new Mixture(experts.get(i), chosen, normalised, activation);
                    duo.b[i].mixture(x[i], rows, scores[i], mixture, out[i]);
                });
                String what = rows + " rows of " + d + " through " + chosen + " of " + count + " " + format
                        + " experts of " + f + ", normalised " + normalised;
                duo.close(what, out, (8 + Math.sqrt(d) + Math.sqrt(f)) * 8 * Duo.EPS, 1);
            }
        }
    }

    /** Whatever rows come with it, a row gets the same bits: it meets its experts in one order. */
    @Test
    default void aRowOfAMixtureDoesNotDependOnTheOthers() {
        for (WeightFormat format : WeightFormat.values()) {
            try (Duo duo = new Duo(open(), format.ordinal())) {
                onlyIfTaken(duo.b[0]);
                Backend b = duo.b[0];
                int d = 96;
                Mixture mixture = new Mixture(experts(duo, 5, d, 65, format).get(0), 2, true, Activation.SILU);
                float[] x = duo.numbers(80 * d);
                float[] scores = scores(duo, 80 * 5);
                Buffer out = b.buffer(80, d);
                b.mixture(b.buffer(80, d, x), 80, b.buffer(80, 5, scores), mixture, out);
                float[] all = Duo.read(b, out);
                for (int t = 0; t < 80; t++) {
                    Buffer row = b.buffer(1, d, Duo.row(x, t, d));
                    b.mixture(row, 1, b.buffer(1, 5, Duo.row(scores, t, 5)), mixture, out);
                    float[] found = Duo.row(Duo.read(b, out), 0, d);
                    Duo.same(format + ", row " + t + ", " + duo.name, Duo.row(all, t, d), found);
                }
            }
        }
    }

    /** Experts that multiply by 1, 10, 100: which ones were taken can be read off. */
    @Test
    default void theLargestScoresAreChosen() {
        try (Duo duo = new Duo(open(), 1)) {
            onlyIfTaken(duo.b[0]);
            Backend b = duo.b[0];
            List<Expert> experts = new ArrayList<>();
            for (int e = 0; e < 4; e++) {
                // gate 40 (its logistic function is 1), up 1, down 10^e / 40
                Matrix gateUp = b.matrix(List.of(Duo.tensor(DType.F32, 2, 1, new float[] {40, 1})), WeightFormat.F32);
                float down = (float) Math.pow(10, e) / 40;
                Matrix back = b.matrix(List.of(Duo.tensor(DType.F32, 1, 1, new float[] {down})), WeightFormat.F32);
                experts.add(new Expert(gateUp, back));
            }
            float nan = Float.NaN;
            float out = Float.NEGATIVE_INFINITY;
            float[] scores = {0, 1, 0, 1, 2, 2, 2, 2, out, 5, out, out, 9, 0, 1, 8};
            Buffer x = b.buffer(4, 1, new float[] {1, 1, 1, 1});
            Buffer y = b.buffer(4, 1);
            b.mixture(x, 4, b.buffer(4, 4, scores), new Mixture(experts, 2, true, Activation.SILU), y);
            float last = (float) Math.exp(-1);
            float[] expected = {505, 5.5f, 10, (1 + 1000 * last) / (1 + last)};
            assertArrayEquals(expected, Duo.read(b, y), 2e-4f, duo.name);
            b.mixture(x, 1, b.buffer(1, 4, scores), new Mixture(experts, 1, false, Activation.SILU), y);
            float share = (float) (Math.E / (2 * Math.E + 2));
            assertEquals(10 * share, Duo.read(b, y)[0], 2e-6f, "on a tie the first one, by its share of all");
            b.mixture(
                    x,
                    1,
                    b.buffer(1, 4, new float[] {nan, nan, 0, 0}),
                    new Mixture(experts, 2, true, Activation.SILU),
                    y);
            assertTrue(Float.isNaN(Duo.read(b, y)[0]), "what is not a number shows");
        }
    }

    @Test
    default void mixturesThatDoNotFitAreRefused() {
        try (Duo duo = new Duo(open(), 1);
                Backend other = open()) {
            onlyIfTaken(duo.b[0]);
            Backend b = duo.b[0];
            List<Expert> experts = experts(duo, 3, 8, 5, WeightFormat.F32).get(0);
            List<Expert> narrow = experts(duo, 3, 8, 4, WeightFormat.F32).get(0);
            Buffer x = b.buffer(2, 8, duo.numbers(16));
            Buffer out = b.buffer(2, 8);
            Buffer scores = b.buffer(2, 3);
            Mixture good = new Mixture(experts, 2, true, Activation.SILU);
            Map<String, Executable> calls = new LinkedHashMap<>();
            calls.put("no experts", () -> b.mixture(x, 2, b.buffer(2, 0), with(List.of(), 1), out));
            calls.put("none chosen", () -> b.mixture(x, 2, scores, with(experts, 0), out));
            calls.put("more than all", () -> b.mixture(x, 2, scores, with(experts, 4), out));
            calls.put("no activation", () -> b.mixture(x, 2, scores, new Mixture(experts, 2, true, null), out));
            calls.put("scores width", () -> b.mixture(x, 2, b.buffer(2, 4), good, out));
            calls.put("rows", () -> b.mixture(x, 3, scores, good, out));
            calls.put("in place", () -> b.mixture(x, 2, scores, good, x));
            calls.put("out width", () -> b.mixture(x, 2, scores, good, b.buffer(2, 9)));
            List<Expert> unequal = List.of(experts.get(0), narrow.get(1), experts.get(2));
            calls.put("unequal experts", () -> b.mixture(x, 2, scores, with(unequal, 2), out));
            List<Expert> mixed =
                    List.of(new Expert(experts.get(0).gateUp(), narrow.get(0).down()));
            calls.put("gate width", () -> b.mixture(x, 2, b.buffer(2, 1), with(mixed, 1), out));
            Matrix foreign = other.matrix(List.of(Duo.tensor(DType.F32, 8, 5, new float[40])), WeightFormat.F32);
            List<Expert> theirs =
                    Collections.singletonList(new Expert(experts.get(0).gateUp(), foreign));
            calls.put("foreign matrix", () -> b.mixture(x, 2, b.buffer(2, 1), with(theirs, 1), out));
            calls.forEach((name, call) -> {
                IllegalArgumentException e = assertThrows(IllegalArgumentException.class, call, name);
                assertEquals(1, e.getMessage().lines().count(), e.getMessage());
                assertArrayEquals(new float[16], Duo.read(b, out), name + " wrote something");
            });
            b.mixture(x, 0, scores, good, out);
            assertArrayEquals(new float[16], Duo.read(b, out), "no rows are no work");
        }
    }

    private static Mixture with(List<Expert> experts, int chosen) {
        return new Mixture(experts, chosen, true, Activation.SILU);
    }
}
