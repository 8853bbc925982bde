package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.kernels.KvPages;
import dev.tiller.loader.SharedFiles;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Steered texts side by side: what they share may not show, and what they can share is computed once. */
class SteeringSharingTest {
    private static final LoadOptions SIMD = LoadOptions.DEFAULT.withBackend("simd");
    private static Model model;

    @BeforeAll
    static void load() {
        model = open(SIMD);
    }

    @AfterAll
    static void close() {
        model.close();
    }

    private static Model open(LoadOptions options) {
        return Model.load(SharedFiles.repository("models/microworld"), options);
    }

    private static List<Probe> probes(Model m) {
        int last = m.spec().blocks() - 1;
        return List.of(
                new Probe(last, MixedPlans.vector(m, 1, 1).uniform()),
                new Probe(last, MixedPlans.vector(m, 2, 1).uniform()),
                new Probe(1, MixedPlans.vector(m, 3, 1).uniform()));
    }

    private static List<Generation> alone(Model m, List<GenerationRequest> requests) {
        List<Generation> out = new ArrayList<>();
        for (GenerationRequest r : requests) {
            m.cache().kept().clear();
            out.addAll(new Generator(m, probes(m), TokenSink.NONE).run(List.of(r)));
        }
        m.cache().kept().clear();
        return out;
    }

    /** Tokens, residuals bit by bit (as far as three projections of every token show them), decisions. */
    private static void same(List<Generation> expected, List<Generation> found, String what) {
        for (int i = 0; i < expected.size(); i++) {
            String where = what + ", request " + i;
            assertArrayEquals(expected.get(i).ids(), found.get(i).ids(), where);
            assertArrayEquals(expected.get(i).projections(), found.get(i).projections(), where);
            assertEquals(
                    expected.get(i).applied().toJson(), found.get(i).applied().toJson(), where);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"simd", "scalar"})
    void sharedOrNotTheResultsAreTheSame(String backend) {
        int n = backend.equals("simd") ? 3 * MixedPlans.KINDS : MixedPlans.KINDS;
        try (Model m = open(LoadOptions.DEFAULT.withBackend(backend))) {
            for (long seed : backend.equals("simd") ? new long[] {4, 55, 666} : new long[] {9}) {
                List<GenerationRequest> requests = MixedPlans.requests(m, n, seed);
                List<Generation> expected = alone(m, requests);
                same(expected, run(m, requests), "seed " + seed + ", together");
                same(expected, run(m, requests), "seed " + seed + ", with kept beginnings");
                same(expected, run(m, requests.reversed()).reversed(), "seed " + seed + ", reversed");
                for (int rows : new int[] {1, 7, 33}) {
                    Generator pieces = new Generator(m, probes(m), TokenSink.NONE).promptRowsBesideOthers(rows);
                    same(expected, pieces.run(requests), "seed " + seed + ", in pieces of " + rows);
                }
                Generator few = new Generator(m, probes(m), TokenSink.NONE).maxSequences(3);
                same(expected, few.run(requests), "seed " + seed + ", three at a time");
                assertEquals(0, m.cache().pagesInUse());
                long fired = expected.stream()
                        .flatMap(g -> g.applied().edits().stream())
                        .filter(e -> e.edit().when() != null && e.fired())
                        .count();
                long not = expected.stream()
                        .flatMap(g -> g.applied().edits().stream())
                        .filter(e -> !e.fired())
                        .count();
                assertTrue(backend.equals("scalar") || fired > 0 && not > 0, fired + " held, " + not + " did not");
            }
        }
    }

    private static List<Generation> run(Model m, List<GenerationRequest> requests) {
        return new Generator(m, probes(m), TokenSink.NONE).run(requests);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 12, 40})
    void textsThatStepBackAreSteeredAsBefore(int tokens) {
        for (long seed : new long[] {7, 88}) {
            List<GenerationRequest> requests = MixedPlans.requests(model, 2 * MixedPlans.KINDS, seed);
            List<Generation> expected = alone(model, requests);
            try (Model m = open(SIMD)) {
                int[] left = {tokens};
                TokenSink sink = (request, id, text, projections) -> {
                    if (--left[0] == 0) {
                        m.cache().limitToNow();
                    }
                    return true;
                };
                same(expected, new Generator(m, probes(m), sink).run(requests), "seed " + seed);
                assertEquals(0, m.cache().pagesInUse());
            }
        }
    }

    /** Any number of plans that leave the prompt alone have one prefill: all rows but those of a last, part-filled page. */
    @Test
    void plansOnTheAnswerShareThePrompt() {
        int plans = 12;
        int tokens = 5;
        List<GenerationRequest> requests = new ArrayList<>();
        for (int i = 0; i < plans; i++) {
            Edit add = Edit.add(MixedPlans.vector(model, i, 0.3), 0.5f, i % 8);
            Edit edit = switch (i % 4) {
                case 1 -> add.with().schedule(new Schedule.Decay(0.9f)).build();
                case 2 -> add.over(new Span.OfRole(Role.ASSISTANT));
                case 3 ->
                    add.with()
                            .when(MixedPlans.condition(model, i, Condition.Measure.PROMPT_LAST))
                            .build();
                default -> add;
            };
            requests.add(new GenerationRequest(
                    MixedPlans.prompt(model, 3), SteeringPlan.of(edit), SamplingOptions.GREEDY, i, tokens, true));
        }
        int prompt = requests.getFirst().prompt().length;
        int rest = prompt - (prompt - 1) / KvPages.PAGE * KvPages.PAGE;
        model.cache().kept().clear();
        int[] most = {0};
        TokenSink sink = (request, id, text, projections) -> {
            most[0] = Math.max(most[0], model.cache().pagesInUse());
            return true;
        };
        Generator generator = new Generator(model, List.of(), sink);
        List<Generation> found = generator.run(requests);
        long held = found.stream()
                .filter(g -> g.applied().edits().getFirst().edit().when() != null
                        && g.applied().edits().getFirst().fired())
                .count();
        // one prompt; its last page for each other plan; tokens but the last; one more row for each condition that
        // holds
        assertEquals(prompt + (plans - 1L) * rest + plans * (tokens - 1L) + held, generator.rowsRun());
        int own = (prompt + tokens - 2) / KvPages.PAGE - (prompt - 1) / KvPages.PAGE + 1;
        assertTrue(most[0] <= (prompt - 1) / KvPages.PAGE + plans * own, most[0] + " pages");
        sameTokens(requests, found);
    }

    private static void sameTokens(List<GenerationRequest> requests, List<Generation> found) {
        List<Generation> expected = alone(model, requests);
        for (int i = 0; i < expected.size(); i++) {
            assertArrayEquals(expected.get(i).ids(), found.get(i).ids(), "request " + i);
        }
    }

    /** A plan that changes the prompt shares nothing with others, and with itself everything. */
    @Test
    void plansOnThePromptShareOnlyAmongThemselves() {
        SteeringPlan plan = SteeringPlan.of(
                Edit.add(MixedPlans.vector(model, 5, 0.3), 0.5f, 2).over(Span.ALL));
        SteeringPlan other = SteeringPlan.of(
                Edit.add(MixedPlans.vector(model, 6, 0.3), 0.5f, 2).over(Span.ALL));
        ChatPrompt chat = MixedPlans.prompt(model, 3);
        List<GenerationRequest> requests = new ArrayList<>();
        for (SteeringPlan p : List.of(plan, other, plan, SteeringPlan.NONE)) {
            requests.add(new GenerationRequest(chat, p, SamplingOptions.GREEDY, 1, 1, true));
        }
        int prompt = chat.ids().length;
        int rest = prompt - (prompt - 1) / KvPages.PAGE * KvPages.PAGE;
        model.cache().kept().clear();
        Generator generator = new Generator(model, List.of(), TokenSink.NONE);
        generator.run(requests);
        assertEquals(3L * prompt + rest, generator.rowsRun());
    }
}
