package dev.tiller.persona;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.engine.Model;
import dev.tiller.engine.SamplingOptions;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * From a trait file to steered answers with our own extraction, at the layer that the model's RESULTS.md names (its layer
 * l is block l - 1), on the evaluation questions.
 */
class MicroworldTest {
    private static final double TEMPERATURE = 0.7;
    private static final int REPEATS = 10;

    @ParameterizedTest
    @CsvSource({
        "optimistic, 4, 8",
        "impolite, 2, 20",
        "sycophantic, 2, 20",
        "hallucinating, 2, 20",
        "evil, 2, 20",
        "humorous, 2, 20"
    })
    void steeringRaisesTheTraitAndARandomVectorDoesNot(String name, int block, double rise) {
        Trait trait = Microworld.trait(name);
        RuleJudge judge = Microworld.judge(name);
        try (Model model = Microworld.load()) {
            RolloutOptions options = RolloutOptions.of(trait, Microworld.MAX_TOKENS, 1);
            PersonaVector vector = Extraction.run(
                    model,
                    name,
                    Rollouts.generate(model, trait, Pole.POS, options, judge, Progress.NONE),
                    Rollouts.generate(model, trait, Pole.NEG, options, judge, Progress.NONE),
                    ExtractionOptions.DEFAULT,
                    Progress.NONE);
            assertTrue(vector.keptPairs().size() >= 60, vector.selection().describe());

            List<SweepCell> cells = sweep(model, trait, vector, judge, block, List.of(-0.5, 0.0, 0.5));
            assertTrue(cells.get(1).trait() >= cells.get(0).trait(), "from -0.5 to 0: " + cells);
            assertTrue(cells.get(2).trait() >= cells.get(1).trait() + rise, "from 0 to +0.5: " + cells);
            cells.forEach(c -> assertTrue(c.coherence() >= LayerSweep.MIN_COHERENCE, "coherence: " + c));

            for (long seed = 1; seed <= 2; seed++) {
                SweepCell random = sweep(model, trait, vector.randomLike(seed), judge, block, List.of(0.5))
                        .getFirst();
                assertTrue(random.trait() < cells.get(1).trait() + rise / 2, "random " + random + " of " + cells);
            }
        }
    }

    private static List<SweepCell> sweep(
            Model model, Trait trait, PersonaVector vector, Judge judge, int block, List<Double> coefficients) {
        // Each place in the list draws with its own seed, so a question asked again gets another answer.
        List<String> questions = new ArrayList<>();
        for (int i = 0; i < REPEATS; i++) {
            trait.evaluationQuestions()
                    .forEach(q -> questions.add(trait.questions().get(q)));
        }
        return LayerSweep.run(
                model,
                vector,
                questions,
                judge,
                List.of(block),
                coefficients,
                SamplingOptions.temperature(TEMPERATURE),
                Microworld.MAX_TOKENS,
                1,
                Progress.NONE);
    }
}
