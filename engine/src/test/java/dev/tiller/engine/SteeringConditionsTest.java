package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Conditions beside plans that say the same without them. */
class SteeringConditionsTest extends OnBothBackends {
    /** A condition that holds is no condition; one that does not is no edit. What is measured is measured without the edit. */
    @ParameterizedTest
    @EnumSource(
            value = Condition.Measure.class,
            names = {"PROMPT_LAST", "PROMPT_MEAN"})
    void conditionsDecideForTheWholeAnswer(Condition.Measure measure) {
        for (Model m : List.of(simd, scalar)) {
            for (long seed = 1; seed <= (m == simd ? 3 : 1); seed++) {
                ChatPrompt chat = MixedPlans.prompt(m, (int) seed);
                int n = chat.ids().length;
                SteeringVector probe = GeneratorTest.random(m, seed + 20, 1);
                Map<SteeringPlan, int[]> ids = new HashMap<>(); // without conditions, computed once
                Map<SteeringPlan, float[]> logits = new HashMap<>();
                for (Site site : m == simd ? List.of(Site.RESID_PRE, Site.RESID_POST) : List.of(Site.RESID_POST)) {
                    int block = 5;
                    double found = projection(m, chat.ids(), probe, site, block, measure);
                    for (Span span : List.of(Span.GENERATION, Span.ALL, Span.PROMPT, new Span.OfRole(Role.USER))) {
                        Edit edit = Edit.add(GeneratorTest.random(m, seed, 0.4), 1, 1, 6)
                                .over(span);
                        for (boolean holds : new boolean[] {true, false}) {
                            for (boolean above : new boolean[] {true, false}) {
                                float threshold = (float) (found + (holds == above ? -0.01 : 0.01));
                                Condition c = new Condition(probe, site, block, threshold, above, measure);
                                Generation g = generate(
                                        m,
                                        chat,
                                        SteeringPlan.of(edit.with().when(c).build()));
                                SteeringPlan same = holds ? SteeringPlan.of(edit) : SteeringPlan.NONE;
                                String what = "seed " + seed + ", " + site + ", " + span + ", holds " + holds;
                                assertArrayEquals(
                                        ids.computeIfAbsent(
                                                same, p -> generate(m, chat, p).ids()),
                                        g.ids(),
                                        what);
                                AppliedPlan.AppliedEdit applied =
                                        g.applied().edits().getFirst();
                                assertEquals(holds, applied.fired(), what);
                                assertEquals(found, applied.measured(), 1e-4, what);
                                if (!(span instanceof Span.OfRole)) {
                                    float[] whole = m.activations(
                                                    chat.ids(),
                                                    n,
                                                    SteeringPlan.of(
                                                            edit.with().when(c).build()))
                                            .logits();
                                    float[] plain = logits.computeIfAbsent(
                                            same,
                                            p -> m.activations(chat.ids(), n, p).logits());
                                    assertArrayEquals(plain, whole, what);
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    private static double projection(
            Model m, int[] ids, SteeringVector probe, Site site, int block, Condition.Measure measure) {
        int d = m.spec().width();
        float[] rows =
                m.residuals(ids, ids.length, SteeringPlan.NONE).residPost()[site == Site.RESID_PRE ? block - 1 : block];
        float[] u = Vectors.unit(probe.uniform(), "probe");
        double sum = 0;
        int from = measure == Condition.Measure.PROMPT_LAST ? ids.length - 1 : 0;
        for (int t = from; t < ids.length; t++) {
            sum += Vectors.dot(Arrays.copyOfRange(rows, t * d, (t + 1) * d), u);
        }
        return sum / (ids.length - from);
    }

    /** Two conditions and an edit without one: each decides for its own edit, and neither sees the other's. */
    @Test
    void severalConditionsAreMeasuredInOnePassWithoutTheirEdits() {
        for (long seed = 1; seed <= 3; seed++) {
            ChatPrompt chat = MixedPlans.prompt(simd, (int) seed);
            SteeringVector probe = GeneratorTest.random(simd, seed + 20, 1);
            Edit always = Edit.add(GeneratorTest.random(simd, seed, 0.3), 1, 0).over(Span.ALL);
            Edit early =
                    Edit.add(GeneratorTest.random(simd, seed + 1, 0.3), 1, 1).over(Span.ALL);
            Edit late =
                    Edit.add(GeneratorTest.random(simd, seed + 2, 0.3), 1, 4).over(Span.PROMPT);
            float[] rows = simd.residuals(chat.ids(), chat.ids().length, SteeringPlan.of(always))
                    .residPost()[3];
            int d = simd.spec().width();
            double p = Vectors.dot(
                    Arrays.copyOfRange(rows, rows.length - d, rows.length), Vectors.unit(probe.uniform(), "probe"));
            Condition yes =
                    new Condition(probe, Site.RESID_POST, 3, (float) p - 1e-3f, true, Condition.Measure.PROMPT_LAST);
            Condition no =
                    new Condition(probe, Site.RESID_POST, 3, (float) p + 1e-3f, true, Condition.Measure.PROMPT_LAST);
            Generation both = generate(
                    simd,
                    chat,
                    SteeringPlan.of(
                            always,
                            early.with().when(yes).build(),
                            late.with().when(yes).build()));
            assertArrayEquals(
                    generate(simd, chat, SteeringPlan.of(always, early, late)).ids(), both.ids());
            Generation one = generate(
                    simd,
                    chat,
                    SteeringPlan.of(
                            always,
                            early.with().when(no).build(),
                            late.with().when(yes).build()));
            assertArrayEquals(
                    generate(simd, chat, SteeringPlan.of(always, late)).ids(), one.ids());
            assertEquals(
                    List.of(true, false, true),
                    one.applied().edits().stream()
                            .map(AppliedPlan.AppliedEdit::fired)
                            .toList());
        }
    }
}
