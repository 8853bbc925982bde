package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Matrices and units beside plans that say the same without them, and what is refused. */
class SteeringClausesTest extends OnBothBackends {
    /** Row i of a matrix at position from + i, as that many edits of one position. */
    @Test
    void matricesActPositionByPosition() {
        for (Model m : List.of(simd, scalar)) {
            int[] ids = GeneratorTest.prompt(m, 3);
            int d = m.spec().width();
            SteeringVector matrix = MixedPlans.matrix(m, 8, 4);
            float[] rows = matrix.uniform().clone();
            Arrays.fill(rows, d, 2 * d, 0); // as where both prompts of ActAdd begin alike
            matrix = SteeringVector.matrix("m", rows, 4);
            List<Edit> single = new ArrayList<>();
            for (int i : new int[] {0, 2, 3}) {
                SteeringVector row = SteeringVector.uniform("r" + i, Arrays.copyOfRange(rows, i * d, (i + 1) * d));
                single.add(Edit.add(row, 1.5f, 0, 3).over(new Span.Range(2 + i, 3 + i)));
            }
            Edit edit = Edit.add(matrix, 1.5f, 0, 3).over(new Span.Range(2, 6));
            assertArrayEquals(
                    m.activations(ids, ids.length, new SteeringPlan(single)).logits(),
                    m.activations(ids, ids.length, SteeringPlan.of(edit)).logits());
            SteeringVector v = matrix;
            for (Edit wrong :
                    List.of(Edit.add(v, 1, 0), Edit.add(v, 1, 0).over(new Span.Range(2, 5)), Edit.ablate(v, 0))) {
                String message = assertThrows(TillerException.class, () -> m.check(SteeringPlan.of(wrong)))
                        .getMessage();
                assertTrue(message.contains("4 positions"), message);
            }
        }
    }

    @Test
    void unitsBecomeCoefficients() {
        int block = 2;
        SteeringVector v = GeneratorTest.random(simd, 4, 0.5);
        double length = Vectors.norm(v.uniform());
        TreeMap<Double, Double> kl = new TreeMap<>(Map.of(0.25, 1.0, 1.0, 2.5, -0.25, -0.8));
        SteeringVector known = v.with(Map.of(block, new Calibration(12, 0.5, 3, kl)));
        assertEquals(0.5 * 12 / length, coefficient(known, 0.5f, Amount.Unit.NORM, block), 1e-5);
        assertEquals(-2.0 * 3 / length, coefficient(known, -2, Amount.Unit.SD, block), 1e-5);
        assertEquals(1, coefficient(known, 0.25f, Amount.Unit.KL, block), 1e-6);
        assertEquals(0.4, coefficient(known, 0.04f, Amount.Unit.KL, block), 1e-6, "linear in the root");
        assertEquals(1.75, coefficient(known, 0.5625f, Amount.Unit.KL, block), 1e-6);
        assertEquals(-0.4, coefficient(known, -0.0625f, Amount.Unit.KL, block), 1e-6);
        assertEquals(7, coefficient(known, 7, Amount.Unit.VECTOR, block));
        refused(known, 2, Amount.Unit.KL, List.of(block), "calibrated range -0.25..1.0");
        refused(known, 1, Amount.Unit.KL, List.of(1, block), "one block at a time");
        refused(known, 1, Amount.Unit.SD, List.of(1, block), "block 1");
        refused(v, 1, Amount.Unit.SD, List.of(block), "tiller calibrate");
        refused(v, 1, Amount.Unit.KL, List.of(block), "tiller calibrate");
    }

    /** Without calibration the norm is that of the model; it grows with the blocks of this one. */
    @Test
    void theNormIsTheModelsWhereTheVectorDoesNotSayIt() {
        SteeringVector v = GeneratorTest.random(simd, 4, 0.5);
        double length = Vectors.norm(v.uniform());
        double[] norm = new double[2];
        for (Model m : List.of(simd, scalar)) {
            for (int i = 0; i < 2; i++) {
                Edit edit = Edit.add(v, 1, 7 * i)
                        .with()
                        .amount(new Amount(0.5f, Amount.Unit.NORM))
                        .build();
                float found = m.compile(SteeringPlan.of(edit))
                        .resolved()
                        .getFirst()
                        .coefficients()
                        .getFirst();
                assertTrue(
                        m == simd || Math.abs(norm[i] - found * length / 0.5) < 1e-3 * norm[i], norm[i] + " " + found);
                norm[i] = found * length / 0.5;
            }
        }
        int[] ids = GeneratorTest.prompt(simd, 4);
        float[] rows = simd.residuals(ids, ids.length, SteeringPlan.NONE).residPost()[7];
        int d = simd.spec().width();
        double typical = Vectors.norm(Arrays.copyOfRange(rows, 9 * d, 10 * d));
        assertTrue(norm[1] > 0.3 * typical && norm[1] < 3 * typical, norm[1] + " beside " + typical);
        assertFalse(norm[0] == norm[1]);
    }

    private static float coefficient(SteeringVector v, float value, Amount.Unit unit, int block) {
        Edit edit = Edit.add(v, 1, block).with().amount(new Amount(value, unit)).build();
        return simd.compile(SteeringPlan.of(edit))
                .resolved()
                .getFirst()
                .coefficients()
                .getFirst();
    }

    private static void refused(SteeringVector v, float value, Amount.Unit unit, List<Integer> blocks, String word) {
        Edit edit = Edit.of(Op.ADD, v)
                .blocks(blocks)
                .amount(new Amount(value, unit))
                .build();
        String message = assertThrows(TillerException.class, () -> simd.check(SteeringPlan.of(edit)))
                .getMessage();
        assertTrue(message.contains(word), message);
        assertTrue(message.contains("\"" + unit.key() + "\""), message);
    }

    /** What was applied can be read back: numbers, blocks, hash. */
    @Test
    void resultsSayWhatWasApplied() {
        SteeringVector v = GeneratorTest.random(simd, 4, 0.5).with(Map.of(3, Calibration.ofNorm(10)));
        Edit edit = Edit.add(v, 1, 3)
                .with()
                .amount(new Amount(0.5f, Amount.Unit.NORM))
                .build();
        AppliedPlan applied = generate(simd, MixedPlans.prompt(simd, 0), SteeringPlan.of(edit))
                .applied();
        String json = applied.toJson().toString();
        assertTrue(json.contains("\"sha256\":\"" + v.sha256() + "\""), json);
        assertTrue(json.contains("\"blocks\":[3]") && json.contains("{\"norm\":0.5}"), json);
        float c = (float) (0.5 * 10 / Vectors.norm(v.uniform()));
        assertTrue(json.contains("\"coefficients\":[" + c + "]"), json);
        assertEquals(
                AppliedPlan.NONE,
                generate(simd, MixedPlans.prompt(simd, 0), SteeringPlan.NONE).applied());
    }

    @Test
    void aVectorForAnotherOperationIsRefused() {
        SteeringVector v = GeneratorTest.random(simd, 4, 0.5).madeFor(Op.ABLATE);
        String message = assertThrows(TillerException.class, () -> simd.check(SteeringPlan.of(Edit.add(v, 1, 3))))
                .getMessage();
        assertTrue(message.contains("ablate") && message.contains("add") && message.contains("--force"), message);
        simd.check(SteeringPlan.of(Edit.ablate(v, 3)));
        simd.check(SteeringPlan.of(Edit.add(v.unbound(), 1, 3)));
    }

    /** What only the model can tell: each message names the key, what was found and what would be accepted. */
    @Test
    void plansThatTheModelCannotDoAreRefused() {
        SteeringVector v = GeneratorTest.random(simd, 4, 0.5);
        SteeringVector narrow = SteeringVector.uniform("narrow", new float[] {1, 2, 3});
        SteeringVector zero =
                SteeringVector.uniform("zero", new float[simd.spec().width()]);
        Condition.Measure last = Condition.Measure.PROMPT_LAST;
        Edit add = Edit.add(v, 1, 3);
        Map<Edit, String> wrong = new LinkedHashMap<>();
        wrong.put(Edit.add(v, 1, 8), "block 8.*blocks 0..7");
        wrong.put(Edit.add(v, 1, -1), "block -1.*blocks 0..7.*command line");
        wrong.put(Edit.add(narrow, 1, 3), "width 3.*width 192");
        wrong.put(Edit.add(zero, 1, 3), "norm at block 3 is 0");
        wrong.put(add.over(new Span.Range(5000, 5001)), "5000..5001.*context of 1024");
        wrong.put(when(add, new Condition(v, Site.RESID_POST, 8, 0, true, last)), "when: block 8.*blocks 0..7");
        wrong.put(when(add, new Condition(v, Site.RESID_POST, -2, 0, true, last)), "when: block -2.*blocks 0..7");
        wrong.put(when(add, new Condition(v, Site.MLP_OUT, 2, 0, true, last)), "site mlp_out.*resid_pre, resid_mid");
        wrong.put(when(add, new Condition(narrow, Site.RESID_POST, 2, 0, true, last)), "width 3.*width 192");
        wrong.put(
                when(add, new Condition(v, Site.RESID_POST, 4, 0, true, Condition.Measure.TOKEN)),
                "resid_post of block 4.*after the edit.*block 3");
        wrong.put(
                when(add, new Condition(MixedPlans.matrix(simd, 1, 2), Site.RESID_POST, 1, 0, true, last)),
                "matrix of positions");
        wrong.forEach((edit, words) -> {
            String message = assertThrows(TillerException.class, () -> simd.check(SteeringPlan.of(edit)))
                    .getMessage();
            assertTrue(message.matches(".*" + words + ".*"), message);
            assertEquals(1, message.lines().count());
            for (Runnable run : List.<Runnable>of(
                    () -> simd.generate(
                            GenerationRequest.greedy(new int[] {1, 2}, 3).with(SteeringPlan.of(edit))),
                    () -> simd.residuals(new int[] {1, 2}, 2, SteeringPlan.of(edit)),
                    () -> simd.pooled(List.of(new TokenizedText(new int[] {1, 2}, 1)), SteeringPlan.of(edit)),
                    () -> simd.newSequence(SteeringPlan.of(edit), 1))) {
                assertEquals(
                        message, assertThrows(TillerException.class, run::run).getMessage());
            }
        });
    }

    private static Edit when(Edit e, Condition c) {
        return e.with().when(c).build();
    }
}
