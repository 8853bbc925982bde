package dev.tiller.persona.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.tiller.engine.Site;
import dev.tiller.loader.Json;
import dev.tiller.loader.Safetensors;
import dev.tiller.loader.SafetensorsWriter;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TensorView;
import dev.tiller.persona.VectorContent;
import dev.tiller.persona.VectorFile;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Baked weights do what steering does: the program's own comparison, and what it must refuse. */
class BakeCommandTest {
    @TempDir
    Path dir;

    private static String model(String name) {
        return SharedFiles.require("fixtures/architectures/" + name).toString();
    }

    private String vector(String op, long seed, int width, int... blocks) {
        Random random = new Random(seed);
        TreeMap<Integer, float[][]> map = new TreeMap<>();
        for (int b : blocks) {
            float[] v = new float[width];
            for (int i = 0; i < width; i++) {
                v[i] = (float) random.nextGaussian();
            }
            map.put(b, new float[][] {v});
        }
        Path file = dir.resolve("v" + seed + ".safetensors");
        VectorFile.write(file, new VectorContent(op, Site.RESID_POST, map, Map.of(), Map.of()));
        return file.toString();
    }

    private JsonObject parity(Path out) {
        JsonObject o = Json.readObject(out.resolve("parity.json"));
        assertTrue(o.get("ok").getAsBoolean(), o.toString());
        assertTrue(
                o.get("effect_of_steering").getAsDouble()
                        > 100 * o.get("relative_difference").getAsDouble(),
                o.toString());
        return o;
    }

    /** Sharded, tied and biased models, two families; exact with float32, close with the stored 16 bits. */
    @ParameterizedTest
    @CsvSource({
        "llama, orthogonal, 1",
        "qwen2, orthogonal, 2",
        "llama_bias, orthogonal, 3",
        "llama, lora, 4",
        "qwen2, lora, 5",
        "llama, bias, 6",
        "llama_bias, bias, 7"
    })
    void bakedModelsDoWhatSteeredOnesDo(String name, String form, long seed) {
        Path model = Path.of(model(name));
        int d = Json.integer(Json.readObject(model.resolve("config.json")), "hidden_size", "config");
        Path out = dir.resolve("baked");
        boolean bias = form.equals("bias");
        String v = bias ? vector("add", seed, d, 0, 2) : vector("ablate", seed, d, 1);
        CliRun.of(
                        "bake",
                        "--quiet",
                        "--model",
                        model.toString(),
                        "--vector",
                        v,
                        "--as",
                        form,
                        "--out",
                        out.toString(),
                        "--f32")
                .ok();
        assertTrue(parity(out).get("relative_difference").getAsDouble() < 2e-5);
    }

    @Test
    void sixteenBitsAreRounded() {
        Path out = dir.resolve("baked");
        int d = Json.integer(
                Json.readObject(Path.of(model("llama_bias")).resolve("config.json")), "hidden_size", "config");
        String v = vector("ablate", 8, d, 1);
        CliRun.of(
                        "bake",
                        "--quiet",
                        "--model",
                        model("llama_bias"),
                        "--vector",
                        v,
                        "--as",
                        "orthogonal",
                        "--out",
                        out.toString())
                .ok();
        JsonObject o = Json.readObject(out.resolve("parity.json"));
        assertEquals(3e-2, o.get("tolerance").getAsDouble());
        assertTrue(o.get("relative_difference").getAsDouble() > 1e-6, o.toString());
        CliRun strict = CliRun.of(
                "bake",
                "--quiet",
                "--model",
                model("llama_bias"),
                "--vector",
                v,
                "--as",
                "orthogonal",
                "--out",
                dir.resolve("strict").toString(),
                "--tolerance",
                "1e-7");
        assertEquals(1, strict.code());
        assertTrue(strict.out().contains("FAILED"), strict.out());
    }

    @Test
    void whatCannotBeBakedIsRefused() {
        String add = vector("add", 1, 56, 1, 2);
        String out = dir.resolve("out").toString();
        String qwen = model("qwen2");
        CliRun.of("bake", "--quiet", "--model", qwen, "--vector", add, "--as", "bias", "--out", out)
                .failsWith("qwen2", "no bias");
        CliRun.of("bake", "--quiet", "--model", qwen, "--vector", add, "--as", "orthogonal", "--out", out)
                .failsWith("made for add", "--force");
        CliRun.of("bake", "--quiet", "--model", qwen, "--vector", add, "--as", "orthogonal", "--out", out, "--force")
                .failsWith("--block");
        CliRun.of(
                        "bake",
                        "--quiet",
                        "--model",
                        qwen,
                        "--vector",
                        add,
                        "--as",
                        "lora",
                        "--block",
                        "7",
                        "--force",
                        "--out",
                        out)
                .failsWith("no block 7");
        CliRun.of("bake", "--quiet", "--vector", add, "--as", "bias", "--out", out)
                .failsWith("width 56", "192");
        String ablate = vector("ablate", 2, 56, 1);
        CliRun.of("bake", "--quiet", "--model", qwen, "--vector", ablate, "--as", "lora", "--out", dir.toString())
                .failsWith("not empty");
        String wide = vector("ablate", 3, 64, 1);
        CliRun.of("bake", "--quiet", "--model", model("olmo2"), "--vector", wide, "--as", "orthogonal", "--out", out)
                .failsWith("[llama, qwen2], found olmo2");
    }

    /** A tolerance says nothing where the steering changes less than that: as near as no steering is not near. */
    @Test
    void steeringThatIsLostInRoundingFails() {
        String qwen = model("qwen2");
        String v = vector("ablate", 4, 56, 1);
        String out = dir.resolve("coefficient").toString();
        String[] bake = {
            "bake", "--quiet", "--model", qwen, "--vector", v, "--as", "lora", "--out", out, "--coefficient"
        };
        String[] two = java.util.Arrays.copyOf(bake, bake.length + 1);
        two[bake.length] = "2";
        CliRun.of(two).failsWith("--coefficient 2.0", "--as bias only");
        String small = "1e-20";
        int d = dev.tiller.loader.Json.integer(
                Json.readObject(Path.of(model("llama_bias")).resolve("config.json")), "hidden_size", "config");
        String add = vector("add", 4, d, 1);
        String folder = dir.resolve("small").toString();
        CliRun run = CliRun.of(
                "bake",
                "--quiet",
                "--model",
                model("llama_bias"),
                "--vector",
                add,
                "--as",
                "bias",
                "--out",
                folder,
                "--coefficient",
                small);
        assertEquals(1, run.code());
        assertTrue(run.out().contains("as near"), run.out() + run.err());
        String none = dir.resolve("none").toString();
        CliRun.of(
                        "bake",
                        "--quiet",
                        "--model",
                        model("llama_bias"),
                        "--vector",
                        add,
                        "--as",
                        "bias",
                        "--out",
                        none,
                        "--coefficient",
                        "NaN")
                .failsWith("--coefficient NaN", "a number other than 0");
        assertFalse(java.nio.file.Files.exists(Path.of(none)));
    }

    /** A wrong adapter must not pass: the comparison is made with what was written. */
    @Test
    void theComparisonReadsTheAdapter() throws Exception {
        Path out = dir.resolve("adapter");
        String v = vector("ablate", 3, 56, 1);
        CliRun.of("bake", "--quiet", "--model", model("qwen2"), "--vector", v, "--as", "lora", "--out", out.toString())
                .ok();
        double good = parity(out).get("relative_difference").getAsDouble();
        Path file = out.resolve("adapter_model.safetensors");
        SafetensorsWriter writer = new SafetensorsWriter();
        try (Safetensors read = Safetensors.open(file)) {
            assertEquals(2 * (2 * 4 + 1), read.tensors().size());
            for (TensorView t : read.tensors().values()) {
                float[] values = t.toFloats();
                for (int i = 0; i < values.length && t.name().contains("layers.2.mlp"); i++) {
                    values[i] *= 0.9f;
                }
                writer.add(t.name(), t.shape(), values);
            }
        }
        writer.write(file);
        try (dev.tiller.engine.Model model = dev.tiller.engine.Model.load(Path.of(model("qwen2")))) {
            float[] direction = VectorFile.read(Path.of(v)).content().at(1);
            double bad = dev.tiller.persona.bake.Bake.parity(
                            model, dev.tiller.persona.bake.Bake.ablation(direction), out, dev.tiller.engine.Model::load)
                    .relative();
            assertTrue(bad > 100 * good, bad + " and " + good);
        }
    }
}
