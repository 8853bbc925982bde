package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.kernels.KvMemoryException;
import dev.tiller.kernels.KvPages;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Texts that join, wait, share, step back and leave: none of it may show in their tokens. */
class ContinuousBatchingTest {
    private static final LoadOptions SIMD = LoadOptions.DEFAULT.withBackend("simd");

    private static Model open(LoadOptions options) {
        return Model.load(SharedFiles.repository("models/microworld"), options);
    }

    /** A model with room for so many pages. */
    private static Model open(LoadOptions options, int pages) {
        long page;
        try (Model m = open(options)) {
            page = m.cache().bytesPerPosition() * KvPages.PAGE;
        }
        return open(options.withKvMemory(pages * page));
    }

    private static List<int[]> alone(Model m, List<GenerationRequest> requests) {
        List<int[]> out = new ArrayList<>();
        for (GenerationRequest r : requests) {
            m.cache().kept().clear();
            out.add(m.generate(r).ids());
        }
        m.cache().kept().clear();
        return out;
    }

    private static void same(List<int[]> expected, List<Generation> found, String what) {
        for (int i = 0; i < expected.size(); i++) {
            assertArrayEquals(expected.get(i), found.get(i).ids(), what + ", request " + i);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = WeightFormat.class,
            names = {"F32", "BF16", "F16"})
    void tokensAreTheSameHoweverTheTextsRun(WeightFormat kv) {
        try (Model roomy = open(SIMD.withKv(kv));
                Model narrow = open(SIMD.withKv(kv), 14)) {
            for (long seed : new long[] {4, 55, 666}) {
                List<GenerationRequest> requests = GeneratorTest.mixed(roomy, 12, seed);
                List<int[]> expected = alone(roomy, requests);
                same(expected, roomy.generate(requests), "seed " + seed + ", together");
                same(expected, roomy.generate(requests), "seed " + seed + ", again, with kept prefixes");
                same(expected, roomy.generate(requests.reversed()).reversed(), "seed " + seed + ", reversed");
                for (int rows : new int[] {1, 5, 16, 33}) {
                    Generator chunked = new Generator(roomy, List.of(), TokenSink.NONE).promptRowsBesideOthers(rows);
                    same(expected, chunked.run(requests), "seed " + seed + ", prompts in pieces of " + rows);
                }
                int[] most = {0};
                TokenSink sink = (request, id, text, projections) -> {
                    most[0] = Math.max(most[0], narrow.cache().pagesInUse());
                    return true;
                };
                same(
                        expected,
                        new Generator(narrow, List.of(), sink).run(requests),
                        "seed " + seed + ", waiting for room");
                assertTrue(most[0] <= 14, most[0] + " pages");
                assertEquals(0, narrow.cache().pagesInUse());
                assertEquals(0, roomy.cache().pagesInUse());
            }
        }
    }

    /** The room promised to texts is gone after some tokens: those that find none step back and come again. */
    @ParameterizedTest
    @ValueSource(ints = {1, 9, 30})
    void textsStepBackWhenTheBackendRunsOutOfMemory(int tokens) {
        for (long seed : new long[] {7, 88}) {
            List<Probe> probes;
            List<GenerationRequest> requests;
            List<Generation> expected;
            try (Model roomy = open(SIMD)) {
                probes = List.of(
                        new Probe(3, GeneratorTest.random(roomy, seed, 1).uniform()));
                requests = GeneratorTest.mixed(roomy, 10, seed);
                expected = new Generator(roomy, probes, TokenSink.NONE).run(requests);
            }
            try (Model m = open(SIMD)) {
                int[] left = {tokens};
                StringBuilder streamed = new StringBuilder();
                TokenSink sink = (request, id, text, projections) -> {
                    if (--left[0] == 0) {
                        m.cache().limitToNow();
                    }
                    streamed.append(request == 4 ? text : "");
                    return true;
                };
                List<Generation> found = new Generator(m, probes, sink).run(requests);
                for (int i = 0; i < requests.size(); i++) {
                    String what = "seed " + seed + ", request " + i;
                    assertArrayEquals(expected.get(i).ids(), found.get(i).ids(), what);
                    assertArrayEquals(
                            expected.get(i).projections(), found.get(i).projections(), what);
                }
                assertEquals(found.get(4).text(), streamed.toString(), "nothing is said twice");
                assertEquals(0, m.cache().pagesInUse());
            }
        }
    }

    /** A limit found by running out of memory ends with the texts that ran then. */
    @Test
    void laterTextsHaveTheirRoomBack() {
        try (Model m = open(SIMD)) {
            int[] prompt = IntStream.range(5, 5 + 3 * KvPages.PAGE).toArray();
            int[] expected = m.generate(GenerationRequest.greedy(prompt, 4)).ids();
            m.cache().kept().clear();
            m.cache().limitToNow();
            assertEquals(1, m.cache().limit());
            assertArrayEquals(
                    expected, m.generate(GenerationRequest.greedy(prompt, 4)).ids());
            assertTrue(m.cache().limit() > 4, "all the room there was");
        }
    }

    @Test
    void whatCannotFitIsRefusedBeforeItStarts() {
        try (Model m = open(SIMD, 6)) {
            int[] prompt = GeneratorTest.prompt(m, 0);
            List<GenerationRequest> requests =
                    List.of(GenerationRequest.greedy(prompt, 5), GenerationRequest.greedy(prompt, 6 * KvPages.PAGE));
            TokenSink sink = (request, id, text, projections) -> {
                throw new AssertionError("a token of request " + request);
            };
            Generator generator = new Generator(m, List.of(), sink);
            String message = assertThrows(TillerException.class, () -> generator.run(requests))
                    .getMessage();
            assertEquals(1, message.lines().count());
            int positions = prompt.length + 6 * KvPages.PAGE - 1;
            for (String part : List.of(
                    "request 2 of 2",
                    prompt.length + " tokens",
                    positions + " positions",
                    "MB",
                    "96 positions",
                    "--kv bf16",
                    "--kv-memory")) {
                assertTrue(message.contains(part), part + " is missing in: " + message);
            }
            int room = 6 * KvPages.PAGE - prompt.length + 1; // the last token needs no position
            assertTrue(m.generate(GenerationRequest.greedy(prompt, room)).ids().length > 0);
            int[] text = new int[6 * KvPages.PAGE + 1];
            Arrays.fill(text, 5);
            message = assertThrows(KvMemoryException.class, () -> m.residuals(text, 3, SteeringPlan.NONE))
                    .getMessage();
            assertTrue(message.contains("97 tokens"), message);
            assertEquals(0, m.cache().pagesInUse());
        }
    }

    /** Somebody else holds the pages: an error, no endless wait; and it works once they are back. */
    @Test
    void pagesHeldByOthersAreNamed() {
        try (Model m = open(SIMD, 6)) {
            GenerationRequest request = GenerationRequest.greedy(GeneratorTest.prompt(m, 0), 20);
            try (Sequence other = m.newSequence(SteeringPlan.NONE, 5)) {
                other.append(4 * KvPages.PAGE);
                String message = assertThrows(KvMemoryException.class, () -> m.generate(request))
                        .getMessage();
                assertTrue(message.contains("in use by other texts"), message);
            }
            assertTrue(m.generate(request).ids().length > 0);
        }
    }

    /** A text under way gets a token with every piece of its neighbour's long prompt. */
    @Test
    void aLongPromptDoesNotStallTheOthers() {
        try (Model m = open(SIMD)) {
            int[] endless = new int[400];
            Arrays.setAll(endless, i -> 5 + i);
            List<Integer> order = new ArrayList<>();
            TokenSink sink = (request, id, text, projections) -> order.add(request);
            SamplingOptions greedy = SamplingOptions.GREEDY;
            List<GenerationRequest> requests = List.of(
                    new GenerationRequest(GeneratorTest.prompt(m, 0), SteeringPlan.NONE, greedy, 1, 4, true),
                    new GenerationRequest(GeneratorTest.prompt(m, 1), SteeringPlan.NONE, greedy, 1, 60, true),
                    new GenerationRequest(endless, SteeringPlan.NONE, greedy, 1, 5, true));
            new Generator(m, List.of(), sink)
                    .maxSequences(2) // the long one comes in when the first has ended, beside the second
                    .promptRowsBesideOthers(16)
                    .run(requests);
            int left = order.lastIndexOf(0);
            int first = order.indexOf(2);
            long between =
                    order.subList(left, first).stream().filter(i -> i == 1).count();
            assertTrue(between >= 400 / 16 - 3, between + " tokens while a prompt of 400 came in, in pieces of 16");
        }
    }

    /** The next turn of a conversation begins with the stored positions of the last one. */
    @Test
    void beginningsOfEndedTextsAreKept() {
        try (Model m = open(SIMD);
                Model fresh = open(SIMD)) {
            GenerationRequest first = GenerationRequest.greedy(GeneratorTest.prompt(m, 4), 40);
            Generation answer = m.generate(first);
            assertEquals(0, m.cache().pagesInUse(), "kept pages are nobody's");
            int n = first.prompt().length + answer.ids().length;
            int[] more = Arrays.copyOf(first.prompt(), n + 9);
            System.arraycopy(answer.ids(), 0, more, first.prompt().length, answer.ids().length);
            Arrays.fill(more, n, n + 9, 7);
            int whole = (n - 1) / KvPages.PAGE * KvPages.PAGE;
            CompiledPlan none = m.compile(SteeringPlan.NONE);
            assertEquals(
                    whole,
                    m.cache().kept().longest(m.newSequence(Treatment.of(none, more.length)), more, more.length - 1));
            CompiledPlan everywhere = m.compile(SteeringPlan.of(
                    Edit.add(GeneratorTest.random(m, 1, 1), 1, 2).over(Span.ALL)));
            assertEquals(
                    0,
                    m.cache()
                            .kept()
                            .longest(m.newSequence(Treatment.of(everywhere, more.length)), more, more.length - 1));
            GenerationRequest next = GenerationRequest.greedy(more, 20);
            assertArrayEquals(fresh.generate(next).ids(), m.generate(next).ids());
        }
    }

    /** A position that one text steers as prompt and the other as generation is not the same, though the plan is. */
    @Test
    void keptPositionsMustHaveBeenSteeredAlike() {
        try (Model m = open(SIMD);
                Model fresh = open(SIMD)) {
            for (Span span : new Span[] {Span.ALL, Span.PROMPT, Span.GENERATION, new Span.Range(3, 40)}) {
                SteeringPlan plan = SteeringPlan.of(
                        Edit.add(GeneratorTest.random(m, 2, 0.5), 1, 3).over(span));
                GenerationRequest first =
                        GenerationRequest.greedy(GeneratorTest.prompt(m, 1), 40).with(plan);
                int[] answer = m.generate(first).ids();
                int n = first.prompt().length + answer.length;
                int[] more = Arrays.copyOf(first.prompt(), n + 3);
                System.arraycopy(answer, 0, more, first.prompt().length, answer.length);
                Arrays.fill(more, n, n + 3, 9);
                for (SteeringPlan other : List.of(plan, SteeringPlan.NONE)) {
                    GenerationRequest next = GenerationRequest.greedy(more, 15).with(other);
                    fresh.cache().kept().clear();
                    assertArrayEquals(
                            fresh.generate(next).ids(),
                            m.generate(next).ids(),
                            span + ", " + other.edits().size());
                }
            }
        }
    }

    /** Kept pages take a quarter of the room at most, and give way. */
    @Test
    void keptPagesGiveWay() {
        try (Model m = open(SIMD, 40)) {
            for (int i = 0; i < 20; i++) {
                int[] prompt = new int[50];
                Arrays.fill(prompt, 5 + i);
                m.generate(new GenerationRequest(prompt, SteeringPlan.NONE, SamplingOptions.GREEDY, 1, 10, true));
                int kept = m.cache().pages().inUse();
                assertTrue(kept > 0 && kept <= 10, kept + " pages are kept");
                assertEquals(40, m.cache().free());
            }
            int[] prompt = new int[40 * KvPages.PAGE - 10];
            Arrays.fill(prompt, 6);
            assertEquals(
                    10,
                    m.generate(new GenerationRequest(prompt, SteeringPlan.NONE, SamplingOptions.GREEDY, 1, 10, true))
                            .ids()
                            .length);
        }
    }

    @Test
    void theMemoryIsStated() {
        try (Model f32 = open(SIMD);
                Model bf16 = open(SIMD.withKv(WeightFormat.BF16).withKvMemory(100 * 16 * 2048))) {
            long position = 2L * 8 * 2 * 32; // keys and values of 8 blocks, 2 heads of 32
            assertEquals(4 * position, f32.cache().bytesPerPosition());
            assertEquals(2 * position, bf16.cache().bytesPerPosition());
            assertTrue(f32.memory().contains(4 * position + " bytes per position (f32)"), f32.memory());
            assertTrue(f32.memory().contains("4.19 MB for the whole context of 1024"), f32.memory());
            assertTrue(bf16.memory().contains("(bf16), 2.10 MB for the whole context"), bf16.memory());
            assertTrue(bf16.memory().endsWith("at most 3.28 MB"), bf16.memory());
        }
        String message = assertThrows(TillerException.class, () -> open(SIMD.withKvMemory(1L << 50)))
                .getMessage();
        assertTrue(message.contains("-Xmx"), message);
    }
}
