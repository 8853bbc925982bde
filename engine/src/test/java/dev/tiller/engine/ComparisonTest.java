package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Divergences and natural projections against the same numbers from single passes over single texts. */
class ComparisonTest {
    private static final Path MICROWORLD = SharedFiles.repository("models/microworld");
    private static Model model;

    @BeforeAll
    static void load() {
        model = Model.load(MICROWORLD, LoadOptions.DEFAULT);
    }

    @AfterAll
    static void close() {
        model.close();
    }

    private static int[] tokens(Random random, int n) {
        return random.ints(n, 10, model.spec().vocabulary() - 1).toArray();
    }

    private static SteeringVector direction(long seed) {
        return SteeringVector.uniform(
                "d" + seed, GeneratorTest.random(model, seed, 1).uniform());
    }

    /** From the definition, with whole distributions. */
    private static double[] expected(int[] plain, int[] before, int[] answer, SteeringPlan plan) {
        float[] q = logits(plain, answer, SteeringPlan.NONE);
        float[] p = logits(before, answer, plan);
        int v = model.spec().vocabulary();
        double[] out = new double[answer.length];
        for (int t = 0; t < out.length; t++) {
            double[] a = distribution(p, (before.length - 1 + t) * v, v);
            double[] b = distribution(q, (plain.length - 1 + t) * v, v);
            for (int i = 0; i < v; i++) {
                out[t] += a[i] * Math.log(a[i] / b[i]);
            }
        }
        return out;
    }

    private static float[] logits(int[] prompt, int[] answer, SteeringPlan plan) {
        int[] ids = Arrays.copyOf(prompt, prompt.length + answer.length);
        System.arraycopy(answer, 0, ids, prompt.length, answer.length);
        return model.activations(ids, prompt.length, plan).logits();
    }

    private static double[] distribution(float[] logits, int from, int v) {
        double[] p = new double[v];
        double sum = 0;
        for (int i = 0; i < v; i++) {
            p[i] = Math.exp(logits[from + i]);
            sum += p[i];
        }
        for (int i = 0; i < v; i++) {
            p[i] /= sum;
        }
        return p;
    }

    @Test
    void divergencesAreThoseOfTheDefinition() {
        for (long seed : new long[] {1, 2, 3}) {
            Random random = new Random(seed);
            int[] prompt = tokens(random, 40);
            int[] other = tokens(random, 23);
            int[] answer = tokens(random, 9);
            SteeringPlan plan = SteeringPlan.of(Edit.add(direction(seed), 2, 3));
            SteeringPlan all = SteeringPlan.of(Edit.add(direction(seed), 1, 1).over(Span.ALL));
            List<Comparison.Way> ways = List.of(
                    new Comparison.Way(prompt, plan),
                    new Comparison.Way(prompt, all),
                    new Comparison.Way(other, SteeringPlan.NONE),
                    new Comparison.Way(prompt, SteeringPlan.NONE));
            Comparison.Result r = new Comparison(model)
                    .run(List.of(new Comparison.Case(prompt, answer, ways)), done -> {})
                    .getFirst();
            for (int w = 0; w < ways.size(); w++) {
                double[] expected = expected(
                        prompt, ways.get(w).prompt(), answer, ways.get(w).plan());
                for (int t = 0; t < expected.length; t++) {
                    assertEquals(
                            expected[t], r.divergence()[w][t], 1e-5 + 1e-4 * expected[t], "way " + w + " token " + t);
                }
            }
            assertTrue(Arrays.stream(r.divergence()[0]).sum() > 1e-3);
            assertArrayEquals(new double[answer.length], r.divergence()[3], "the same text without steering");
            float[] q = logits(prompt, answer, SteeringPlan.NONE);
            int v = model.spec().vocabulary();
            for (int t = 0; t < answer.length; t++) {
                double p = distribution(q, (prompt.length - 1 + t) * v, v)[answer[t]];
                assertEquals(Math.log(p), r.logProbability()[t], 1e-4);
            }
        }
    }

    /** What is beside a treatment, and how many, does not change a bit of its result. */
    @Test
    void resultsDoNotDependOnWhatIsBeside() {
        for (long seed : new long[] {5, 6}) {
            Random random = new Random(seed);
            List<Comparison.Case> cases = new ArrayList<>();
            for (int i = 0; i < 5; i++) {
                int[] prompt = tokens(random, 1 + random.nextInt(70));
                List<Comparison.Way> ways = new ArrayList<>();
                for (int w = 0; w < (i == 2 ? 90 : 1 + i); w++) {
                    SteeringPlan plan = SteeringPlan.of(Edit.add(direction(seed), (w - 3) / 4f + 0.1f, w % 8));
                    ways.add(new Comparison.Way(prompt, plan));
                }
                cases.add(new Comparison.Case(prompt, tokens(random, i == 3 ? 0 : 1 + random.nextInt(40)), ways));
            }
            List<Comparison.Result> together = new Comparison(model).run(cases, done -> {});
            for (int i = 0; i < cases.size(); i++) {
                Comparison.Case c = cases.get(i);
                for (int w : new int[] {0, c.ways().size() - 1}) {
                    Comparison.Case alone = new Comparison.Case(
                            c.prompt(), c.answer(), List.of(c.ways().get(w)));
                    Comparison.Result r = new Comparison(model)
                            .run(List.of(alone), done -> {})
                            .getFirst();
                    assertArrayEquals(r.divergence()[0], together.get(i).divergence()[w], "case " + i + " way " + w);
                    assertArrayEquals(r.logProbability(), together.get(i).logProbability());
                }
            }
            assertEquals(0, model.cache().pagesInUse());
        }
    }

    @Test
    void naturalProjectionsAreThoseOfTheCapturedResiduals() {
        int d = model.spec().width();
        for (long seed : new long[] {7, 8}) {
            Random random = new Random(seed);
            List<TokenizedText> texts = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                texts.add(new TokenizedText(tokens(random, 12 + 5 * i), 6));
            }
            texts.add(new TokenizedText(tokens(random, 4), 4)); // no answer: nothing of it counts
            float[] v = direction(seed).uniform();
            for (Site site : new Site[] {Site.RESID_POST, Site.RESID_PRE}) {
                SteeringVector vector = new SteeringVector("v", null, site, Map.of(2, v, 5, v), null);
                Map<Integer, Calibration> found = new NaturalProjections(model, vector, List.of(2, 5)).of(texts);
                for (int block : new int[] {2, 5}) {
                    List<Double> norms = new ArrayList<>();
                    List<Double> projections = new ArrayList<>();
                    for (TokenizedText t : texts) {
                        float[] h = model.residuals(t.ids(), t.promptLength(), SteeringPlan.NONE)
                                .residPost()[site == Site.RESID_POST ? block : block - 1];
                        for (int p = t.promptLength() - 1; p < t.ids().length - 1; p++) {
                            float[] row = Arrays.copyOfRange(h, p * d, (p + 1) * d);
                            norms.add(Vectors.norm(row));
                            projections.add(Vectors.dot(row, v) / Vectors.norm(v));
                        }
                    }
                    double mean = mean(projections);
                    double sd = Math.sqrt(mean(projections.stream()
                            .map(x -> (x - mean) * (x - mean))
                            .toList()));
                    Calibration c = found.get(block);
                    assertEquals(mean(norms), c.residualNorm(), 1e-5 * mean(norms));
                    assertEquals(mean, c.mean(), 1e-5 * mean(norms));
                    assertEquals(sd, c.sd(), 1e-5 * mean(norms));
                }
            }
        }
    }

    private static double mean(List<Double> x) {
        return x.stream().mapToDouble(v -> v).average().orElseThrow();
    }

    @Test
    void whatCannotBeMeasuredIsRefused() {
        float[] v = direction(1).uniform();
        SteeringVector module = new SteeringVector("m", null, Site.MLP_OUT, Map.of(2, v), null);
        TillerException e =
                assertThrows(TillerException.class, () -> new NaturalProjections(model, module, List.of(2)));
        assertTrue(e.getMessage().contains("mlp_out") && e.getMessage().contains("resid_mid"), e.getMessage());
        SteeringVector good = new SteeringVector("g", null, Site.RESID_MID, Map.of(2, v), null);
        TillerException empty = assertThrows(
                TillerException.class,
                () -> new NaturalProjections(model, good, List.of(2))
                        .of(List.of(new TokenizedText(new int[] {11, 12}, 2))));
        assertTrue(empty.getMessage().contains("answered"), empty.getMessage());
        TillerException none = assertThrows(
                TillerException.class,
                () -> new Comparison(model)
                        .run(List.of(new Comparison.Case(new int[0], new int[] {11}, List.of())), done -> {}));
        assertTrue(none.getMessage().contains("empty"), none.getMessage());
    }
}
