package dev.tiller.persona;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.engine.Activations;
import dev.tiller.engine.LoadOptions;
import dev.tiller.engine.Model;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.Safetensors;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.methods.PrincipalComponent;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Principal components, answer letters and prompt differences against the reference numbers of two small models. */
class MethodsFixturesTest {
    private static final int PAIRS = 13;
    private static final double COSINE = 1e-6;

    @ParameterizedTest
    @CsvSource({
        "stories260k, fixtures/persona/stories260k/model, scalar",
        "stories260k, fixtures/persona/stories260k/model, simd",
        "qwen2, fixtures/architectures/qwen2, scalar",
        "qwen2, fixtures/architectures/qwen2, simd"
    })
    void agrees(String name, String modelPath, String backend) {
        Path dir = SharedFiles.require("fixtures/persona/" + name);
        List<Rollout> pos = FixtureRows.read(dir, Pole.POS).subList(0, PAIRS);
        List<Rollout> neg = FixtureRows.read(dir, Pole.NEG).subList(0, PAIRS);
        try (Safetensors expected = Safetensors.open(dir.resolve("expected.safetensors"));
                Model model = Model.load(SharedFiles.require(modelPath), LoadOptions.DEFAULT.withBackend(backend))) {
            float[][] diff = PersonaFixturesTest.rows(expected.tensor("repeng.pca_diff"));
            float[][] centre = PersonaFixturesTest.rows(expected.tensor("repeng.pca_center"));
            double[][][] p = lastTokens(model, pos);
            double[][][] n = lastTokens(model, neg);
            for (int b = 0; b < model.spec().blocks(); b++) {
                same(diff[b], PrincipalComponent.ofDifferences(p[b], n[b]).direction(), "pca_diff, block " + b);
                same(centre[b], PrincipalComponent.centred(p[b], n[b]).direction(), "pca_center, block " + b);
            }
            float[][] caa = PersonaFixturesTest.rows(expected.tensor("caa.position_minus_2"));
            double[] norms = new double[model.spec().blocks()];
            float[][] found = AnswerLetters.difference(model, lastButOne(pos), lastButOne(neg), norms, Progress.NONE);
            for (int b = 0; b < found.length; b++) {
                PersonaFixturesTest.close(found[b], caa[b], "caa, block " + b);
                assertTrue(norms[b] > 0);
            }
        }
    }

    /** [L][n][d] the last token at the output of every block, of the last block after the final norm, as published. */
    private static double[][][] lastTokens(Model model, List<Rollout> rollouts) {
        double[][][] out = new double[model.spec().blocks()][rollouts.size()][];
        int d = model.spec().width();
        for (int i = 0; i < rollouts.size(); i++) {
            int[] ids = rollouts.get(i).ids();
            Activations a = model.residuals(ids, ids.length, SteeringPlan.NONE);
            for (int b = 0; b < out.length; b++) {
                float[] rows = b == out.length - 1 ? a.finalNorm() : a.residPost()[b];
                out[b][i] = AnswerResiduals.wide(Arrays.copyOfRange(rows, (ids.length - 1) * d, ids.length * d));
            }
        }
        return out;
    }

    private static List<AnswerLetters.Lettered> lastButOne(List<Rollout> rollouts) {
        return rollouts.stream()
                .map(r -> new AnswerLetters.Lettered(r.ids(), r.ids().length - 2))
                .toList();
    }

    private static void same(float[] expected, double[] found, String what) {
        double cosine = 0;
        for (int i = 0; i < expected.length; i++) {
            cosine += expected[i] * found[i];
        }
        assertEquals(1, cosine / Vectors.norm(expected), COSINE, what);
    }

    @Test
    void everyMethodMakesAVectorOfAnswers() {
        Path dir = SharedFiles.require("fixtures/persona/stories260k");
        List<Rollout> pos = FixtureRows.read(dir, Pole.POS);
        List<Rollout> neg = FixtureRows.read(dir, Pole.NEG);
        try (Model model = Model.load(dir.resolve("model"))) {
            AnswerResiduals answers = AnswerResiduals.of(model, "gloom", pos, neg, 50, Progress.NONE);
            PersonaVector mean = Extraction.run(model, "gloom", pos, neg, ExtractionOptions.DEFAULT, Progress.NONE);
            for (Method m : Method.values()) {
                if (!m.fromAnswers()) {
                    assertThrows(TillerException.class, () -> ExtractionOptions.DEFAULT.with(m));
                    continue;
                }
                PersonaVector v = answers.vector(ExtractionOptions.DEFAULT.with(m));
                assertEquals(m, v.method());
                for (int b = 0; b < v.blocks(); b++) {
                    if (m == Method.MEAN) {
                        assertEquals(0, Arrays.compare(mean.residPost(b), v.residPost(b)));
                    } else {
                        assertEquals(1, Vectors.norm(v.residPost(b)), 1e-6);
                    }
                    assertTrue(
                            m == Method.PCA_DIFF || Vectors.dot(v.residPost(b), mean.residPost(b)) > 0,
                            m + " points away from the positive answers");
                }
            }
        }
    }

    @Test
    void promptDifferencesArePaddedAndPerPosition() {
        try (Model model = Microworld.load()) {
            int d = model.spec().width();
            int[] pos = model.encode("a good sunny day");
            int[] neg = model.encode("rain");
            int pad = PromptDifference.padding(model);
            VectorContent v = PromptDifference.run(model, "sun", pos, neg, pad);
            int[] padded = Arrays.copyOf(neg, pos.length);
            Arrays.fill(padded, neg.length, pos.length, pad);
            Activations a = model.activations(pos, pos.length, SteeringPlan.NONE);
            Activations b = model.activations(padded, pos.length, SteeringPlan.NONE);
            for (int l = 0; l < model.spec().blocks(); l++) {
                float[][] rows = v.directions().get(l);
                assertEquals(pos.length, rows.length);
                for (int i = 0; i < rows.length * d; i++) {
                    float expected = PromptMetadata.level(a, l)[i] - PromptMetadata.level(b, l)[i];
                    assertEquals(expected, rows[i / d][i % d], 0);
                }
            }
            assertThrows(TillerException.class, () -> PromptDifference.run(model, "same", pos, pos.clone(), pad));
            assertThrows(TillerException.class, () -> PromptDifference.run(model, "none", pos, new int[0], pad));
            assertTrue(new TreeMap<>(v.metadata()).get("method").contains("\"padding\":" + pad));
        }
    }

    /** Added where its own prompt lies, h(p-) + (h(p+) - h(p-)) is h(p+): the rest of the pass is that of the other prompt. */
    @Test
    void aPromptDifferenceTurnsOnePromptIntoTheOther() {
        try (Model model = Microworld.load()) {
            int[] pos = model.encode("What do you think of my long holiday?");
            int[] neg = model.encode("Give me your");
            VectorContent v = PromptDifference.run(model, "turn", pos, neg, PromptDifference.padding(model));
            int[] padded = Arrays.copyOf(neg, pos.length);
            Arrays.fill(padded, neg.length, pos.length, PromptDifference.padding(model));
            for (int block : new int[] {1, 4, 7}) {
                SteeringPlan plan =
                        SteeringPlan.of(dev.tiller.engine.Edit.of(dev.tiller.engine.Op.ADD, v.steering("turn", null))
                                .blocks(List.of(block))
                                .sites(List.of(dev.tiller.engine.Site.RESID_PRE))
                                .span(new dev.tiller.engine.Span.Range(0, pos.length))
                                .build());
                float[] steered = model.activations(padded, pos.length, plan).logits();
                float[] wanted =
                        model.activations(pos, pos.length, SteeringPlan.NONE).logits();
                double l2 = FixtureRows.relativeL2(steered, wanted);
                assertTrue(l2 < 1e-4, "block " + block + ": relative L2 " + l2);
            }
        }
    }
}
