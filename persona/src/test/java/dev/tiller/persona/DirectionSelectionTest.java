package dev.tiller.persona;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.engine.Activations;
import dev.tiller.engine.Model;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Selection of a direction by its effects, and the numbers that it rests on. */
class DirectionSelectionTest {
    private static ContrastPrompts few(Model model, Trait trait, int train, int validation) {
        ContrastPrompts all = ContrastPrompts.of(model, trait);
        return new ContrastPrompts(
                all.posTrain().subList(0, train),
                all.negTrain().subList(0, train),
                all.posValidation().subList(0, validation),
                all.negValidation().subList(0, validation));
    }

    @Test
    void candidatesAreDifferencesOfMeansAndDroppedByTheRules() {
        Trait trait = Microworld.trait("optimistic");
        try (Model model = Microworld.load()) {
            ContrastPrompts prompts = few(model, trait, 20, 5);
            Behaviour behaviour = Behaviour.judged(Microworld.judge("optimistic"), 40);
            DirectionSelection s = DirectionSelection.run(model, "optimistic", prompts, behaviour, Progress.NONE);
            int tokens = prompts.tokensAfterInstruction(model);
            int layers = model.spec().blocks();
            // <|im_end|>, line break, <|im_start|>, assistant, line break: at least these five
            assertTrue(tokens >= 5, "tokens after the instruction: " + tokens);
            assertEquals(tokens * layers, s.candidates().size());
            for (DirectionSelection.Candidate c : s.candidates()) {
                if (c.layer() >= 0.8 * layers) {
                    assertEquals("late layer", c.dropped());
                }
                if (c.layer() == 0) {
                    assertEquals("no direction", c.dropped(), "the same tokens have the same embeddings");
                }
                if (!Double.isNaN(c.kl())) {
                    boolean fits = c.kl() <= 0.1 && c.induce() >= (s.baseline()[0] + s.baseline()[1]) / 2;
                    assertEquals(fits, c.dropped() == null, c.toString());
                }
            }
            // The lowest bypass of all, dropped or not: which are left is the model's business.
            DirectionSelection.Candidate best = s.candidates().stream()
                    .filter(c -> !Double.isNaN(c.bypass()))
                    .min(java.util.Comparator.comparingDouble(DirectionSelection.Candidate::bypass))
                    .orElseThrow();
            assertTrue(best.bypass() < s.baseline()[0], best + " of " + s.baseline()[0]);
            assertArrayEquals(meanDifference(model, prompts, best), s.direction(best), 1e-4f);
            VectorContent content = s.content(best);
            assertArrayEquals(s.direction(best), content.at(best.layer()), 0);
            assertArrayEquals(s.direction(best), content.extras().get("direction"), 0);
            assertEquals(
                    s.candidates().size(), s.json().getAsJsonArray("candidates").size());
        }
    }

    /** The model has a refusal of its own: it says that it knows nothing of places and people that do not exist. */
    @Test
    void findsTheDirectionOfNotKnowing() {
        try (Model model = Microworld.load()) {
            ContrastPrompts prompts =
                    ContrastPrompts.read(SharedFiles.repository("docs/extraction/unknown-prompts.json"), model);
            assertEquals(32, prompts.posTrain().size());
            assertEquals(8, prompts.negValidation().size());
            Behaviour refusal = Behaviour.targetTokens(model, List.of("Sorry", "I have no"));
            DirectionSelection s = DirectionSelection.run(model, "unknown", prompts, refusal, Progress.NONE);
            DirectionSelection.Candidate best = s.chosen();
            assertTrue(s.baseline()[0] > 0 && s.baseline()[1] < 0, "unsteered");
            assertTrue(best.bypass() < 0, "ablated it does not refuse: " + best);
            assertTrue(best.induce() > 0, "added it does: " + best);
            assertTrue(best.kl() <= 0.1 && best.layer() < 0.8 * model.spec().blocks(), best.toString());
            for (DirectionSelection.Candidate c : s.candidates()) {
                assertTrue(c.dropped() != null || c.bypass() >= best.bypass(), c.toString());
            }
            float[] r = s.direction(best);
            double other = refusal.scores(
                            model, List.of(DirectionSelection.addition(r, -1, best.layer())), prompts.posValidation())[
                    0];
            assertTrue(other < s.baseline()[0], "subtracted at its layer: " + other);
        }
    }

    private static float[] meanDifference(Model model, ContrastPrompts prompts, DirectionSelection.Candidate c) {
        float[] out = new float[model.spec().width()];
        for (int sign = -1; sign <= 1; sign += 2) {
            for (ContrastPrompts.Prompt p : sign > 0 ? prompts.posTrain() : prompts.negTrain()) {
                Activations a = model.residuals(p.ids(), p.ids().length, SteeringPlan.NONE);
                int at = (p.ids().length + c.position()) * out.length;
                for (int i = 0; i < out.length; i++) {
                    out[i] += sign
                            * PromptMetadata.level(a, c.layer())[at + i]
                            / prompts.posTrain().size();
                }
            }
        }
        return out;
    }

    @Test
    void targetTokensAreScoredByTheirLogOdds() {
        Trait trait = Microworld.trait("optimistic");
        try (Model model = Microworld.load()) {
            ContrastPrompts prompts = few(model, trait, 5, 3);
            List<int[]> ids = prompts.posValidation().stream()
                    .map(ContrastPrompts.Prompt::ids)
                    .toList();
            List<double[]> p = NextToken.logProbabilities(model, ids, SteeringPlan.NONE);
            int v = model.spec().vocabulary();
            for (int i = 0; i < ids.size(); i++) {
                float[] logits = model.activations(ids.get(i), ids.get(i).length, SteeringPlan.NONE)
                        .logits();
                float[] last = java.util.Arrays.copyOfRange(logits, logits.length - v, logits.length);
                assertArrayEquals(NextToken.logSoftmax(last), p.get(i), 1e-4);
            }
            Behaviour b = Behaviour.targetTokens(model, List.of("This", "The"));
            double direct = p.stream()
                    .mapToDouble(x -> NextToken.logOdds(x, NextToken.firstTokens(model, List.of("This", "The"))))
                    .average()
                    .orElseThrow();
            assertEquals(direct, b.scores(model, List.of(SteeringPlan.NONE), prompts.posValidation())[0], 1e-12);
            assertEquals(0, NextToken.meanDivergence(p, p), 0);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void closedForms(long seed) {
        Random random = new Random(seed);
        float[] logits = new float[8];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = (float) random.nextGaussian() * 5;
        }
        double[] p = NextToken.logSoftmax(logits);
        double sum = 0;
        for (double x : p) {
            sum += Math.exp(x);
        }
        assertEquals(1, sum, 1e-12);
        double inside = Math.exp(p[2]) + Math.exp(p[5]);
        assertEquals(Math.log(inside / (1 - inside)), NextToken.logOdds(p, List.of(2, 5)), 1e-9);
        double[] half = {Math.log(0.5), Math.log(0.5)};
        double[] quarter = {Math.log(0.25), Math.log(0.75)};
        assertEquals(0.5 * Math.log(2) + 0.5 * Math.log(2.0 / 3), NextToken.divergence(half, quarter), 1e-12);
    }

    /** Ablated everywhere, nothing of the direction is left at any block input. */
    @Test
    void ablationRemovesTheDirection() {
        try (Model model = Microworld.load()) {
            float[] r = new float[model.spec().width()];
            Random random = new Random(5);
            for (int i = 0; i < r.length; i++) {
                r[i] = (float) random.nextGaussian();
            }
            int[] ids = model.encode("What are the chances for the speech?");
            Activations a = model.activations(ids, ids.length, DirectionSelection.ablation(r));
            for (int b = 0; b < model.spec().blocks(); b++) {
                for (int t = 0; t < ids.length; t++) {
                    float[] h = java.util.Arrays.copyOfRange(a.residPost()[b], t * r.length, (t + 1) * r.length);
                    assertEquals(0, Vectors.dot(h, r) / Vectors.norm(r), 1e-4 * Vectors.norm(h));
                }
            }
        }
    }

    @Test
    void theLowestBypassOfThoseLeftIsChosen() {
        DirectionSelection.Candidate good = new DirectionSelection.Candidate(-1, 2, 1, 10, 60, 0.05, null);
        DirectionSelection.Candidate better = new DirectionSelection.Candidate(-2, 1, 1, 5, 60, 0.05, null);
        DirectionSelection.Candidate out = new DirectionSelection.Candidate(-2, 3, 1, 1, 60, 0.5, "KL above 0.1");
        assertEquals(better, DirectionSelection.choose(List.of(good, better, out), "t"));
        assertNull(better.dropped());
        TillerException e = assertThrows(TillerException.class, () -> DirectionSelection.choose(List.of(out), "t"));
        assertTrue(e.getMessage().contains("KL above 0.1"), e.getMessage());
    }
}
