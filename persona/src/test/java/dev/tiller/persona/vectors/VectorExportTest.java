package dev.tiller.persona.vectors;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.engine.Site;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.gguf.Gguf;
import dev.tiller.loader.gguf.GgufTensor;
import dev.tiller.loader.torch.TorchFile;
import dev.tiller.persona.VectorContent;
import dev.tiller.persona.VectorFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VectorExportTest {
    @TempDir
    Path dir;

    private static float[] random(Random random, int d) {
        float[] out = new float[d];
        for (int i = 0; i < d; i++) {
            // Any finite bits: values must survive as they are, the smallest and the largest too.
            do {
                out[i] = Float.intBitsToFloat(random.nextInt());
            } while (!Float.isFinite(out[i]));
        }
        return out;
    }

    /** Blocks 0..n-1, with the rows before and after. */
    private static VectorContent vector(long seed, String op, int n) {
        Random random = new Random(seed);
        TreeMap<Integer, float[][]> blocks = new TreeMap<>();
        for (int b = 0; b < n; b++) {
            blocks.put(b, new float[][] {random(random, 7)});
        }
        Map<String, String> metadata = new HashMap<>();
        metadata.put("model", "{\"type\":\"llama\",\"hidden_size\":7,\"blocks\":" + n + "}");
        metadata.put("trait", "kind");
        metadata.put("alpha", "{\"default\":0.5}");
        Map<String, float[]> extras = Map.of("embedding", random(random, 7), "final_norm", random(random, 7));
        return new VectorContent(op, Site.RESID_POST, blocks, extras, metadata);
    }

    private static void assertBits(float[] expected, float[] found) {
        assertEquals(expected.length, found.length);
        for (int i = 0; i < expected.length; i++) {
            assertEquals(Float.floatToRawIntBits(expected[i]), Float.floatToRawIntBits(found[i]), "at " + i);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void controlVectorsThereAndBack(long seed) {
        VectorContent v = vector(seed, "add", 12);
        Path file = dir.resolve("v.gguf");
        List<String> notes = VectorExport.gguf(v, file, false);
        assertTrue(notes.toString().contains("block 0 is left out"), notes.toString());
        assertTrue(notes.toString().contains("0.5"), notes.toString());
        try (Gguf read = Gguf.open(file)) {
            assertEquals(
                    "controlvector",
                    read.metadata().string("general.architecture").orElseThrow());
            assertEquals(
                    "llama", read.metadata().string("controlvector.model_hint").orElseThrow());
            assertEquals(
                    11, read.metadata().integer("controlvector.layer_count").orElseThrow());
            assertFalse(read.metadata().isSigned("controlvector.layer_count"));
            List<String> names = read.tensors().stream().map(GgufTensor::name).toList();
            assertEquals("direction.1", names.getFirst());
            assertEquals("direction.11", names.getLast());
        }
        VectorContent back = VectorImport.read(file, ImportOptions.from(null)).content();
        assertEquals(v.blocks().subList(1, 12), back.blocks());
        back.blocks().forEach(b -> assertBits(v.at(b), back.at(b)));
        assertEquals("kind", back.metadata().get("trait"));
        assertEquals("{\"default\":0.5}", back.metadata().get("alpha"));
    }

    @Test
    void onlyAdditionsBecomeControlVectors() {
        Path file = dir.resolve("v.gguf");
        VectorContent ablate = vector(1, "ablate", 3);
        refused(() -> VectorExport.gguf(ablate, file, false), "op ablate", "--force");
        assertFalse(Files.exists(file));
        VectorExport.gguf(ablate, file, true);
        assertEquals(
                "ablate",
                VectorImport.read(file, ImportOptions.from(null)).content().op());
        refused(() -> VectorExport.gguf(vector(1, "add", 1), file, false), "only block 0");
        VectorContent v = vector(1, "add", 3);
        VectorContent pre = new VectorContent("add", Site.RESID_PRE, v.directions(), Map.of(), v.metadata());
        refused(() -> VectorExport.gguf(pre, file, false), "resid_pre");
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void personaVectorsThereAndBack(long seed) {
        VectorContent v = vector(seed, "add", 5);
        Path file = dir.resolve("v_response_avg_diff.pt");
        List<String> notes = VectorExport.torch(v, file, false, null);
        assertTrue(notes.toString().contains("block 4 is left out"), notes.toString());
        try (TorchFile read = TorchFile.open(file)) {
            assertArrayEquals(new long[] {6, 7}, read.tensors().get("").shape());
        }
        VectorContent back = VectorImport.read(file, ImportOptions.from(null)).content();
        assertEquals(List.of(0, 1, 2, 3), back.blocks());
        back.blocks().forEach(b -> assertBits(v.at(b), back.at(b)));
        assertBits(v.extras().get("embedding"), back.extras().get("embedding"));
        assertBits(v.extras().get("final_norm"), back.extras().get("final_norm"));
        Path again = dir.resolve("again.pt");
        VectorFile.write(dir.resolve("v.safetensors"), back);
        VectorExport.torch(VectorFile.read(dir.resolve("v.safetensors")).content(), again, false, null);
        try (TorchFile a = TorchFile.open(file);
                TorchFile b = TorchFile.open(again)) {
            assertBits(a.tensors().get("").toFloats(), b.tensors().get("").toFloats());
        }
    }

    @Test
    void missingRowsAreNamed() {
        VectorContent v = vector(1, "add", 5);
        VectorContent some =
                new VectorContent("add", Site.RESID_POST, v.directions().subMap(1, 3), Map.of(), v.metadata());
        Path file = dir.resolve("v.pt");
        refused(() -> VectorExport.torch(some, file, false, null), "0 (embedding), 1, 4, 5 (after", "--missing zero");
        VectorExport.torch(some, file, true, null);
        try (TorchFile read = TorchFile.open(file)) {
            float[] all = read.tensors().get("").toFloats();
            assertArrayEquals(new float[14], java.util.Arrays.copyOf(all, 14));
            assertBits(some.at(1), java.util.Arrays.copyOfRange(all, 14, 21));
        }
        VectorContent unknown = some.withMetadata(Map.of());
        refused(() -> VectorExport.torch(unknown, file, true, null), "--blocks");
        refused(() -> VectorExport.torch(unknown, file, true, 2), "block 2");
    }

    @Test
    void fixturesThereAndBack() {
        Path persona = SharedFiles.require("fixtures/persona/qwen2/persona_vectors/gloom_response_avg_diff.pt");
        Path file = dir.resolve("p.pt");
        VectorExport.torch(VectorImport.read(persona, ImportOptions.from(null)).content(), file, false, null);
        try (TorchFile a = TorchFile.open(persona);
                TorchFile b = TorchFile.open(file)) {
            assertBits(a.tensors().get("").toFloats(), b.tensors().get("").toFloats());
        }
        Path steer = SharedFiles.require("fixtures/formats/torch/lm_eval_steer.pt");
        Path out = dir.resolve("steer.pt");
        VectorFile.write(
                dir.resolve("s.safetensors"),
                VectorImport.read(steer, ImportOptions.from(null)).content());
        VectorExport.lmEval(VectorFile.read(dir.resolve("s.safetensors")).content(), out, null, null);
        try (TorchFile a = TorchFile.open(steer);
                TorchFile b = TorchFile.open(out)) {
            assertEquals(a.tensors().keySet(), b.tensors().keySet());
            a.tensors()
                    .forEach((k, t) ->
                            assertBits(t.toFloats(), b.tensors().get(k).toFloats()));
            for (String module : Set.of("layers.1", "layers.2")) {
                Map<?, ?> x = (Map<?, ?>) ((Map<?, ?>) a.root()).get(module);
                Map<?, ?> y = (Map<?, ?>) ((Map<?, ?>) b.root()).get(module);
                assertEquals(x.get("steering_coefficient"), y.get("steering_coefficient"));
                assertEquals(x.get("action"), y.get("action"));
            }
        }
    }

    @Test
    void steerFilesSayOnlyWhatTheyCan() {
        Path file = dir.resolve("s.pt");
        VectorExport.lmEval(vector(1, "add", 2), file, "model.layers.{b}.x", 3.0);
        try (TorchFile read = TorchFile.open(file)) {
            Map<?, ?> entry = (Map<?, ?>) ((Map<?, ?>) read.root()).get("model.layers.1.x");
            assertEquals(3.0, entry.get("steering_coefficient"));
            assertEquals("add", entry.get("action"));
        }
        refused(() -> VectorExport.lmEval(vector(1, "ablate", 2), file, null, null), "op ablate");
        refused(() -> VectorExport.lmEval(vector(1, "set", 2), file, null, null), "bounds");
        refused(() -> VectorExport.lmEval(vector(1, "add", 2), file, "layers", null), "{b}");
        VectorContent v = vector(1, "clamp", 1);
        VectorContent oneSided = v.withMetadata(Map.of("bounds", "{\"0\":{\"max\":2}}"));
        refused(() -> VectorExport.lmEval(oneSided, file, null, null), "one-sided");
    }

    private static void refused(org.junit.jupiter.api.function.Executable job, String... words) {
        TillerException e = assertThrows(TillerException.class, job);
        for (String word : words) {
            assertTrue(e.getMessage().contains(word), word + " in: " + e.getMessage());
        }
    }
}
