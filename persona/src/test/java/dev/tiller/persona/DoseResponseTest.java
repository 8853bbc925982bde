package dev.tiller.persona;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.engine.Amount;
import dev.tiller.engine.Edit;
import dev.tiller.engine.FinishReason;
import dev.tiller.engine.Generation;
import dev.tiller.engine.GenerationRequest;
import dev.tiller.engine.Model;
import dev.tiller.engine.SamplingOptions;
import dev.tiller.engine.Site;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.SteeringVector;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.template.Message;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DoseResponseTest {
    private static final List<String> PROMPTS = List.of("How will my plan go?", "Will the boat be ready?");

    private static Model model;

    @TempDir
    private Path folder;

    @BeforeAll
    static void load() {
        model = Microworld.load();
    }

    @AfterAll
    static void close() {
        model.close();
    }

    private SteeringVector vector(long seed) {
        Path file = CalibratorTest.vectorFile(
                folder.resolve("dose" + seed + ".safetensors"), model, seed, "add", Site.RESID_POST, 3);
        return VectorFile.read(file).steering();
    }

    private DoseOptions options(long seed, Amount.Unit unit) {
        return new DoseOptions(
                "noise",
                vector(seed),
                3,
                unit,
                List.of(1.0, 0.0, -0.5),
                "You are an optimistic assistant.",
                PROMPTS,
                2,
                0.7,
                20,
                seed,
                2);
    }

    @Test
    void cellsAreWhatSingleRunsGive() {
        RuleJudge judge = Microworld.judge("optimistic");
        for (long seed : new long[] {1, 2}) {
            DoseOptions o = options(seed, Amount.Unit.VECTOR);
            DoseResponse.Result r = DoseResponse.run(model, o, judge, null, Progress.NONE);
            assertEquals(Optional.empty(), r.unjudged());
            assertEquals(2 + 2 + 2 * 2, r.cells().size());
            assertEquals(0, r.unsteered().kl());
            DoseCell one = r.of(DoseArm.Kind.VECTOR).get(1);
            assertEquals(1, one.arm().coefficient());
            check(one, o, SteeringPlan.of(Edit.add(o.vector(), 1, 3)), null, judge);
            check(r.of(DoseArm.Kind.PROMPT).getFirst(), o, SteeringPlan.NONE, o.instruction(), judge);
            for (DoseCell c : r.randomAt(-0.5)) {
                SteeringVector random = c.arm().plan().edits().getFirst().vector();
                assertEquals(
                        Vectors.norm(o.vector().at(Site.RESID_POST, 3)),
                        Vectors.norm(random.at(Site.RESID_POST, 3)),
                        1e-5);
                assertEquals(-0.5, c.applied());
                check(c, o, c.arm().plan(), null, judge);
            }
            assertFalse(Arrays.equals(
                    random(r, 0).at(Site.RESID_POST, 3), random(r, 1).at(Site.RESID_POST, 3)));
        }
    }

    private static SteeringVector random(DoseResponse.Result r, int i) {
        return r.randomAt(1).get(i).arm().plan().edits().getFirst().vector();
    }

    /** One cell again, answer by answer. */
    private static void check(DoseCell cell, DoseOptions o, SteeringPlan plan, String system, Judge judge) {
        double trait = 0;
        double coherence = 0;
        double kl = 0;
        double likelihood = 0;
        double repetition = 0;
        int tokens = 0;
        int v = model.spec().vocabulary();
        for (int p = 0; p < PROMPTS.size(); p++) {
            int[] plain = model.chat(List.of(new Message("user", PROMPTS.get(p))));
            int[] prompt = system == null
                    ? plain
                    : model.chat(List.of(new Message("system", system), new Message("user", PROMPTS.get(p))));
            Generation g = model.generate(new GenerationRequest(
                    prompt, plan, SamplingOptions.temperature(0.7), Seeds.of(o.seed(), p), 20, false));
            Scores s = judge.score(PROMPTS.get(p), g.text(), g.finish() == FinishReason.STOP);
            trait += s.trait() / 2;
            coherence += s.coherence() / 2;
            repetition += DoseResponse.repetition(g.ids()) / 2;
            float[] a = logits(prompt, g.ids(), plan);
            float[] b = logits(plain, g.ids(), SteeringPlan.NONE);
            for (int t = 0; t < g.ids().length; t++) {
                double[] x = logDistribution(a, (prompt.length - 1 + t) * v, v);
                double[] y = logDistribution(b, (plain.length - 1 + t) * v, v);
                for (int i = 0; i < v; i++) {
                    kl += Math.exp(x[i]) * (x[i] - y[i]);
                }
                likelihood += y[g.ids()[t]];
                tokens++;
            }
        }
        assertEquals(trait, cell.trait(), 1e-9);
        assertEquals(coherence, cell.coherence(), 1e-9);
        assertEquals(repetition, cell.repetition(), 1e-9);
        assertEquals(tokens, cell.tokens());
        assertEquals(kl / tokens, cell.kl(), 1e-4 + 1e-3 * kl / tokens);
        assertEquals(Math.exp(-likelihood / tokens), cell.perplexity(), 1e-3 * cell.perplexity());
        assertTrue(cell.klWorst() >= cell.kl());
    }

    private static float[] logits(int[] prompt, int[] answer, SteeringPlan plan) {
        int[] ids = Arrays.copyOf(prompt, prompt.length + answer.length);
        System.arraycopy(answer, 0, ids, prompt.length, answer.length);
        return model.activations(ids, prompt.length, plan).logits();
    }

    private static double[] logDistribution(float[] logits, int from, int v) {
        double sum = 0;
        for (int i = 0; i < v; i++) {
            sum += Math.exp(logits[from + i]);
        }
        double[] out = new double[v];
        for (int i = 0; i < v; i++) {
            out[i] = logits[from + i] - Math.log(sum);
        }
        return out;
    }

    @Test
    void anInterruptedRunGoesOn() throws Exception {
        DoseOptions o = options(4, Amount.Unit.NORM);
        Path file = folder.resolve("answers.jsonl");
        String whole = new DoseReport(DoseResponse.run(model, o, null, null, Progress.NONE))
                .json()
                .toString();
        DoseResponse.run(model, o, null, file, Progress.NONE);
        String text = Files.readString(file);
        for (double part : new double[] {0.3, 0.75, 1}) {
            Files.writeString(file, text.substring(0, (int) (part * text.length())));
            int[] before = {-1};
            DoseResponse.Result r = DoseResponse.run(model, o, null, file, (what, done, total) -> {
                if (before[0] < 0) {
                    before[0] = (int) done;
                }
            });
            assertTrue(before[0] > 0, "finished answers are not computed again");
            assertEquals(whole, new DoseReport(r).json().toString());
        }
        TillerException other = assertThrows(
                TillerException.class,
                () -> DoseResponse.run(model, options(5, Amount.Unit.NORM), null, file, Progress.NONE));
        assertTrue(other.getMessage().contains("was made with"), other.getMessage());
        Files.writeString(file, "my precious notes");
        assertThrows(TillerException.class, () -> DoseResponse.run(model, o, null, file, Progress.NONE));
        assertEquals("my precious notes", Files.readString(file));
    }

    /** Rules that find the unsteered answers incoherent are for another kind of text: their scores are not shown. */
    @Test
    void aJudgeThatCannotJudgeIsNotBelieved() {
        Judge lost = new Judge() {
            @Override
            public Scores score(String question, String answer, boolean ended) {
                return new Scores(99.0, 12.0, 0.0);
            }

            @Override
            public String describe() {
                return "lost";
            }

            @Override
            public Optional<String> negName() {
                return Optional.empty();
            }
        };
        DoseResponse.Result r = DoseResponse.run(model, options(6, Amount.Unit.VECTOR), lost, null, Progress.NONE);
        assertTrue(r.unjudged().orElseThrow().contains("12.0"), r.unjudged().toString());
        assertTrue(r.cells().stream().allMatch(c -> Double.isNaN(c.trait()) && Double.isNaN(c.coherence())));
        for (DoseAdvice a : DoseAdvice.of(r)) {
            assertTrue(Double.isNaN(a.best()));
            assertTrue(a.why().contains("no trait scores"), a.why());
        }
    }

    @Test
    void repetitionIsTheShareOfRunsThatCameBefore() {
        assertEquals(0, DoseResponse.repetition(new int[] {1, 1, 1, 1}));
        assertEquals(0.5, DoseResponse.repetition(new int[] {1, 1, 1, 1, 1}));
        assertEquals(0, DoseResponse.repetition(new int[] {1, 2, 3, 4, 5, 6}));
        assertEquals(0.2, DoseResponse.repetition(new int[] {1, 2, 3, 4, 1, 2, 3, 4}), 1e-12);
    }

    @Test
    void gridsAreRead() {
        assertEquals(List.of(-1.0, 0.5, 2.0), DoseOptions.grid("-1,0.5, 2", "x"));
        assertEquals(List.of(-1.0, -0.5, 0.0, 0.5, 1.0, 3.0), DoseOptions.grid("-1..1:5,3", "x"));
        for (String bad : List.of("", "a", "1,,2", "1..2", "1..2:1", "1:3", "1..2:2.5", "NaN", "1e99")) {
            assertThrows(TillerException.class, () -> DoseOptions.grid(bad, "--coefficients"), bad);
        }
    }
}
