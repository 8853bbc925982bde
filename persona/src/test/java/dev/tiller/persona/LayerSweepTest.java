package dev.tiller.persona;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.engine.Edit;
import dev.tiller.engine.FinishReason;
import dev.tiller.engine.Generation;
import dev.tiller.engine.GenerationRequest;
import dev.tiller.engine.Model;
import dev.tiller.engine.SamplingOptions;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.SteeringVector;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.template.Message;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class LayerSweepTest {
    @Test
    void cellsAreTheScoresOfSteeredAnswers() {
        RuleJudge judge = Microworld.judge("optimistic");
        List<String> questions = List.of("How will my plan go?", "What are the chances for the speech on Saturday?");
        try (Model model = Microworld.load()) {
            TreeMap<Integer, float[]> directions = new TreeMap<>();
            for (int b = 0; b < model.spec().blocks(); b++) {
                directions.put(b, noise(b, model.spec().width()));
            }
            SteeringVector vector = SteeringVector.residPost("noise", directions);
            List<SweepCell> cells = LayerSweep.run(
                    model,
                    vector,
                    questions,
                    judge,
                    List.of(4, 1),
                    List.of(0.0, 0.5),
                    SamplingOptions.GREEDY,
                    30,
                    1,
                    Progress.NONE);
            assertEquals(4, cells.size());
            assertEquals(
                    List.of(4, 4, 1, 1), cells.stream().map(SweepCell::block).toList());
            assertEquals(cells.get(0).trait(), cells.get(2).trait());
            assertEquals(cells.get(0).coherence(), cells.get(2).coherence());
            assertEquals(expected(model, vector, questions, judge, 1, 0.5f), cells.get(3));
        }
    }

    private static float[] noise(long seed, int width) {
        Random random = new Random(seed);
        float[] v = new float[width];
        for (int i = 0; i < width; i++) {
            v[i] = random.nextFloat() - 0.5f;
        }
        return v;
    }

    private static SweepCell expected(
            Model model, SteeringVector vector, List<String> questions, Judge judge, int block, float coefficient) {
        double trait = 0;
        double coherence = 0;
        for (String q : questions) {
            Generation g = model.generate(GenerationRequest.greedy(model.chat(List.of(new Message("user", q))), 30)
                    .with(SteeringPlan.of(Edit.add(vector, coefficient, block))));
            Scores s = judge.score(q, g.text(), g.finish() == FinishReason.STOP);
            trait += s.trait() / questions.size();
            coherence += s.coherence() / questions.size();
        }
        return new SweepCell(block, coefficient, trait, coherence, questions.size());
    }

    @Test
    void theBestBlockHasTheHighestTraitAmongCoherentCells() {
        List<SweepCell> cells = List.of(
                new SweepCell(1, 0, 95, 99, 1),
                new SweepCell(1, -1, 95, 99, 1),
                new SweepCell(1, 1, 60, 80, 1),
                new SweepCell(2, 1, 70, 79.9, 1),
                new SweepCell(3, 1, 60, 81, 1),
                new SweepCell(4, 1, 60, 81, 1));
        assertEquals(3, LayerSweep.bestBlock(cells));
        TillerException e = assertThrows(TillerException.class, () -> LayerSweep.bestBlock(cells.subList(0, 2)));
        assertTrue(e.getMessage().contains("coherence"), e.getMessage());
    }
}
