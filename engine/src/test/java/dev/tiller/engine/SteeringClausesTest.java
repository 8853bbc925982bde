package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.template.Message;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Schedules, conditions, roles, matrices and units beside plans that say the same without them. */
class SteeringClausesTest {
    private static Model simd;
    private static Model scalar;

    @BeforeAll
    static void load() {
        simd = Model.load(SharedFiles.repository("models/microworld"), LoadOptions.DEFAULT.withBackend("simd"));
        scalar = Model.load(SharedFiles.repository("models/microworld"), LoadOptions.DEFAULT.withBackend("scalar"));
    }

    @AfterAll
    static void close() {
        simd.close();
        scalar.close();
    }

    private static Model model(String backend) {
        return backend.equals("scalar") ? scalar : simd;
    }

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

    private static Generation generate(Model m, ChatPrompt chat, SteeringPlan plan) {
        return m.generate(new GenerationRequest(chat, plan, new SamplingOptions(1, 0, 1, 0, 1), 3, 12, true));
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

    @Test
    void rolesStandWhereTheirWordsStand() {
        List<Message> chat = List.of(
                new Message("system", "Be brief, please."),
                new Message("user", "How do you see my garden?"),
                new Message("assistant", "It will be fine."),
                new Message("user", "And my chair?"));
        ChatPrompt prompt = simd.chatPrompt(chat);
        assertEquals("Be brief, please.", words(prompt, Role.SYSTEM, false));
        assertEquals("How do you see my garden?And my chair?", words(prompt, Role.USER, false));
        assertEquals("It will be fine.", words(prompt, Role.ASSISTANT, true));
        assertEquals("", words(prompt, Role.TOOL, false));
        assertEquals("", words(prompt, Role.THINKING, false));
    }

    /** The tokens at which a role speaks, as text; without the first of a run where that only predicts. */
    private static String words(ChatPrompt prompt, Role role, boolean predicted) {
        StringBuilder out = new StringBuilder();
        boolean before = false;
        for (int p = 0; p < prompt.ids().length; p++) {
            boolean here = prompt.has(role, p);
            if (here && (before || !predicted)) {
                out.append(simd.tokenizer().decode(new int[] {prompt.ids()[p]}, false));
            }
            before = here;
        }
        return out.toString();
    }

    @Test
    void roleSpansAreTheRangesOfTheirWords() {
        for (Model m : List.of(simd, scalar)) {
            ChatPrompt chat = MixedPlans.prompt(m, 2);
            for (Role role : List.of(Role.SYSTEM, Role.USER)) {
                int from = 0;
                while (!chat.has(role, from)) {
                    from++;
                }
                int to = from;
                while (chat.has(role, to)) {
                    to++;
                }
                Edit edit = Edit.add(GeneratorTest.random(m, 4, 0.5), 1, 2);
                assertArrayEquals(
                        generate(m, chat, SteeringPlan.of(edit.over(new Span.Range(from, to))))
                                .ids(),
                        generate(m, chat, SteeringPlan.of(edit.over(new Span.OfRole(role))))
                                .ids());
            }
            Edit edit = Edit.add(GeneratorTest.random(m, 4, 0.5), 1, 2);
            assertArrayEquals(
                    generate(m, chat, SteeringPlan.of(edit)).ids(),
                    generate(m, chat, SteeringPlan.of(edit.over(new Span.OfRole(Role.ASSISTANT))))
                            .ids());
            assertArrayEquals(
                    generate(m, chat, SteeringPlan.NONE).ids(),
                    generate(m, chat, SteeringPlan.of(edit.over(new Span.OfRole(Role.TOOL))))
                            .ids());
        }
    }

    @Test
    void rolesOfATextWithoutAnyAreRefused() {
        int[] ids = GeneratorTest.prompt(simd, 0);
        for (Role role : Role.values()) {
            SteeringPlan plan = SteeringPlan.of(
                    Edit.add(GeneratorTest.random(simd, 4, 0.5), 1, 2).over(new Span.OfRole(role)));
            for (Runnable run : List.<Runnable>of(
                    () -> simd.generate(GenerationRequest.greedy(ids, 3).with(plan)),
                    () -> simd.activations(ids, ids.length, plan),
                    () -> simd.newSequence(plan, 3),
                    () -> simd.pooled(List.of(new TokenizedText(ids, 3)), plan))) {
                String message = assertThrows(TillerException.class, run::run).getMessage();
                assertTrue(message.contains("has no roles") && message.contains("generation"), message);
            }
        }
        SteeringPlan thinking = SteeringPlan.of(
                Edit.add(GeneratorTest.random(simd, 4, 0.5), 1, 2).over(new Span.OfRole(Role.THINKING)));
        String message = assertThrows(TillerException.class, () -> generate(simd, MixedPlans.prompt(simd, 1), thinking))
                .getMessage();
        assertTrue(message.contains("no markers of thoughts") && message.contains("<think>"), message);
    }

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
