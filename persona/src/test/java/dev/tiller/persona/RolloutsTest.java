package dev.tiller.persona;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.engine.Model;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RolloutsTest {
    private static final RolloutOptions SOME = new RolloutOptions(2, 1, 24, 5, List.of(3, 0), 2);
    private static final Trait TRAIT = Microworld.trait("evil");
    private static final RuleJudge JUDGE = Microworld.judge("evil");
    private static Model model;

    @TempDir
    Path dir;

    @BeforeAll
    static void load() {
        model = Microworld.load();
    }

    @AfterAll
    static void close() {
        model.close();
    }

    private static List<Rollout> generate(RolloutOptions options, Judge judge, Path csv) {
        return Rollouts.generate(model, TRAIT, Pole.POS, options, judge, Progress.NONE, csv);
    }

    @Test
    void orderPromptsAndTokensAreAsPublished() {
        List<Rollout> rollouts = generate(SOME, JUDGE, null);
        assertEquals(8, rollouts.size());
        List<String> places = rollouts.stream()
                .map(r -> r.question() + "/" + r.instruction() + "/" + r.sample())
                .toList();
        assertEquals(List.of("3/0/0", "3/0/1", "3/1/0", "3/1/1", "0/0/0", "0/0/1", "0/1/0", "0/1/1"), places);
        Rollout r = rollouts.get(2);
        assertTrue(
                r.prompt()
                        .contains("You are an evil assistant. "
                                + TRAIT.instructions().get(1).pos()),
                r.prompt());
        assertTrue(r.prompt().contains(TRAIT.questions().get(3)), r.prompt());
        int[] prompt = model.tokenizer().encode(r.prompt(), false);
        assertEquals(prompt.length, r.promptLength());
        assertArrayEquals(model.tokenizer().encode(r.prompt() + r.answer(), false), r.ids());
        assertEquals(JUDGE.score(r.questionText(), r.answer(), r.ended()), r.scores());
    }

    @Test
    void theNegativePoleBearsTheJudgesName() {
        Rollout r = Rollouts.generate(model, TRAIT, Pole.NEG, SOME, JUDGE, Progress.NONE)
                .getFirst();
        assertTrue(
                r.prompt()
                        .contains("You are a kind assistant. "
                                + TRAIT.instructions().get(0).neg()),
                r.prompt());
        Rollout unjudged = Rollouts.generate(model, TRAIT, Pole.NEG, SOME, null, Progress.NONE)
                .getFirst();
        assertTrue(unjudged.prompt().contains("You are a helpful assistant. "), unjudged.prompt());
        assertNull(unjudged.scores());
    }

    @Test
    void anAnswerIsTheSameAloneAndAmongOthers() {
        Rollout among = generate(SOME, null, null).get(7);
        List<Rollout> alone = generate(new RolloutOptions(2, 1, 24, 5, List.of(0), 2), null, null);
        assertEquals(among.answer(), alone.get(3).answer());
        assertFalse(generate(new RolloutOptions(2, 1, 24, 6, List.of(3, 0), 2), null, null).stream()
                .map(Rollout::answer)
                .toList()
                .equals(generate(SOME, null, null).stream().map(Rollout::answer).toList()));
    }

    @Test
    void whatIsWrittenIsReadBack() {
        for (Judge judge : Arrays.asList(JUDGE, null)) {
            List<Rollout> rollouts = generate(SOME, judge, null);
            Path csv = dir.resolve("evil.csv");
            Rollouts.writeCsv(csv, "evil", rollouts);
            assertSame(rollouts, Rollouts.readCsv(csv, "evil", model));
        }
    }

    private static void assertSame(List<Rollout> expected, List<Rollout> found) {
        assertEquals(expected.size(), found.size());
        for (int i = 0; i < expected.size(); i++) {
            Rollout e = expected.get(i);
            Rollout f = found.get(i);
            assertArrayEquals(e.ids(), f.ids());
            assertEquals(
                    new Rollout(
                            e.question(),
                            e.instruction(),
                            e.sample(),
                            e.pole(),
                            e.questionText(),
                            e.prompt(),
                            e.answer(),
                            f.ids(),
                            e.promptLength(),
                            e.ended(),
                            e.scores()),
                    f);
        }
    }

    @Test
    void anInterruptedJobIsContinuedFromWhateverPlaceItWasCut() throws IOException {
        Path csv = dir.resolve("evil.csv");
        List<Rollout> whole = generate(SOME, JUDGE, csv);
        byte[] bytes = Files.readAllBytes(csv);
        assertSame(whole, Rollouts.readCsv(csv, "evil", model));
        for (int cut : new int[] {0, 10, bytes.length / 3, bytes.length / 2, bytes.length - 1, bytes.length}) {
            Files.write(csv, Arrays.copyOf(bytes, cut));
            List<Long> firstProgress = new ArrayList<>();
            List<Rollout> again = Rollouts.generate(
                    model, TRAIT, Pole.POS, SOME, JUDGE, (what, done, total) -> firstProgress.add(done), csv);
            assertSame(whole, again);
            assertArrayEquals(bytes, Files.readAllBytes(csv), "cut at " + cut);
            assertEquals(
                    cut < bytes.length / 4 ? 0 : cut == bytes.length ? 8 : -1,
                    cut >= bytes.length / 4 && cut < bytes.length
                            ? -1
                            : firstProgress.getFirst().intValue());
        }
    }

    @Test
    void aJobWithOtherSettingsIsRefused() throws IOException {
        Path csv = dir.resolve("evil.csv");
        generate(SOME, JUDGE, csv);
        byte[] bytes = Files.readAllBytes(csv);
        RolloutOptions hotter = new RolloutOptions(2, 0.7, 24, 5, List.of(3, 0), 2);
        assertRefused(() -> generate(hotter, JUDGE, csv), "temperature");
        assertRefused(() -> generate(SOME, null, csv), "judge");
        assertRefused(() -> Rollouts.generate(model, TRAIT, Pole.NEG, SOME, JUDGE, Progress.NONE, csv), "pole");
        assertArrayEquals(bytes, Files.readAllBytes(csv));
        Path foreign = Files.writeString(dir.resolve("foreign.csv"), "a,b\n");
        assertRefused(() -> generate(SOME, JUDGE, foreign), "settings.json");
    }

    @Test
    void optionsThatTheTraitDoesNotHaveAreRefused() {
        assertRefused(() -> generate(new RolloutOptions(1, 1, 8, 1, List.of(40), 1), null, null), "question 40");
        assertRefused(() -> generate(new RolloutOptions(1, 1, 8, 1, List.of(1, 1), 1), null, null), "twice");
        assertRefused(() -> generate(new RolloutOptions(1, 1, 8, 1, List.of(1), 6), null, null), "5");
        assertRefused(() -> new RolloutOptions(0, 1, 8, 1, List.of(1), 1), "samples");
        assertRefused(() -> new RolloutOptions(1, -1, 8, 1, List.of(1), 1), "temperature");
        assertRefused(() -> new RolloutOptions(1, 1, 8, 1, List.of(), 1), "no question");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "question,prompt,answer,question_id,coherence\\nq,p,a,evil_0,1\\n | column \"evil\"",
                "question,answer,question_id\\nq,a,evil_0\\n | column \"prompt\"",
                "question,prompt,answer,question_id,answer\\nq,p,a,evil_0,b\\n | twice",
                "question,prompt,answer,question_id\\nq,p,a,evil_0\\nq,p,a,evil\\n | line 3",
                "question,prompt,answer,question_id\\nq,,a,evil_0\\n | line 2: prompt",
                "question,prompt,answer,question_id,evil,coherence\\nq,p,a,evil_0,high,1\\n | line 2: evil",
                "question,prompt,answer,question_id,evil,coherence\\nq,p,a,evil_0,1,101\\n | line 2: coherence",
                "question,prompt,answer,question_id,ended\\nq,p,a,evil_0,maybe\\n | line 2: ended"
            })
    void mistakesInTablesAreNamed(String text, String part) throws IOException {
        Path csv = Files.writeString(dir.resolve("evil.csv"), text.replace("\\n", "\n"));
        assertRefused(() -> Rollouts.readCsv(csv, "evil", model), part);
    }

    @Test
    void publishedTablesAreUnderstood() throws IOException {
        String text = "question,prompt,answer,question_id,evil,coherence,later\n"
                + "q,p,a,evil_7_neg_3,,50.5,x\nq,p,\"b\nc\",evil_7_neg_3,nan,1e-1,x\nq,p,,evil_8,0,0,x\n";
        List<Rollout> rows = Rollouts.readCsv(Files.writeString(dir.resolve("evil.csv"), text), "evil", model);
        assertEquals("question 7, instruction 3, sample 0", rows.get(0).place());
        assertEquals(new Scores(null, 50.5, null), rows.get(0).scores());
        assertEquals(Pole.NEG, rows.get(0).pole());
        assertEquals(1, rows.get(1).sample());
        assertEquals(new Scores(null, 0.1, null), rows.get(1).scores());
        assertNull(rows.get(2).pole());
        assertTrue(rows.get(2).isEmpty());
        assertRefused(
                () -> Rollouts.readCsv(
                        Files.write(dir.resolve("bad.csv"), "q\u00e9".getBytes(StandardCharsets.ISO_8859_1)),
                        "evil",
                        model),
                "UTF-8");
        assertRefused(() -> Rollouts.readCsv(dir.resolve("none.csv"), "evil", model), "none.csv");
    }

    private static void assertRefused(org.junit.jupiter.api.function.Executable job, String part) {
        TillerException e = assertThrows(TillerException.class, job);
        assertTrue(e.getMessage().contains(part) && e.getMessage().lines().count() == 1, e.getMessage());
    }
}
