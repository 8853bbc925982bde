package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.tiller.kernels.KvPages;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A steered request never runs unsteered: on every path on which a plan could be lost, the residuals of every token are
 * those that a single pass over prompt and answer under the plan has, which go another way than those of no plan.
 */
class NeverUnsteeredTest {
    private static Model model;

    @BeforeAll
    static void load() {
        model = open();
    }

    @AfterAll
    static void close() {
        model.close();
    }

    private static Model open() {
        return Model.load(SharedFiles.repository("models/microworld"), LoadOptions.DEFAULT.withBackend("simd"));
    }

    private static Probe probe(Model m) {
        return new Probe(6, MixedPlans.vector(m, 77, 1).uniform());
    }

    private static SteeringPlan plan(Model m) {
        return SteeringPlan.of(Edit.add(MixedPlans.vector(m, 5, 0.5), 1, 1, 4));
    }

    private static GenerationRequest request(Model m, int question, SteeringPlan plan, int tokens) {
        return new GenerationRequest(
                MixedPlans.prompt(m, question), plan, new SamplingOptions(1, 0, 1, 0, 1), question, tokens, true);
    }

    /** The ways of a steered request through the engine; each gives back the result of its first request. */
    private enum Path {
        ALONE(m -> run(m, List.of(request(m, 1, plan(m), 12)))),
        FIRST_USE_OF_A_FRESH_MODEL(m -> {
            try (Model fresh = open()) {
                return run(fresh, List.of(request(fresh, 1, plan(fresh), 12)));
            }
        }),
        BESIDE_UNSTEERED_TEXTS(m -> run(m, beside(m, 1, SteeringPlan.NONE))),
        BESIDE_THE_SAME_PROMPT_UNSTEERED(m -> run(m, beside(m, 0, SteeringPlan.NONE))),
        BESIDE_OTHER_PLANS(m -> run(m, beside(m, 1, MixedPlans.plan(m, 5, 3)))),
        JOINING_TEXTS_UNDER_WAY(m -> new Generator(m, List.of(probe(m)), TokenSink.NONE)
                .maxSequences(2)
                .run(beside(m, 1, SteeringPlan.NONE).reversed())
                .getLast()),
        AFTER_THE_SAME_TEXT_UNSTEERED(m -> {
            run(m, List.of(request(m, 1, SteeringPlan.NONE, 12)));
            return run(m, List.of(request(m, 1, plan(m), 12)));
        }),
        AFTER_A_FAILED_RUN(m -> {
            TokenSink breaks = (request, id, text, projections) -> {
                throw new IllegalStateException("broken");
            };
            assertThrows(
                    IllegalStateException.class,
                    () -> new Generator(m, List.of(), breaks).run(List.of(request(m, 1, SteeringPlan.NONE, 12))));
            return run(m, List.of(request(m, 1, plan(m), 12)));
        }),
        AFTER_MANY_OTHER_PLANS(m -> {
            List<GenerationRequest> many = new ArrayList<>();
            for (int i = 0; i < 600; i++) {
                SteeringVector v = MixedPlans.vector(m, 900 + i, 0.1);
                many.add(GenerationRequest.greedy(new int[] {5, 6}, 1).with(SteeringPlan.of(Edit.add(v, 1, i % 8))));
            }
            m.generate(many);
            return run(m, List.of(request(m, 1, plan(m), 12)));
        }),
        STEPPING_BACK_FOR_MEMORY(m -> {
            try (Model narrow = open()) {
                int[] left = {5};
                TokenSink sink = (request, id, text, projections) -> {
                    if (--left[0] == 0) {
                        narrow.cache().limitToNow();
                    }
                    return true;
                };
                List<GenerationRequest> requests =
                        beside(narrow, 1, SteeringPlan.NONE).reversed();
                return new Generator(narrow, List.of(probe(narrow)), sink)
                        .run(requests)
                        .getLast();
            }
        });

        private final Function<Model, Generation> way;

        Path(Function<Model, Generation> way) {
            this.way = way;
        }
    }

    private static Generation run(Model m, List<GenerationRequest> requests) {
        return new Generator(m, List.of(probe(m)), TokenSink.NONE).run(requests).getFirst();
    }

    /** The steered request first, then six with another plan: other questions, or the same one. */
    private static List<GenerationRequest> beside(Model m, int step, SteeringPlan plan) {
        List<GenerationRequest> out = new ArrayList<>(List.of(request(m, 1, plan(m), 12)));
        for (int i = 1; i <= 6; i++) {
            out.add(request(m, 1 + step * i, plan, 3 * KvPages.PAGE));
        }
        return out;
    }

    @ParameterizedTest
    @EnumSource(Path.class)
    void thePlanArrives(Path path) {
        model.cache().kept().clear();
        Generation found = path.way.apply(model);
        assertEquals(
                plan(model).edits().getFirst().vector().sha256(),
                found.applied().edits().getFirst().sha256());
        float[] steered = projections(found, plan(model));
        float[] plain = projections(found, SteeringPlan.NONE);
        for (int i = 0; i < found.ids().length; i++) {
            float p = found.projections()[i][0];
            assertEquals(steered[i], p, 1e-3 * (1 + Math.abs(p)), "token " + i);
        }
        assertFalse(close(plain, found), "the plan makes no difference here");
    }

    private static boolean close(float[] expected, Generation found) {
        for (int i = 0; i < expected.length; i++) {
            if (Math.abs(expected[i] - found.projections()[i][0]) > 0.05) {
                return false;
            }
        }
        return true;
    }

    /** What a single pass over prompt and answer finds at the answer's tokens. */
    private static float[] projections(Generation g, SteeringPlan plan) {
        int[] prompt = MixedPlans.prompt(model, 1).ids();
        int[] all = Arrays.copyOf(prompt, prompt.length + g.ids().length);
        System.arraycopy(g.ids(), 0, all, prompt.length, g.ids().length);
        Probe probe = probe(model);
        float[] rows = model.residuals(all, prompt.length, plan).residPost()[probe.block()];
        float[] u = Vectors.unit(probe.direction(), "probe");
        int d = u.length;
        float[] out = new float[g.ids().length];
        for (int i = 0; i < out.length; i++) {
            int at = (prompt.length + i) * d;
            out[i] = (float) Vectors.dot(Arrays.copyOfRange(rows, at, at + d), u);
        }
        return out;
    }

    /** The other ways through the engine: what they give under a plan is not what they give without. */
    @Test
    void otherPathsSteerAsWell() {
        int[] ids = MixedPlans.prompt(model, 1).ids();
        SteeringPlan plan = plan(model);
        int n = ids.length - 4;
        float[] whole = model.activations(ids, n, plan).logits();
        int v = model.spec().vocabulary();
        float[] last = Arrays.copyOfRange(whole, whole.length - v, whole.length);
        Step step = model.newStep();
        try (Sequence s = model.newSequence(plan, n)) {
            float[] out = new float[v];
            for (int p = 0; p < ids.length; p++) {
                step.clear();
                step.add(s, ids, p, p + 1, Step.Logits.LAST);
                model.backend().read(model.forward(step), 0, 1, out, 0);
            }
            assertArrayEquals(last, out);
        }
        float[] plain = model.activations(ids, n, SteeringPlan.NONE).logits();
        assertFalse(Arrays.equals(plain, whole));
        float[] mean = model.pooled(List.of(new TokenizedText(ids, n)), plan)
                .getFirst()
                .responseAvg()[7];
        float[] rows = model.residuals(ids, n, plan).residPost()[6];
        int d = model.spec().width();
        for (int i = 0; i < d; i++) {
            double sum = 0;
            for (int p = n; p < ids.length; p++) {
                sum += rows[p * d + i];
            }
            assertEquals(sum / 4, mean[i], 1e-4 * (1 + Math.abs(mean[i])));
        }
        assertFalse(Arrays.equals(
                mean,
                model.pooled(List.of(new TokenizedText(ids, n))).getFirst().responseAvg()[7]));
    }

    @Test
    void perplexityIsThatOfTheSteeredModel() {
        int[] ids = MixedPlans.prompt(model, 2).ids();
        int v = model.spec().vocabulary();
        double[] found = new double[2];
        for (int k = 0; k < 2; k++) {
            SteeringPlan plan = k == 0 ? SteeringPlan.NONE : plan(model);
            float[] logits = model.activations(ids, 1, plan).logits();
            double sum = 0;
            for (int t = 0; t + 1 < ids.length; t++) {
                double all = 0;
                for (int i = 0; i < v; i++) {
                    all += Math.exp(logits[t * v + i]);
                }
                sum += logits[t * v + ids[t + 1]] - Math.log(all);
            }
            found[k] = new Perplexity(model, ids.length, ids.length, plan)
                    .of(ids, n -> {})
                    .logLikelihood();
            assertEquals(sum, found[k], 1e-4 * Math.abs(sum));
        }
        assertFalse(Math.abs(found[0] - found[1]) < 0.5, found[0] + " " + found[1]);
        assertThrows(TillerException.class, () -> new Perplexity(model, 8, 8, MixedPlans.plan(model, 7, 1)));
    }

    /** Steps that the caller makes cannot measure the prompt: refused, not left out. */
    @Test
    void whatCannotBeMeasuredIsRefused() {
        SteeringPlan plan = MixedPlans.plan(model, 7, 1);
        assertThrows(TillerException.class, () -> model.newSequence(plan, 4));
    }
}
