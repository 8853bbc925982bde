package dev.tiller.persona;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.engine.Amount;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.SteeringVector;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class DoseAdviceTest {
    private static DoseCell cell(
            DoseArm.Kind kind, double c, double trait, double coherence, double kl, double perplexity, double repeats) {
        DoseArm arm = new DoseArm(kind, c, kind == DoseArm.Kind.RANDOM ? 1 : 0, SteeringPlan.NONE);
        return new DoseCell(arm, c, trait, 1, coherence, kl, kl, perplexity, repeats, 1, 100, "text");
    }

    private static DoseCell steered(double c, double trait, double coherence) {
        return cell(DoseArm.Kind.VECTOR, c, trait, coherence, 0.1, 4, 0);
    }

    /** Unsteered: trait 50, coherence 90, perplexity 4; the random vector gives 50 + randomGain everywhere. */
    private static DoseResponse.Result result(double randomGain, boolean judged, DoseCell... vector) {
        List<DoseCell> cells = new ArrayList<>();
        double none = judged ? 0 : Double.NaN;
        cells.add(cell(DoseArm.Kind.UNSTEERED, 0, 50 + none, 90 + none, 0, 4, 0));
        cells.add(cell(DoseArm.Kind.PROMPT, 0, 90 + none, 90 + none, 0.3, 5, 0));
        cells.addAll(List.of(vector));
        List<Double> grid =
                java.util.Arrays.stream(vector).map(c -> c.arm().coefficient()).toList();
        grid.forEach(c ->
                cells.add(cell(DoseArm.Kind.RANDOM, c, 50 + none + Math.signum(c) * randomGain, 90 + none, 0.1, 4, 0)));
        SteeringVector v = SteeringVector.residPost("v", Map.of(0, new float[] {1}));
        DoseOptions o = new DoseOptions("t", v, 0, Amount.Unit.VECTOR, grid, "be so", List.of("q"), 1, 0, 10, 0, 2);
        return new DoseResponse.Result(o, cells, judged ? Optional.empty() : Optional.of("no judge"), "rules");
    }

    private static DoseAdvice positive(DoseResponse.Result r) {
        return DoseAdvice.of(r).getFirst();
    }

    @Test
    void theRangeRunsFromHalfTheGainToTheLargest() {
        DoseAdvice a = positive(result(
                1,
                true,
                steered(1, 56, 90),
                steered(2, 66, 88),
                steered(3, 80, 80),
                steered(4, 78, 73),
                steered(5, 99, 60)));
        assertEquals(2, a.from());
        assertEquals(3, a.to());
        assertEquals(3, a.best());
        assertTrue(Double.isNaN(a.redLine()));
        assertTrue(a.why().contains("at 5 the coherence is 60.0"), a.why());
    }

    @Test
    void whatComesAfterTheFirstUnsoundCoefficientDoesNotCount() {
        DoseAdvice a = positive(result(1, true, steered(1, 60, 90), steered(2, 70, 50), steered(3, 95, 90)));
        assertEquals(1, a.best());
    }

    @Test
    void theRedLineIsWhereTheTextBreaksFirst() {
        DoseAdvice a = positive(result(1, true, steered(1, 60, 90), steered(2, 70, 44), steered(3, 70, 20)));
        assertEquals(2, a.redLine());
        assertTrue(a.broken().contains("coherence"), a.broken());
        DoseAdvice loops = positive(result(1, true, cell(DoseArm.Kind.VECTOR, 1, 60, 90, 0.1, 4, 0.31)));
        assertEquals(1, loops.redLine());
        assertTrue(loops.broken().contains("repetitions"), loops.broken());
        DoseAdvice noise = positive(result(1, true, cell(DoseArm.Kind.VECTOR, 1, 60, 90, 0.1, 49, 0)));
        assertTrue(noise.broken().contains("perplexity"), noise.broken());
        assertTrue(Double.isNaN(noise.from()));
    }

    @Test
    void aGainThatRandomVectorsOrChanceGiveIsNone() {
        DoseAdvice random = positive(result(12, true, steered(1, 60, 90), steered(2, 61, 90)));
        assertTrue(Double.isNaN(random.from()) && Double.isNaN(random.best()));
        assertTrue(random.why().contains("random"), random.why());
        DoseAdvice chance = positive(result(0, true, steered(1, 52.8, 90)));
        assertTrue(Double.isNaN(chance.best()), "2.8 is within two standard errors of sqrt(2)");
        assertEquals(1, positive(result(0, true, steered(1, 52.9, 90))).best());
    }

    @Test
    void negativeCoefficientsAreToLowerTheTrait() {
        List<DoseAdvice> both =
                DoseAdvice.of(result(1, true, steered(-2, 20, 80), steered(-1, 30, 90), steered(1, 60, 90)));
        assertEquals(2, both.size());
        assertEquals(-1, both.get(1).sign());
        assertEquals(-2, both.get(1).best());
        assertEquals(-1, both.get(1).from());
        assertNull(both.get(1).broken());
    }

    @Test
    void aLargeDivergenceIsNotRecommended() {
        DoseAdvice a = positive(result(1, true, steered(1, 60, 90), cell(DoseArm.Kind.VECTOR, 2, 90, 90, 2.01, 4, 0)));
        assertEquals(1, a.best());
        assertTrue(a.why().contains("2.01 nats"), a.why());
    }

    @Test
    void withoutScoresOnlySoundnessIsSaid() {
        DoseAdvice a = positive(result(
                0,
                false,
                steered(1, Double.NaN, Double.NaN),
                steered(2, Double.NaN, Double.NaN),
                cell(DoseArm.Kind.VECTOR, 3, Double.NaN, Double.NaN, 0.1, 17, 0)));
        assertEquals(1, a.from());
        assertEquals(2, a.to());
        assertTrue(Double.isNaN(a.best()));
        assertTrue(a.why().contains("no trait scores") && a.why().contains("perplexity"), a.why());
    }
}
