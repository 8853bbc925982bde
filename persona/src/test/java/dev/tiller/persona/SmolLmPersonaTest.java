package dev.tiller.persona;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.engine.LoadOptions;
import dev.tiller.engine.Model;
import dev.tiller.loader.Json;
import dev.tiller.loader.Safetensors;
import dev.tiller.loader.SharedFiles;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;

/** The vector of a real model from two finished tables of rollouts. */
class SmolLmPersonaTest {
    private static final double TOLERANCE = 1e-4;

    @Test
    void theCheerfulDirectionAgreesWithTheReference() {
        Path dir = SharedFiles.require("models/smollm2-135m-instruct");
        try (Safetensors goldens = Safetensors.open(dir.resolve("goldens.safetensors"));
                Model model = Model.load(dir.resolve("SmolLM2-135M-Instruct.Q4_1.gguf"), LoadOptions.DEFAULT)) {
            List<Rollout> pos = Rollouts.readCsv(dir.resolve("cheerful_pos_instruct.csv"), "cheerful", model);
            List<Rollout> neg = Rollouts.readCsv(dir.resolve("cheerful_neg_instruct.csv"), "cheerful", model);
            PersonaVector v = Extraction.run(model, "cheerful", pos, neg, ExtractionOptions.DEFAULT, Progress.NONE);
            int[] kept = FixtureRows.ints(
                    Json.readObject(dir.resolve("goldens.json")).getAsJsonArray("kept_rows"));
            assertEquals(Arrays.stream(kept).boxed().toList(), v.keptPairs());
            for (PersonaVector.Pooled which : PersonaVector.Pooled.values()) {
                String name = "persona." + which.name().toLowerCase(Locale.ROOT) + "_diff";
                float[][] expected = PersonaFixturesTest.rows(goldens.tensor(name));
                for (int l = 0; l < expected.length; l++) {
                    float[] found = v.rows(which)[l < v.blocks() ? l : l + 1];
                    double l2 = FixtureRows.relativeL2(found, expected[l]);
                    String what = name + " row " + l;
                    assertTrue(l2 <= TOLERANCE, () -> what + ": relative L2 " + l2);
                }
            }
        }
    }
}
