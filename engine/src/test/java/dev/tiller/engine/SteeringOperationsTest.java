package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.loader.SharedFiles;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every operation through whole models: residuals after an edit beside its formula applied to those before, in double. */
class SteeringOperationsTest {
    private static final String WORLD = "models/microworld";
    private static final int BLOCK = 2;
    private static final Model SIMD = load("simd");
    private static final Model SCALAR = load("scalar");

    private static Model load(String backend) {
        return Model.load(SharedFiles.repository(WORLD), LoadOptions.DEFAULT.withBackend(backend));
    }

    @AfterAll
    static void close() {
        SIMD.close();
        SCALAR.close();
    }

    private static Model model(String backend) {
        return backend.equals("simd") ? SIMD : SCALAR;
    }

    private static SteeringVector random(Model m, long seed) {
        SplittableRandom r = new SplittableRandom(seed);
        float[] v = new float[m.spec().width()];
        for (int i = 0; i < v.length; i++) {
            v[i] = (float) r.nextGaussian();
        }
        return SteeringVector.uniform("random " + seed, v);
    }

    private static double[] unit(SteeringVector v) {
        double norm = Vectors.norm(v.uniform());
        double[] u = new double[v.uniform().length];
        Arrays.setAll(u, i -> v.uniform()[i] / norm);
        return u;
    }

    private static double dot(double[] a, double[] b) {
        double s = 0;
        for (int i = 0; i < a.length; i++) {
            s += a[i] * b[i];
        }
        return s;
    }

    private static double length(double[] a) {
        return Math.sqrt(dot(a, a));
    }

    /** h + factor * v. */
    private static double[] plus(double[] h, double factor, double[] v) {
        double[] out = h.clone();
        Arrays.setAll(out, i -> h[i] + factor * v[i]);
        return out;
    }

    private static double[] scaled(double[] h, double factor) {
        return plus(new double[h.length], factor, h);
    }

    private static double[] doubles(float[] v) {
        double[] out = new double[v.length];
        Arrays.setAll(out, i -> v[i]);
        return out;
    }

    private static int[] prompt(Model m, long seed) {
        return new SplittableRandom(seed).ints(11, 1, m.spec().vocabulary()).toArray();
    }

    /** The plan does to the output of BLOCK what the formula does to each of its rows, and nothing to earlier blocks. */
    private static void check(String what, Model m, long seed, UnaryOperator<double[]> formula, Edit... edits) {
        int[] ids = prompt(m, seed);
        List<Edit> everywhere = Arrays.stream(edits).map(e -> e.over(Span.ALL)).toList();
        Activations plain = m.activations(ids, ids.length, SteeringPlan.NONE);
        Activations steered = m.activations(ids, 4, new SteeringPlan(everywhere));
        int d = m.spec().width();
        float[] expected = new float[ids.length * d];
        for (int t = 0; t < ids.length; t++) {
            double[] h = doubles(Arrays.copyOfRange(plain.residPost()[BLOCK], t * d, (t + 1) * d));
            double[] after = formula.apply(h);
            for (int i = 0; i < d; i++) {
                expected[t * d + i] = (float) after[i];
            }
        }
        for (int b = 0; b < BLOCK; b++) {
            assertArrayEquals(plain.residPost()[b], steered.residPost()[b], what + ", block " + b);
        }
        Goldens.assertRows(what, expected, steered.residPost()[BLOCK], d);
        assertFalse(Arrays.equals(plain.logits(), steered.logits()), what + " changes the logits");
    }

    @ParameterizedTest
    @ValueSource(strings = {"scalar", "simd"})
    void operationsHaveTheirClosedForms(String backend) {
        Model m = model(backend);
        for (long seed = 1; seed <= 3; seed++) {
            SteeringVector v = random(m, seed);
            SteeringVector w = random(m, seed + 50);
            double[] u = unit(v);
            String what = backend + ", seed " + seed + ": ";
            double angle = Math.toRadians(30);
            double[] b2 = plus(unit(w), -dot(unit(w), u), u);
            double[] second = scaled(b2, 1 / length(b2));
            UnaryOperator<double[]> turn = h -> {
                double p = dot(h, u);
                double q = dot(h, second);
                double r = Math.hypot(p, q);
                return plus(plus(h, r * Math.cos(angle) - p, u), r * Math.sin(angle) - q, second);
            };
            check(what + "rotate", m, seed, turn, Edit.rotate(v, w, 30, BLOCK));
            check(
                    what + "rotate, norm",
                    m,
                    seed,
                    turn,
                    Edit.rotate(v, w, 30, BLOCK).preservingNorm());
            check(what + "set", m, seed, h -> plus(h, 1.5 - dot(h, u), u), Edit.set(v, 1.5f, BLOCK));
            check(
                    what + "replace_mean",
                    m,
                    seed,
                    h -> plus(h, 0.5 * (-2 - dot(h, u)), u),
                    Edit.replaceMean(v, -2, BLOCK).with().strength(0.5f).build());
            double restored = dot(doubles(w.uniform()), u);
            check(
                    what + "replace_mean of a reference",
                    m,
                    seed,
                    h -> plus(h, restored - dot(h, u), u),
                    Edit.replaceMean(v, w, BLOCK));
            check(
                    what + "add, norm",
                    m,
                    seed,
                    h -> {
                        double[] moved = plus(h, -0.7, doubles(v.uniform()));
                        return scaled(moved, length(h) / length(moved));
                    },
                    Edit.add(v, -0.7f, BLOCK).preservingNorm());
            check(
                    what + "ablate, norm, add",
                    m,
                    seed,
                    h -> {
                        double[] moved = plus(h, -dot(h, u), u);
                        return plus(scaled(moved, length(h) / length(moved)), 2, doubles(w.uniform()));
                    },
                    Edit.add(w, 2, BLOCK),
                    Edit.ablate(v, BLOCK).preservingNorm());
        }
    }

    /** What is removed together is restored together: each projection is its own, the rest of the row stays. */
    @Test
    void restoredProjectionsDoNotDisturbEachOther() {
        int d = SIMD.spec().width();
        for (long seed = 1; seed <= 3; seed++) {
            SteeringVector a = random(SIMD, seed);
            SteeringVector b = SteeringVector.uniform(
                    "b",
                    floats(plus(
                            doubles(a.uniform()),
                            1,
                            doubles(random(SIMD, seed + 10).uniform()))));
            SteeringVector c = random(SIMD, seed + 20);
            int[] ids = prompt(SIMD, seed);
            Activations plain = SIMD.activations(ids, ids.length, SteeringPlan.NONE);
            List<Edit> edits = new ArrayList<>(List.of(
                    Edit.replaceMean(a, 3, BLOCK).over(Span.ALL),
                    Edit.replaceMean(b, c, BLOCK).over(Span.ALL),
                    Edit.ablate(c, BLOCK).over(Span.ALL)));
            double[] orthogonal = doubles(random(SIMD, seed + 30).uniform());
            for (int round = 0; round < 10; round++) { // alternating projections converge to what is orthogonal to all
                for (SteeringVector x : List.of(a, b, c)) {
                    orthogonal = plus(orthogonal, -dot(orthogonal, unit(x)), unit(x));
                }
            }
            double target = dot(doubles(c.uniform()), unit(b));
            for (int order = 0; order < 3; order++) {
                edits.add(edits.removeFirst());
                Activations steered = SIMD.activations(ids, ids.length, new SteeringPlan(edits));
                for (int t = 0; t < ids.length; t++) {
                    double[] before = doubles(Arrays.copyOfRange(plain.residPost()[BLOCK], t * d, (t + 1) * d));
                    double[] after = doubles(Arrays.copyOfRange(steered.residPost()[BLOCK], t * d, (t + 1) * d));
                    String where = "seed " + seed + ", order " + order + ", row " + t;
                    double tolerance = 1e-4 * Math.max(1, length(before));
                    assertEquals(3, dot(after, unit(a)), tolerance, where);
                    assertEquals(target, dot(after, unit(b)), tolerance, where);
                    assertEquals(0, dot(after, unit(c)), tolerance, where);
                    assertEquals(
                            dot(before, orthogonal), dot(after, orthogonal), tolerance * length(orthogonal), where);
                }
            }
        }
    }

    private static float[] floats(double[] v) {
        float[] out = new float[v.length];
        for (int i = 0; i < v.length; i++) {
            out[i] = (float) v[i];
        }
        return out;
    }

    /** Conditions on every token: read at the edited point itself, at its block's input, or blocks before. */
    @ParameterizedTest
    @ValueSource(strings = {"scalar", "simd"})
    void tokensDecideForThemselves(String backend) {
        Model m = model(backend);
        int d = m.spec().width();
        for (long seed = 1; seed <= 3; seed++) {
            int[] ids = prompt(m, seed);
            SteeringVector v = random(m, seed);
            SteeringVector probe = random(m, seed + 9);
            Activations plain = m.activations(ids, ids.length, SteeringPlan.NONE);
            for (int read = 0; read <= BLOCK; read++) {
                Site site = read == 1 ? Site.RESID_PRE : Site.RESID_POST;
                float[] rows = read == 1 ? plain.residPost()[0] : plain.residPost()[read];
                double[] projections = new double[ids.length];
                for (int t = 0; t < ids.length; t++) {
                    projections[t] = dot(doubles(Arrays.copyOfRange(rows, t * d, (t + 1) * d)), unit(probe));
                }
                double[] sorted = projections.clone();
                Arrays.sort(sorted);
                float threshold = (float) ((sorted[4] + sorted[5]) / 2);
                for (boolean above : new boolean[] {false, true}) {
                    Condition when = new Condition(probe, site, read, threshold, above, Condition.Measure.TOKEN);
                    Edit edit = Edit.add(v, 3, BLOCK)
                            .over(Span.ALL)
                            .preservingNorm()
                            .with()
                            .when(when)
                            .build();
                    Activations steered = m.activations(ids, 4, SteeringPlan.of(edit));
                    for (int t = 0; t < ids.length; t++) {
                        float[] before = Arrays.copyOfRange(plain.residPost()[BLOCK], t * d, (t + 1) * d);
                        float[] after = Arrays.copyOfRange(steered.residPost()[BLOCK], t * d, (t + 1) * d);
                        boolean acts = above == projections[t] > threshold;
                        String where = backend + ", seed " + seed + ", read at " + read + ", row " + t;
                        assertEquals(acts, !Arrays.equals(before, after), where);
                        if (acts) {
                            double[] moved = plus(doubles(before), 3, doubles(v.uniform()));
                            double[] expected = scaled(moved, Vectors.norm(before) / length(moved));
                            assertTrue(Goldens.relativeL2(floats(expected), after) < 1e-5, where);
                        }
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"scalar", "simd"})
    void idleEditsOfEveryOperationAreBitIdenticalToNoPlan(String backend) {
        Model m = model(backend);
        int[] ids = prompt(m, 4);
        SteeringVector v = random(m, 1);
        SteeringVector w = random(m, 2);
        Condition when = new Condition(w, Site.RESID_POST, 0, 0, true, Condition.Measure.TOKEN);
        List<Edit> idle = new ArrayList<>();
        for (Edit e : List.of(
                Edit.add(v, 0, 0, 1, 2),
                Edit.ablate(v).with().strength(0).build(),
                Edit.clamp(v, 0, 1, 1).with().strength(0).build(),
                Edit.set(v, 7, 1).with().strength(0).build(),
                Edit.replaceMean(v, 7, 1).with().strength(0).build(),
                Edit.clamp(v, -1e30f, 1e30f, 0, 1, 2), // finds nothing to do
                Edit.add(v, 100, 1, 2)
                        .with()
                        .when(new Condition(w, Site.RESID_POST, 1, 1e30f, true, Condition.Measure.TOKEN))
                        .build())) {
            idle.add(e.over(Span.ALL).preservingNorm());
            idle.add(e.over(Span.ALL)
                    .with()
                    .when(e.when() == null ? when : e.when())
                    .blocks(List.of(1))
                    .build());
        }
        Activations plain = m.activations(ids, ids.length, SteeringPlan.NONE);
        Activations steered = m.activations(ids, ids.length, new SteeringPlan(idle));
        assertArrayEquals(plain.logits(), steered.logits());
        assertArrayEquals(plain.finalNorm(), steered.finalNorm());
    }

    /** Requests with all operations, each in its own way, say alone what they say together. */
    @ParameterizedTest
    @ValueSource(strings = {"scalar", "simd"})
    void plansOfAllOperationsDoNotDisturbEachOther(String backend) {
        Model m = model(backend);
        List<GenerationRequest> requests = GeneratorTest.ofAllOperations(m, 9, 12);
        List<Generation> together = m.generate(requests);
        int different = 0;
        for (int i = 0; i < requests.size(); i++) {
            assertArrayEquals(m.generate(requests.get(i)).ids(), together.get(i).ids(), backend + ", request " + i);
            GenerationRequest r = requests.get(i);
            int[] plain = m.generate(new GenerationRequest(
                            r.prompt(), SteeringPlan.NONE, r.sampling(), r.seed(), r.maxTokens(), true))
                    .ids();
            different += Arrays.equals(plain, together.get(i).ids()) ? 0 : 1;
        }
        assertTrue(different >= 5, different + " of 8 plans change the text");
    }

    /** The result says what was done, with the numbers that the plan left to the vector. */
    @Test
    void resultsSayWhatWasApplied() {
        SteeringVector v = random(SIMD, 6).with(Map.of(1, new Calibration(3, -1.5, 1, new TreeMap<>())));
        SteeringVector w = SteeringVector.uniform("w", random(SIMD, 7).uniform());
        Condition when = new Condition(w, Site.RESID_POST, 0, 0.25f, false, Condition.Measure.TOKEN);
        SteeringPlan plan = SteeringPlan.of(
                Edit.of(Op.REPLACE_MEAN, v)
                        .blocks(List.of(1))
                        .preserveNorm(true)
                        .build(),
                Edit.replaceMean(w, w, 2).with().when(when).build(),
                Edit.rotate(v, w, -30, 1));
        Generation g = SIMD.generate(
                new GenerationRequest(GeneratorTest.prompt(SIMD, 1), plan, SamplingOptions.GREEDY, 0, 2, true));
        JsonArray edits = g.applied().toJson().getAsJsonArray("edits");
        JsonObject stored = edits.get(0).getAsJsonObject();
        assertEquals("[-1.5]", stored.get("values").toString());
        assertTrue(stored.get("preserve_norm").getAsBoolean());
        JsonObject reference = edits.get(1).getAsJsonObject();
        assertEquals(
                Vectors.norm(w.uniform()),
                reference.getAsJsonArray("values").get(0).getAsDouble(),
                1e-5);
        assertEquals("token", reference.getAsJsonObject("when").get("measure").getAsString());
        JsonObject turn = edits.get(2).getAsJsonObject();
        assertEquals("w", turn.get("second").getAsString());
        assertEquals(-30, turn.get("degrees").getAsDouble());
        assertEquals(w.sha256(), turn.get("second_sha256").getAsString());
    }

    /** A schedule may take a coefficient below what float32 holds: the answer goes on. */
    @Test
    void coefficientsMayFadeAway() {
        SteeringVector v = random(SIMD, 6);
        Edit fading = Edit.add(v, 1e-30f, 1)
                .preservingNorm()
                .with()
                .schedule(new Schedule.Decay(1e-5f))
                .build();
        int[] prompt = GeneratorTest.prompt(SIMD, 1);
        Generation plain =
                SIMD.generate(new GenerationRequest(prompt, SteeringPlan.NONE, SamplingOptions.GREEDY, 0, 8, true));
        Generation faded = SIMD.generate(
                new GenerationRequest(prompt, SteeringPlan.of(fading), SamplingOptions.GREEDY, 0, 8, true));
        assertArrayEquals(plain.ids(), faded.ids());
    }

    /** Restoring 0, setting 0 and ablating are the same: all of them beside the reference's numbers. */
    @ParameterizedTest
    @CsvSource({"llama, scalar", "llama, simd", "qwen2, simd", "llama_bias, simd"})
    void whatAblatesIsTheReferencesAblation(String family, String backend) {
        Path dir = SharedFiles.require("fixtures/architectures/" + family);
        String form =
                "{\"edits\":[{\"op\":\"%s\",\"vector\":\"steer.u\",\"value\":0,\"blocks\":\"all\",\"span\":\"all\"}]}";
        String twice = "{\"edits\":[{\"op\":\"ablate\",\"vector\":\"steer.u\",\"blocks\":\"all\",\"span\":\"all\"},"
                + "{\"op\":\"replace_mean\",\"vector\":\"steer.u\",\"value\":0,\"blocks\":\"all\",\"span\":\"all\"}]}";
        try (Goldens goldens = new Goldens(dir.resolve("goldens.safetensors"));
                Model m = Model.load(dir, LoadOptions.DEFAULT.withBackend(backend))) {
            int[] ids = goldens.ids("p1.input_ids");
            float[] expected = goldens.floats("steer.ablate_out.p1.logits");
            for (String plan : List.of(form.formatted("replace_mean"), form.formatted("set"), twice)) {
                SteeringPlan parsed = SteeringPlan.parse(plan, "plan", goldens.resolver());
                Goldens.assertLogits(
                        family + plan,
                        expected,
                        m.activations(ids, ids.length, parsed).logits());
            }
        }
    }
}
