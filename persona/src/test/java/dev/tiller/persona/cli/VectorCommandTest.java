package dev.tiller.persona.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tiller.engine.Site;
import dev.tiller.loader.SharedFiles;
import dev.tiller.persona.VectorContent;
import dev.tiller.persona.VectorFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VectorCommandTest {
    private static final int WIDTH = 192;

    @TempDir
    Path dir;

    private String path(String name) {
        return dir.resolve(name).toString();
    }

    /** A vector of random directions for the bundled model. */
    private String vector(String name, String op, Map<String, String> metadata, int... blocks) {
        Random random = new Random(name.hashCode());
        TreeMap<Integer, float[][]> map = new TreeMap<>();
        for (int b : blocks) {
            float[] v = new float[WIDTH];
            for (int i = 0; i < WIDTH; i++) {
                v[i] = (float) random.nextGaussian();
            }
            map.put(b, new float[][] {v});
        }
        VectorFile.write(dir.resolve(name), new VectorContent(op, Site.RESID_POST, map, Map.of(), metadata));
        return path(name);
    }

    @Test
    void importExportAndInspect() {
        String repeng = SharedFiles.require("fixtures/formats/gguf/repeng.gguf").toString();
        String ours = path("v.safetensors");
        CliRun run = CliRun.of("vector", "import", repeng, "--out", ours);
        assertTrue(run.ok().contains("add at resid_post, blocks 1..3, width 56, from repeng"), run.out());
        CliRun.of("vector", "export", ours, "--to", "gguf", "--out", path("v.gguf"))
                .ok();
        CliRun.of("vector", "import", path("v.gguf"), "--out", path("w.safetensors"))
                .ok();
        VectorContent a = VectorFile.read(dir.resolve("v.safetensors")).content();
        VectorContent b = VectorFile.read(dir.resolve("w.safetensors")).content();
        a.blocks().forEach(block -> assertArrayEquals(a.at(block), b.at(block)));
        JsonObject json = JsonParser.parseString(
                        CliRun.of("vector", "inspect", ours, "--json").lines().getFirst())
                .getAsJsonObject();
        assertEquals("add", json.get("op").getAsString());
        assertEquals(3, json.getAsJsonArray("blocks").size());
        assertEquals(
                "repeng",
                json.getAsJsonObject("metadata")
                        .getAsJsonObject("source")
                        .get("tool")
                        .getAsString());
        assertTrue(CliRun.of("vector", "inspect", repeng).ok().contains("cosine"));
        CliRun.of("vector", "export", ours, "--to", "pt", "--out", path("v.pt")).failsWith("v.safetensors", "--blocks");
        CliRun.of("vector", "export", ours, "--to", "pt", "--out", path("v.pt"), "--blocks", "4", "--missing", "zero")
                .ok();
        CliRun.of("vector", "export", ours, "--to", "lm-eval", "--out", path("l.pt"))
                .ok();
        CliRun.of("vector", "export", ours, "--to", "npz", "--out", path("v.npz"))
                .failsWith("npz", "gguf, pt, lm-eval");
    }

    @Test
    void ambiguousFilesAskForTheTool() {
        String tuple = SharedFiles.require("fixtures/formats/torch/tuple.pt").toString();
        CliRun.of("vector", "import", tuple, "--out", path("v.safetensors"))
                .failsWith("tuple.pt", "--from TOOL", "persona-vectors", "caa");
        CliRun.of("vector", "import", tuple, "--from", "nobody", "--out", path("v.safetensors"))
                .failsWith("--from nobody", "steering-lite");
        assertFalse(Files.exists(dir.resolve("v.safetensors")));
        assertTrue(CliRun.of("vector", "import", tuple, "--from", "Persona_Vectors", "--out", path("v.safetensors"))
                .ok()
                .contains("blocks 0..2"));
    }

    @Test
    void verifyInTheRunningModel() {
        String good = vector("good.safetensors", "add", Map.of(), 0, 3, 7);
        CliRun run = CliRun.of("vector", "verify", good, "--quiet");
        assertEquals(4, run.lines().size());
        assertTrue(run.lines().get(1).contains("first response at H[4], expected H[4]"), run.out());
        assertTrue(run.out().contains("all 3 blocks respond"), run.out());
        CliRun beyond = CliRun.of("vector", "verify", vector("beyond.safetensors", "add", Map.of(), 3, 8), "--quiet");
        assertEquals(1, beyond.code());
        assertTrue(beyond.out().contains("the model has blocks 0..7"), beyond.out());
        String other = vector("other.safetensors", "add", Map.of("model", "{\"fingerprint\":\"feed\"}"), 3);
        CliRun.of("vector", "verify", other, "--quiet").failsWith("another model", "--force");
        CliRun.of("vector", "verify", other, "--quiet", "--force").ok();
        String qwen = SharedFiles.require("fixtures/architectures/qwen2").toString();
        CliRun.of("vector", "verify", good, "--quiet", "--model", qwen).failsWith("width 192", "56");
    }

    @Test
    void arithmetic() {
        String a = vector("a.safetensors", "add", Map.of(), 2, 3);
        String b = vector("b.safetensors", "add", Map.of(), 2, 3);
        CliRun.of(
                        "vector",
                        "arith",
                        "0.5*a + b - proj(a, b)",
                        "--vector",
                        "a=" + a,
                        "--vector",
                        "b=" + b,
                        "--out",
                        path("c.safetensors"),
                        "--name",
                        "c")
                .ok();
        assertEquals("c", VectorFile.read(dir.resolve("c.safetensors")).name());
        CliRun.of("vector", "arith", "a + nothing", "--vector", "a=" + a, "--out", path("d.safetensors"))
                .failsWith("\"nothing\" is not given");
        CliRun.of("vector", "arith", "a", "--vector", "a=" + path("none"), "--out", path("d.safetensors"))
                .failsWith("none", "no such file");
        CliRun.of("vector").failsWith("a subcommand is missing");
        assertTrue(CliRun.of("vector", "arith", "--help").ok().contains("random(a, SEED)"));
    }

    /** Another model's vector, and one for another operation, steer only when told to. */
    @Test
    void forceUsesVectorsOfOtherModelsAndOperations() throws IOException {
        String other = vector("other.safetensors", "add", Map.of("model", "{\"fingerprint\":\"feed\"}"), 3);
        generate("--steer", other + ":1@3").failsWith("other.safetensors", "another model");
        generate("--steer", other + ":1@3", "--force").ok();
        vector("gone.safetensors", "ablate", Map.of(), 3);
        String add = plan("add");
        generate("--steering", add).failsWith("made for the operation ablate", "the plan's op is add", "--force");
        String forced = generate("--steering", add, "--force").ok();
        assertFalse(forced.isEmpty());
        generate("--steering", plan("ablate")).ok();
        vector("gone.safetensors", "add", Map.of(), 3);
        generate("--steering", plan("ablate")).failsWith("made for the operation add", "the plan's op is ablate");
        generate("--steering", add).ok();
    }

    private String plan(String op) throws IOException {
        return Files.writeString(
                        dir.resolve(op + ".json"),
                        "{\"edits\": [{\"op\": \"" + op + "\", \"vector\": \"gone\", \"blocks\": [3]}]}")
                .toString();
    }

    private static CliRun generate(String... more) {
        return CliRun.of(
                Stream.concat(Stream.of("generate", "--quiet", "--ids", "1,2,3", "--max-tokens", "2"), Stream.of(more))
                        .toArray(String[]::new));
    }

    @Test
    void inspectJudgesFilesOfOtherTools() {
        Path folder = SharedFiles.require("fixtures/formats");
        for (String good : List.of("torch/half.pt", "torch/int64.pt", "torch/capping_config.pt", "gguf/repeng.gguf")) {
            String path = folder.resolve(good).toString();
            assertTrue(CliRun.of("inspect", path).ok().contains("holds"), good);
            assertTrue(CliRun.of("inspect", "--json", path).ok().contains("\"ok\":true"), good);
        }
        for (String bad :
                List.of("torch/evil_builtins_eval.pt", "torch/bad_huge_shape.pt", "gguf/broken_kv_count.gguf")) {
            CliRun run = CliRun.of("inspect", "--json", folder.resolve(bad).toString());
            assertEquals(1, run.code(), bad);
            assertTrue(run.out().contains("\"ok\":false"), run.out());
        }
    }
}
