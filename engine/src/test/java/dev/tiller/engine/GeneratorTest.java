package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import dev.tiller.loader.template.Message;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Generation on the bundled model: independence of batch neighbours, exactness of idle plans, streaming, limits. */
class GeneratorTest extends OnBothBackends {
    private static final String[] QUESTIONS = {
        "What is the capital of Japan?",
        "How do you see my new garden?",
        "Tell me about my plan: keeping goats.",
        "My brother broke his old chair. What should I do?",
        "I have decided on drawing rabbits. What is your forecast? Tell me everything about it, please, in a long answer."
    };

    static int[] prompt(Model m, int question) {
        return m.chat(List.of(new Message("user", QUESTIONS[question % QUESTIONS.length])));
    }

    static SteeringVector random(Model m, long seed, double size) {
        SplittableRandom r = new SplittableRandom(seed);
        float[] v = new float[m.spec().width()];
        for (int i = 0; i < v.length; i++) {
            v[i] = (float) (r.nextGaussian() * size);
        }
        return SteeringVector.uniform("random " + seed, v);
    }

    /** Mixed work: sampled and greedy, steered in different ways and not at all, short and long. */
    static List<GenerationRequest> mixed(Model m, int n, long seed) {
        List<GenerationRequest> out = new ArrayList<>();
        for (int i = 0; i < n; i++) {
            SteeringVector v = random(m, seed + i, 0.3);
            SteeringPlan plan = switch (i % 4) {
                case 1 -> SteeringPlan.of(Edit.add(v, 0.5f, 3));
                case 2 -> SteeringPlan.of(Edit.ablate(v).over(Span.ALL));
                case 3 -> SteeringPlan.of(Edit.add(v, -0.5f, 2, 4).over(Span.PROMPT));
                default -> SteeringPlan.NONE;
            };
            SamplingOptions sampling = i % 3 == 0 ? SamplingOptions.GREEDY : new SamplingOptions(1, 50, 0.95, 0, 1.1);
            out.add(new GenerationRequest(prompt(m, i), plan, sampling, seed + i, 10 + 7 * (i % 5), i % 2 == 0));
        }
        return out;
    }

    /** Requests with turns, restored and set projections, kept norms and conditions on every token, each in its own way. */
    static List<GenerationRequest> ofAllOperations(Model m, int n, int tokens) {
        List<GenerationRequest> requests = new ArrayList<>();
        for (int i = 0; i < n; i++) {
            SteeringVector v = random(m, 100 + i, 1);
            SteeringVector w = random(m, 200 + i / 2, 1);
            Condition when = new Condition(w, Site.RESID_POST, 1, 0.1f * i - 0.3f, i % 2 == 0, Condition.Measure.TOKEN);
            Edit turn = Edit.rotate(v, w, 90 + 20 * i, 0, 1, 2, 3);
            Edit gated = Edit.add(v, 1.5f, 1, 2, 3)
                    .preservingNorm()
                    .with()
                    .when(when)
                    .build();
            Edit restored = Edit.replaceMean(w, 3 * i + 4, 0, 3).at(Site.RESID_MID, Site.MLP_OUT);
            Edit set = Edit.set(v, 5 * i + 5, 3).over(i % 2 == 0 ? Span.ALL : Span.GENERATION);
            SteeringPlan plan = switch (i % 5) {
                case 0 -> SteeringPlan.of(turn, gated);
                case 1 -> SteeringPlan.of(gated);
                case 2 -> SteeringPlan.of(restored, set);
                case 3 -> SteeringPlan.of(turn, gated, restored, set);
                default -> SteeringPlan.NONE;
            };
            SamplingOptions sampling = new SamplingOptions(1, 50, 0.95, 0, 1.1);
            requests.add(new GenerationRequest(prompt(m, i), plan, sampling, i, tokens, true));
        }
        return requests;
    }

    @ParameterizedTest
    @ValueSource(strings = {"scalar", "simd"})
    void sameSeedSameTokensAloneAndInAMixedBatch(String backend) {
        Model m = model(backend);
        for (long seed : new long[] {1, 22, 333}) {
            List<GenerationRequest> requests = mixed(m, 12, seed);
            List<Generation> together = m.generate(requests);
            List<Generation> few =
                    new Generator(m, List.of(), TokenSink.NONE).maxSequences(3).run(requests);
            for (int i = 0; i < requests.size(); i++) {
                Generation alone = m.generate(requests.get(i));
                String what = "seed " + seed + ", request " + i;
                assertArrayEquals(alone.ids(), together.get(i).ids(), what);
                assertArrayEquals(alone.ids(), few.get(i).ids(), what);
                assertEquals(alone.text(), together.get(i).text(), what);
                assertEquals(alone.finish(), together.get(i).finish(), what);
            }
        }
        assertEquals(0, m.cache().pagesInUse(), "every page is given back");
    }

    @ParameterizedTest
    @ValueSource(strings = {"scalar", "simd"})
    void coefficientZeroIsBitIdenticalToNoPlan(String backend) {
        Model m = model(backend);
        int[] ids = prompt(m, 1);
        SteeringVector v = random(m, 5, 1);
        SteeringPlan zero = SteeringPlan.of(
                Edit.add(v, 0, 0, 3, 7).over(Span.ALL),
                Edit.ablate(v)
                        .at(Site.RESID_PRE, Site.MLP_OUT)
                        .over(Span.ALL)
                        .with()
                        .strength(0)
                        .build());
        Activations plain = m.activations(ids, ids.length, SteeringPlan.NONE);
        Activations idle = m.activations(ids, ids.length, zero);
        assertArrayEquals(bits(plain.logits()), bits(idle.logits()));
        assertArrayEquals(bits(plain.finalNorm()), bits(idle.finalNorm()));
    }

    /** Chunks of a prompt through the cache give the bits of the whole prompt in one pass. */
    @ParameterizedTest
    @ValueSource(strings = {"scalar", "simd"})
    void wholePassEqualsChunksBitForBit(String backend) {
        Model m = model(backend);
        int[] ids = prompt(m, 4);
        float[] whole = lastLogits(m, ids, ids.length);
        for (int chunk : new int[] {1, 3, 16, 17}) {
            assertArrayEquals(bits(whole), bits(lastLogits(m, ids, chunk)), "chunk " + chunk);
        }
    }

    private static float[] lastLogits(Model m, int[] ids, int chunk) {
        float[] out = new float[m.spec().vocabulary()];
        Step step = m.newStep();
        try (Sequence s = m.newSequence(SteeringPlan.NONE, ids.length)) {
            for (int from = 0; from < ids.length; from += chunk) {
                step.clear();
                step.add(s, ids, from, Math.min(ids.length, from + chunk), Step.Logits.LAST);
                m.backend().read(m.forward(step), 0, 1, out, 0);
            }
        }
        return out;
    }

    @ParameterizedTest
    @ValueSource(strings = {"scalar", "simd"})
    void ablationLeavesOnlyRounding(String backend) {
        Model m = model(backend);
        int[] ids = prompt(m, 2);
        for (long seed = 1; seed <= 3; seed++) {
            SteeringVector v = random(m, seed, 1);
            float[] u = Vectors.unit(v.uniform(), "u");
            Activations a = m.activations(
                    ids, ids.length, SteeringPlan.of(Edit.ablate(v).over(Span.ALL)));
            int d = m.spec().width();
            for (float[] level : a.residPost()) {
                for (int t = 0; t < ids.length; t++) {
                    float[] h = Arrays.copyOfRange(level, t * d, (t + 1) * d);
                    double left = Math.abs(Vectors.dot(h, u)) / Vectors.norm(h);
                    assertTrue(left < 1e-6, "seed " + seed + ": |h.u| / |h| = " + left);
                }
            }
        }
    }

    @Test
    void addMovesTheProjectionByCoefficientTimesNorm() {
        int[] ids = prompt(simd, 0);
        SteeringVector v = random(simd, 9, 1);
        float[] u = Vectors.unit(v.uniform(), "u");
        float[] before = simd.activations(ids, ids.length, SteeringPlan.NONE).residPost()[3];
        float[] after = simd.activations(ids, ids.length, SteeringPlan.of(Edit.add(v, 1.5f, 3)))
                .residPost()[3];
        int d = simd.spec().width();
        for (int t = 0; t < ids.length; t++) {
            double moved = Vectors.dot(Arrays.copyOfRange(after, t * d, (t + 1) * d), u)
                    - Vectors.dot(Arrays.copyOfRange(before, t * d, (t + 1) * d), u);
            double expected = t == ids.length - 1 ? 1.5 * Vectors.norm(v.uniform()) : 0;
            assertEquals(expected, moved, 1e-4, "position " + t);
        }
    }

    @Test
    void projectionsAreThoseOfTheTokensOwnResiduals() {
        SteeringVector v = random(simd, 4, 1);
        List<Probe> probes = List.of(new Probe(2, v.uniform()), new Probe(6, v.uniform()));
        GenerationRequest request = GenerationRequest.greedy(prompt(simd, 3), 20);
        Generation g = new Generator(simd, probes, TokenSink.NONE)
                .run(List.of(request))
                .getFirst();
        assertArrayEquals(simd.generate(request).ids(), g.ids(), "watching changes nothing");
        assertEquals(g.ids().length, g.projections().length);
        int[] all = Arrays.copyOf(request.prompt(), request.prompt().length + g.ids().length);
        System.arraycopy(g.ids(), 0, all, request.prompt().length, g.ids().length);
        Activations a = simd.activations(all, request.prompt().length, SteeringPlan.NONE);
        float[] u = Vectors.unit(v.uniform(), "u");
        int d = simd.spec().width();
        for (int i = 0; i < g.ids().length; i++) {
            int at = (request.prompt().length + i) * d;
            assertEquals(Vectors.dot(Arrays.copyOfRange(a.residPost()[2], at, at + d), u), g.projections()[i][0], 1e-4);
            assertEquals(Vectors.dot(Arrays.copyOfRange(a.residPost()[6], at, at + d), u), g.projections()[i][1], 1e-4);
        }
    }

    @Test
    void streamedPiecesMakeTheText() {
        for (boolean watched : new boolean[] {false, true}) {
            StringBuilder streamed = new StringBuilder();
            List<Integer> ids = new ArrayList<>();
            TokenSink sink = (request, id, text, projections) -> {
                streamed.append(text);
                if (id >= 0) {
                    ids.add(id);
                }
                return true;
            };
            List<Probe> probes =
                    watched ? List.of(new Probe(1, random(simd, 1, 1).uniform())) : List.of();
            Generation g = new Generator(simd, probes, sink)
                    .run(List.of(GenerationRequest.greedy(prompt(simd, 0), 40)))
                    .getFirst();
            assertEquals(g.text(), streamed.toString());
            assertArrayEquals(g.ids(), ids.stream().mapToInt(i -> i).toArray());
            assertEquals("The capital of Japan is Tokyo.", g.text());
            assertEquals(FinishReason.STOP, g.finish());
        }
    }

    @Test
    void sinkCanStop() {
        int[] left = {3};
        TokenSink sink = (request, id, text, projections) -> --left[0] > 0;
        Generation g = new Generator(simd, List.of(), sink)
                .run(List.of(GenerationRequest.greedy(prompt(simd, 0), 40)))
                .getFirst();
        assertEquals(3, g.ids().length);
        assertEquals(FinishReason.CANCELLED, g.finish());
    }

    @Test
    void commonPrefixesAreStoredOnce() {
        String system = "You are a helpful assistant that answers questions about plans, gardens, animals and trips.";
        List<GenerationRequest> requests = new ArrayList<>();
        SteeringVector v = random(simd, 3, 0.2);
        for (int i = 0; i < 8; i++) {
            int[] ids = simd.chat(List.of(new Message("system", system), new Message("user", QUESTIONS[i % 4])));
            requests.add(GenerationRequest.greedy(ids, 12).with(SteeringPlan.of(Edit.add(v, i * 0.1f, 4))));
        }
        int[] most = {0};
        TokenSink sink = (request, id, text, projections) -> {
            most[0] = Math.max(most[0], simd.cache().pagesInUse());
            return true;
        };
        List<Generation> shared = new Generator(simd, List.of(), sink).run(requests);
        int alone = 0;
        for (int i = 0; i < requests.size(); i++) {
            alone += (requests.get(i).prompt().length + 12 + 15) / 16;
            assertArrayEquals(
                    simd.generate(requests.get(i)).ids(), shared.get(i).ids(), "request " + i);
        }
        assertTrue(most[0] < alone - 7, most[0] + " pages, without sharing " + alone);
    }

    /** More different plans than the tables keep at a time: every text still gets its own. */
    @Test
    void manyDifferentPlans() {
        List<GenerationRequest> requests = new ArrayList<>();
        for (int i = 0; i < 700; i++) {
            SteeringPlan plan = SteeringPlan.of(Edit.add(random(simd, i, 0.3), 1, i % 8));
            requests.add(new GenerationRequest(prompt(simd, i), plan, SamplingOptions.GREEDY, 0, 3, true));
        }
        List<Generation> together = simd.generate(requests);
        for (int i = 0; i < requests.size(); i += 13) {
            assertArrayEquals(
                    simd.generate(requests.get(i)).ids(), together.get(i).ids(), "request " + i);
        }
    }

    /** Steered neighbours in the same batch do not change a single bit of an unsteered row. */
    @ParameterizedTest
    @ValueSource(strings = {"scalar", "simd"})
    void neighboursDoNotShow(String backend) {
        Model m = model(backend);
        int[] ids = prompt(m, 0);
        float[] alone = lastLogits(m, ids, ids.length);
        SteeringPlan plan = SteeringPlan.of(Edit.add(random(m, 1, 1), 3, 0, 4).over(Span.ALL));
        Step step = m.newStep();
        try (Sequence first = m.newSequence(plan, 20);
                Sequence plain = m.newSequence(SteeringPlan.NONE, ids.length);
                Sequence last = m.newSequence(plan, 20)) {
            step.add(first, prompt(m, 4), 0, 20, Step.Logits.LAST);
            step.add(plain, ids, 0, ids.length, Step.Logits.LAST);
            step.add(last, prompt(m, 4), 0, 20, Step.Logits.LAST);
            float[] between = new float[m.spec().vocabulary()];
            m.backend().read(m.forward(step), 1, 1, between, 0);
            assertArrayEquals(bits(alone), bits(between));
        }
    }

    /** The model's buffers serve one run at a time; using it from inside a run would corrupt that run. */
    @Test
    void useFromInsideARunIsRefused() {
        TokenSink sink = (request, id, text, projections) -> {
            simd.generate(GenerationRequest.greedy(prompt(simd, 1), 2));
            return true;
        };
        List<GenerationRequest> requests = List.of(GenerationRequest.greedy(prompt(simd, 0), 5));
        Generator generator = new Generator(simd, List.of(), sink);
        assertThrows(IllegalStateException.class, () -> generator.run(requests));
        assertEquals(5, simd.generate(requests.getFirst()).ids().length, "and the model is usable afterwards");
        assertEquals(0, simd.cache().pagesInUse());
    }

    @Test
    void watchedAtTheEndOfTheContext() {
        int[] ids = new int[simd.spec().maxPositions() - 2];
        Arrays.fill(ids, 5);
        List<float[]> seen = new ArrayList<>();
        TokenSink sink = (request, id, text, projections) -> seen.add(projections);
        Generation g = new Generator(
                        simd, List.of(new Probe(3, random(simd, 1, 1).uniform())), sink)
                .run(List.of(new GenerationRequest(ids, SteeringPlan.NONE, SamplingOptions.GREEDY, 0, 9, true)))
                .getFirst();
        assertEquals(FinishReason.CONTEXT, g.finish());
        assertEquals(3, g.ids().length);
        assertEquals(3, g.projections().length);
        assertTrue(Float.isFinite(g.projections()[1][0]));
        assertTrue(Float.isNaN(g.projections()[2][0]), "no position is left for the last token");
        assertEquals(3, seen.size());
    }

    @Test
    void limits() {
        int max = simd.spec().maxPositions();
        int[] full = new int[max];
        Arrays.fill(full, 5);
        Generation g =
                simd.generate(new GenerationRequest(full, SteeringPlan.NONE, SamplingOptions.GREEDY, 0, 5, true));
        assertEquals(1, g.ids().length, "the last position still predicts a token");
        assertEquals(FinishReason.CONTEXT, g.finish());
        assertTrue(refused(new int[max + 1]).contains("context"));
        assertTrue(refused(new int[0]).contains("empty"));
        assertTrue(refused(new int[] {simd.spec().vocabulary()}).contains("vocabulary"));
        assertEquals(
                0, simd.generate(GenerationRequest.greedy(new int[] {5}, 0)).ids().length);
        assertEquals(0, simd.cache().pagesInUse());
    }

    private static String refused(int[] prompt) {
        String message = assertThrows(TillerException.class, () -> simd.generate(GenerationRequest.greedy(prompt, 3)))
                .getMessage();
        assertFalse(message.contains("\n"));
        return message;
    }

    static int[] bits(float[] x) {
        int[] out = new int[x.length];
        for (int i = 0; i < x.length; i++) {
            out[i] = Float.floatToRawIntBits(x[i]);
        }
        return out;
    }
}
