package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Edits that fade and wait, beside the formula of their schedule. */
class SteeringSchedulesTest extends OnBothBackends {
    /** At the last block nothing comes after the edit: the residual moves by factor * coefficient * v and nothing else. */
    @ParameterizedTest
    @ValueSource(strings = {"scalar", "simd"})
    void schedulesFollowTheirFormula(String backend) {
        Model m = model(backend);
        int[] ids = GeneratorTest.prompt(m, 4);
        int prompt = ids.length - 9;
        int d = m.spec().width();
        int last = m.spec().blocks() - 1;
        for (long seed = 1; seed <= 3; seed++) {
            SteeringVector v = GeneratorTest.random(m, seed, 1);
            for (Schedule s : List.of(
                    new Schedule.Decay(0.7f), new Schedule.Ramp(4), new Schedule.First(3), new Schedule.After(5))) {
                for (Span span : List.of(Span.GENERATION, Span.ALL)) {
                    Edit edit =
                            Edit.add(v, 2, last).over(span).with().schedule(s).build();
                    float[] plain = m.residuals(ids, prompt, SteeringPlan.NONE).residPost()[last];
                    float[] found =
                            m.residuals(ids, prompt, SteeringPlan.of(edit)).residPost()[last];
                    for (int p = 0; p < ids.length; p++) {
                        int k = p - (prompt - 1);
                        double factor = k < 0 && span == Span.GENERATION ? 0 : expected(s, k);
                        for (int i = 0; i < d; i++) {
                            double wanted = plain[p * d + i] + 2 * factor * v.uniform()[i];
                            assertEquals(
                                    wanted, found[p * d + i], 1e-5 * (1 + Math.abs(wanted)), s + ", position " + p);
                        }
                    }
                }
            }
        }
    }

    private static double expected(Schedule s, int k) {
        int n = Math.max(k, 0);
        return switch (s) {
            case Schedule.Decay x -> Math.pow(0.7f, n);
            case Schedule.Ramp x -> Math.min(1, (n + 1) / 4.0);
            case Schedule.First x -> n < 3 ? 1 : 0;
            case Schedule.After x -> n < 5 ? 0 : 1;
        };
    }

    /** Token by token the numbers are refreshed in place: the answer is the one of a single pass over all of it. */
    @ParameterizedTest
    @ValueSource(strings = {"scalar", "simd"})
    void schedulesHoldWhileGenerating(String backend) {
        Model m = model(backend);
        int[] ids = GeneratorTest.prompt(m, 1);
        for (long seed = 1; seed <= 3; seed++) {
            SteeringVector v = GeneratorTest.random(m, seed, 0.5);
            for (Schedule s : List.of(
                    new Schedule.Decay(0.9f), new Schedule.Ramp(9), new Schedule.First(4), new Schedule.After(4))) {
                SteeringPlan plan = SteeringPlan.of(
                        Edit.add(v, 1, 1, 4).with().schedule(s).build(),
                        Edit.ablate(GeneratorTest.random(m, seed + 50, 1))
                                .with()
                                .schedule(s)
                                .build());
                assertGreedy(m, ids, plan, s.toString());
            }
        }
    }

    private static void assertGreedy(Model m, int[] ids, SteeringPlan plan, String what) {
        int[] answer = m.generate(new GenerationRequest(ids, plan, SamplingOptions.GREEDY, 0, 14, true))
                .ids();
        int[] all = Arrays.copyOf(ids, ids.length + answer.length);
        System.arraycopy(answer, 0, all, ids.length, answer.length);
        float[] logits = m.activations(all, ids.length, plan).logits();
        int v = m.spec().vocabulary();
        for (int i = 0; i < answer.length; i++) {
            int from = (ids.length - 1 + i) * v;
            int best = 0;
            for (int t = 1; t < v; t++) {
                best = logits[from + t] > logits[from + best] ? t : best;
            }
            assertEquals(best, answer[i], what + ", token " + i);
        }
    }
}
