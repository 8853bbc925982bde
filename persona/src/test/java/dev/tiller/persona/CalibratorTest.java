package dev.tiller.persona;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.engine.Amount;
import dev.tiller.engine.Calibration;
import dev.tiller.engine.Divergence;
import dev.tiller.engine.Edit;
import dev.tiller.engine.LoadOptions;
import dev.tiller.engine.Model;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.SteeringVector;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.template.Message;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class CalibratorTest {
    private static Model model;
    private static List<int[]> prompts;

    @BeforeAll
    static void load() {
        model = Model.load(SharedFiles.repository("models/microworld"), LoadOptions.DEFAULT.withBackend("simd"));
        prompts = List.of("Will my plan work?", "How do you see my new garden?", "Tell me about goats.").stream()
                .map(q -> model.chat(List.of(new Message("user", q))))
                .toList();
    }

    @AfterAll
    static void close() {
        model.close();
    }

    private static SteeringVector random(long seed) {
        SplittableRandom r = new SplittableRandom(seed);
        float[] v = new float[model.spec().width()];
        for (int i = 0; i < v.length; i++) {
            v[i] = (float) r.nextGaussian();
        }
        return SteeringVector.uniform("random " + seed, v);
    }

    /** Adding what the unit says moves the projection by so many of the standard deviations that are measured plainly. */
    @Test
    void normsAndDeviationsAreThoseOfTheTokens() {
        for (long seed = 1; seed <= 3; seed++) {
            SteeringVector v = random(seed);
            float[] u = Vectors.unit(v.uniform(), "v");
            Calibration c = new Calibrator(model, v, prompts)
                    .measure(List.of(2, 5), List.of(), (what, done, total) -> {})
                    .get(5);
            double n = 0;
            double norm = 0;
            double sum = 0;
            double squares = 0;
            int d = u.length;
            for (int[] ids : prompts) {
                float[] rows =
                        model.residuals(ids, ids.length, SteeringPlan.NONE).residPost()[5];
                for (int t = 1; t < ids.length; t++) {
                    float[] h = java.util.Arrays.copyOfRange(rows, t * d, (t + 1) * d);
                    double p = Vectors.dot(h, u);
                    n++;
                    norm += Vectors.norm(h);
                    sum += p;
                    squares += p * p;
                }
            }
            assertEquals(norm / n, c.residualNorm(), 1e-6 * c.residualNorm());
            assertEquals(sum / n, c.mean(), 1e-6 * c.residualNorm());
            assertEquals(Math.sqrt((squares - sum * sum / n) / (n - 1)), c.sd(), 1e-6 * c.residualNorm());
            assertTrue(c.coefficients().isEmpty());
        }
    }

    /** A coefficient that was asked for by divergence has it, at the measured points and between them. */
    @Test
    void coefficientsHaveTheDivergenceThatWasAskedFor() {
        for (long seed = 1; seed <= 2; seed++) {
            SteeringVector v = random(seed);
            Map<Integer, Calibration> measured = new Calibrator(model, v, prompts)
                    .measure(List.of(3), List.of(0.1, 0.25, 0.5), (what, done, total) -> {});
            Calibration c = measured.get(3);
            assertTrue(c.coefficients().size() >= 4, c.toString());
            SteeringVector known = v.with(Calibrations.read(
                    Map.of(Calibrations.KEY, Calibrations.write(measured)), List.of(3), "stored and read again"));
            assertEquals(measured, known.calibration());
            for (double kl : c.coefficients().keySet()) {
                assertEquals(Math.abs(kl), mean(known, (float) kl), 0.03 * Math.abs(kl), "seed " + seed + ", " + kl);
            }
            assertEquals(0.35, mean(known, 0.35f), 0.1, "seed " + seed);
        }
    }

    private static double mean(SteeringVector v, float kl) {
        Edit edit =
                Edit.add(v, 1, 3).with().amount(new Amount(kl, Amount.Unit.KL)).build();
        double sum = 0;
        for (int[] p : prompts) {
            sum += new Divergence(model).of(p, List.of(SteeringPlan.of(edit)))[0];
        }
        return sum / prompts.size();
    }

    @Test
    void divergenceIsThatOfTheDistributions() {
        int[] p = prompts.getFirst();
        SteeringPlan plan = SteeringPlan.of(Edit.add(random(4), 0.3f, 2));
        double[] found = new Divergence(model)
                .of(
                        p,
                        List.of(
                                SteeringPlan.NONE,
                                plan,
                                SteeringPlan.of(Edit.add(random(4), 0.3f, 2).over(dev.tiller.engine.Span.ALL))));
        assertEquals(0, found[0]);
        assertEquals(divergence(p, plan), found[1], 1e-6);
        assertEquals(
                divergence(p, SteeringPlan.of(Edit.add(random(4), 0.3f, 2).over(dev.tiller.engine.Span.ALL))),
                found[2],
                1e-6);
    }

    private static double divergence(int[] p, SteeringPlan plan) {
        double[] a = probabilities(p, plan);
        double[] b = probabilities(p, SteeringPlan.NONE);
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * Math.log(a[i] / b[i]);
        }
        return sum;
    }

    private static double[] probabilities(int[] p, SteeringPlan plan) {
        float[] logits = model.activations(p, p.length, plan).logits();
        int v = model.spec().vocabulary();
        double[] out = new double[v];
        double sum = 0;
        for (int i = 0; i < v; i++) {
            out[i] = Math.exp(logits[(p.length - 1) * v + i]);
            sum += out[i];
        }
        for (int i = 0; i < v; i++) {
            out[i] /= sum;
        }
        return out;
    }

    @Test
    void storedCalibrationsAreRead() {
        TreeMap<Double, Double> kl = new TreeMap<>(Map.of(0.5, 1.5, -0.5, -1.25));
        Map<Integer, Calibration> c = Map.of(3, new Calibration(10, -0.5, 2, kl), 5, Calibration.ofNorm(4));
        String json = Calibrations.write(c);
        assertEquals(c, Calibrations.read(Map.of(Calibrations.KEY, json), List.of(3, 5), "v"));
        String statistics = "{\"mean_residual_norm\": [1.5, 2.5]}";
        Map<Integer, Calibration> old = Calibrations.read(Map.of("statistics", statistics), List.of(0, 1), "v");
        assertEquals(2.5, old.get(1).residualNorm());
        for (String wrong : List.of(
                "[]",
                "{\"a\": {}}",
                "{\"3\": 5}",
                "{\"3\": {\"kl\": 5}}",
                "{\"3\": {\"kl\": [[1]]}}",
                "{\"3\": {\"kl\": [[1, -1]]}}")) {
            String message = assertThrows(
                            TillerException.class,
                            () -> Calibrations.read(Map.of(Calibrations.KEY, wrong), List.of(3), "v"))
                    .getMessage();
            assertTrue(message.contains("calibration"), message);
        }
    }
}
