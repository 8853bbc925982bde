package dev.tiller.persona;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.engine.LoadOptions;
import dev.tiller.engine.Model;
import dev.tiller.loader.Json;
import dev.tiller.loader.Safetensors;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TensorView;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Extraction, filter, projections and increments against the reference numbers of two small models. */
class PersonaFixturesTest {
    private static final double VECTOR_TOLERANCE = 2e-5;
    private static final double PROJECTION_TOLERANCE = 1e-4;

    @ParameterizedTest
    @CsvSource({
        "stories260k, fixtures/persona/stories260k/model, scalar",
        "stories260k, fixtures/persona/stories260k/model, simd",
        "qwen2, fixtures/architectures/qwen2, scalar",
        "qwen2, fixtures/architectures/qwen2, simd"
    })
    void agrees(String name, String modelPath, String backend) {
        Path dir = SharedFiles.require("fixtures/persona/" + name);
        List<Rollout> pos = FixtureRows.read(dir, Pole.POS);
        List<Rollout> neg = FixtureRows.read(dir, Pole.NEG);
        try (Safetensors expected = Safetensors.open(dir.resolve("expected.safetensors"));
                Model model = Model.load(SharedFiles.require(modelPath), LoadOptions.DEFAULT.withBackend(backend))) {
            for (int threshold : new int[] {50, 60}) {
                PersonaVector v =
                        Extraction.run(model, "gloom", pos, neg, new ExtractionOptions(threshold), Progress.NONE);
                assertEquals(FixtureRows.kept(dir, threshold), v.keptPairs());
                assertEquals(14, v.totalPairs());
                assertTrue(v.judged());
                compareVectors(expected, "threshold_" + threshold + ".", v, referenceNoise(dir));
                if (threshold == 50) {
                    compareIncrements(expected, v);
                    compareProjections(expected, "projection.pos.", model, v, pos);
                    compareProjections(expected, "projection.neg.", model, v, neg);
                }
            }
        }
    }

    @Test
    void tablesGiveTheSameTokensAndPairs() {
        Path dir = SharedFiles.require("fixtures/persona/stories260k");
        try (Model model = Model.load(dir.resolve("model"))) {
            for (Pole pole : Pole.values()) {
                List<Rollout> expected = FixtureRows.read(dir, pole);
                List<Rollout> found =
                        Rollouts.readCsv(dir.resolve("gloom_" + pole.key() + "_instruct.csv"), "gloom", model);
                assertEquals(expected.size(), found.size());
                for (int i = 0; i < expected.size(); i++) {
                    assertArrayEquals(expected.get(i).ids(), found.get(i).ids(), "row " + i);
                    assertEquals(expected.get(i).promptLength(), found.get(i).promptLength(), "row " + i);
                    assertEquals(expected.get(i).scores(), found.get(i).scores(), "row " + i);
                    assertEquals(pole, found.get(i).pole());
                }
            }
            List<Rollout> pos = Rollouts.readCsv(dir.resolve("gloom_pos_instruct.csv"), "gloom", model);
            List<Rollout> neg = Rollouts.readCsv(dir.resolve("gloom_neg_instruct.csv"), "gloom", model);
            assertEquals(
                    FixtureRows.kept(dir, 60),
                    Extraction.run(model, "gloom", pos, neg, new ExtractionOptions(60), Progress.NONE)
                            .keptPairs());
        }
    }

    /** The reference's rows are H[0]..H[L-1] and then the state after the final norm; the true H[L] is a tensor apart. */
    private static void compareVectors(Safetensors expected, String prefix, PersonaVector v, double noise) {
        for (PersonaVector.Pooled which : PersonaVector.Pooled.values()) {
            String tensor = prefix + which.name().toLowerCase(Locale.ROOT) + "_diff";
            float[][] rows = rows(expected.tensor(tensor));
            assertEquals(v.blocks() + 1, rows.length);
            float[][] found = v.rows(which);
            for (int l = 0; l < v.blocks(); l++) {
                if (which != PersonaVector.Pooled.PROMPT_LAST || maxAbs(found[l], rows[l]) > noise) {
                    close(found[l], rows[l], tensor + " row " + l);
                }
            }
            close(found[v.blocks() + 1], rows[v.blocks()], tensor + " after the final norm");
            close(
                    found[v.blocks()],
                    expected.tensor(tensor + "_true_residual_last_block").toFloats(),
                    tensor + " true residual");
        }
    }

    /**
     * Largest error that the reference states for its own float32 vectors. At the last prompt token the poles of
     * stories260k nearly cancel (norm 0.05 out of 8), and this noise alone is up to 2e-5 of what remains: exact arithmetic is
     * as far from the reference as that. There, agreement to within the noise is all that can be asked.
     */
    private static double referenceNoise(Path dir) {
        return Json.readObject(dir.resolve("expected.json"))
                .getAsJsonObject("float32_vs_float64")
                .get("response_avg_diff_max_abs")
                .getAsDouble();
    }

    private static double maxAbs(float[] a, float[] b) {
        return IntStream.range(0, a.length)
                .mapToDouble(i -> Math.abs(a[i] - b[i]))
                .max()
                .orElse(0);
    }

    private static void compareIncrements(Safetensors expected, PersonaVector v) {
        float[][] published = published(v);
        float[][] found = PersonaVector.increments(published);
        float[][] rows = rows(expected.tensor("incremental"));
        float[][] fromZero = rows(expected.tensor("incremental_from_zero"));
        for (int l = 0; l < rows.length; l++) {
            close(found[l], rows[l], "incremental row " + l);
        }
        float[][] foundFromZero = PersonaVector.increments(Arrays.copyOfRange(published, 1, published.length));
        for (int l = 1; l < fromZero.length; l++) {
            close(foundFromZero[l - 1], fromZero[l], "incremental from zero, row " + l);
        }
        // Blocks count from zero too, except that the last one uses the true residual.
        for (int b = 0; b < v.blocks() - 1; b++) {
            close(v.incremental().perBlock().get(b), fromZero[b + 1], "incremental block " + b);
        }
    }

    private static void compareProjections(
            Safetensors expected, String prefix, Model model, PersonaVector v, List<Rollout> rollouts) {
        List<Monitor.Reading> readings =
                Monitor.read(model, v, rollouts.stream().map(Rollout::text).toList());
        float[][] proj = rows(expected.tensor(prefix + "proj"));
        float[][] cosine = rows(expected.tensor(prefix + "cos_sim"));
        float[][] last = rows(expected.tensor(prefix + "prompt_last_proj"));
        int[] published =
                IntStream.range(0, v.blocks() + 2).filter(l -> l != v.blocks()).toArray();
        for (int i = 0; i < proj.length; i++) {
            Monitor.Reading r = readings.get(i);
            compareRow(proj[i], r.response(), published, prefix + "proj row " + i);
            compareRow(cosine[i], r.cosine(), published, prefix + "cos_sim row " + i);
            compareRow(last[i], r.promptLast(), published, prefix + "prompt_last_proj row " + i);
        }
    }

    private static void compareRow(float[] expected, double[] found, int[] levels, String what) {
        double[] some = Arrays.stream(levels).mapToDouble(l -> found[l]).toArray();
        double[] wide = IntStream.range(0, expected.length)
                .mapToDouble(i -> expected[i])
                .toArray();
        assertArrayEquals(wide, some, PROJECTION_TOLERANCE, what);
    }

    /** The rows that published files have: without the true residual of the last block. */
    private static float[][] published(PersonaVector v) {
        float[][] all = v.rows(PersonaVector.Pooled.RESPONSE_AVG);
        return IntStream.range(0, all.length)
                .filter(l -> l != v.blocks())
                .mapToObj(l -> all[l])
                .toArray(float[][]::new);
    }

    static float[][] rows(TensorView t) {
        float[][] out = new float[t.rows()][t.columns()];
        for (int i = 0; i < out.length; i++) {
            t.copyTo((long) i * t.columns(), out[i], 0, t.columns());
        }
        return out;
    }

    static void close(float[] found, float[] expected, String what) {
        double l2 = FixtureRows.relativeL2(found, expected);
        assertTrue(l2 <= VECTOR_TOLERANCE, () -> what + ": relative L2 " + l2);
    }
}
