package dev.tiller.loader.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.DType;
import dev.tiller.loader.Json;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GgufConversionTest {
    private static final GgufConversion.Watch NOBODY = (written, total) -> {};

    @TempDir
    Path folder;

    private Path model;
    private Path out;

    @BeforeEach
    void model() {
        model = TinyLlama.model().write(folder);
        out = folder.resolve("out");
    }

    @Test
    void theDirectoryHoldsTheSameModel() throws IOException {
        long bytes = GgufConversion.convert(model, out, DType.F32, NOBODY);
        try (Checkpoint made = Checkpoint.open(out);
                Checkpoint given = Checkpoint.open(model)) {
            assertEquals(given.config(), made.config());
            assertEquals(given.generationConfig(), made.generationConfig());
            assertEquals(given.specialTokens(), made.specialTokens());
            assertEquals(given.chatTemplateSource(), made.chatTemplateSource());
            assertEquals(new HashSet<>(given.tensorNames()), new HashSet<>(made.tensorNames()));
            long elements = 0;
            for (String name : given.tensorNames()) {
                TensorView tensor = made.tensor(name);
                assertEquals(DType.F32, tensor.dtype());
                assertArrayEquals(given.tensor(name).shape(), tensor.shape(), name);
                assertArrayEquals(given.tensor(name).toFloats(), tensor.toFloats(), name);
                elements += tensor.elements();
            }
            assertEquals(4 * elements, bytes);
            assertArrayEquals(new int[] {3, 4, 1}, made.tokenizer().encode("ab<end>a", false));
            assertArrayEquals(
                    given.tokenizer().encode("ab<end>a", true), made.tokenizer().encode("ab<end>a", true));
        }
        assertEquals(
                List.of(
                        "config.json",
                        "generation_config.json",
                        "model.safetensors",
                        "tokenizer.json",
                        "tokenizer_config.json"),
                files(out));
        assertEquals(List.of("out", "test.gguf"), files(folder));
        assertEquals(
                "float32",
                Json.readObject(out.resolve("config.json")).get("torch_dtype").getAsString());
    }

    /** Experts, fused weights, norms less one, windows, long rope: what the file is read as is what is written. */
    @ParameterizedTest
    @ValueSource(
            strings = {"llama3_rope", "llama_bias", "mixtral", "qwen3_moe", "gemma2", "gemma3_text", "phi3_longrope"})
    void familiesKeepTheirTensorsAndSettings(String name) {
        Path directory = SharedFiles.require("fixtures/architectures/" + name);
        Path file = FixtureGguf.write(directory, folder.resolve("family.gguf"));
        GgufConversion.convert(file, out, DType.F32, 200_000, NOBODY);
        try (Checkpoint made = Checkpoint.open(out);
                Checkpoint given = Checkpoint.open(file)) {
            assertEquals(given.config(), made.config());
            assertEquals(List.of(), made.unused());
            JsonObject config = Json.readObject(out.resolve("config.json"));
            assertEquals("\"float32\"", config.remove("torch_dtype").toString());
            try (GgufModel model = GgufModel.open(file)) {
                assertEquals(model.huggingFaceConfig(), config, "null included");
            }
            assertEquals(new HashSet<>(given.tensorNames()), new HashSet<>(made.tensorNames()));
            for (String tensor : given.tensorNames()) {
                assertArrayEquals(
                        given.tensor(tensor).shape(), made.tensor(tensor).shape(), tensor);
                assertArrayEquals(
                        given.tensor(tensor).toFloats(), made.tensor(tensor).toFloats(), tensor);
            }
            assertFalse(made.hasTokenizer());
        }
    }

    @Test
    void halvesAreRoundedToTheNearest() {
        float[] values = random(6 * 32, 7);
        values[0] = 1 + 0x1p-8f; // halfway between two numbers of BF16, the lower of which is even
        values[1] = 1 + 3 * 0x1p-8f;
        values[2] = 1 + 0x1p-11f;
        values[3] = -65504;
        values[4] = 0x1p-24f;
        Path file = untied(values);
        GgufConversion.convert(file, out, DType.BF16, NOBODY);
        GgufConversion.convert(file, folder.resolve("f16"), DType.F16, NOBODY);
        float[] bfloat = head(out, DType.BF16);
        float[] half = head(folder.resolve("f16"), DType.F16);
        assertEquals(1, bfloat[0]);
        assertEquals(1 + 4 * 0x1p-8f, bfloat[1]);
        assertEquals(1, half[2]);
        assertEquals(-65504, half[3]);
        assertEquals(0x1p-24f, half[4]);
        for (int i = 5; i < values.length; i++) {
            assertEquals(values[i], bfloat[i], Math.ulp(values[i]) * 0x1p15f, "value " + i);
            assertEquals(Float.float16ToFloat(Float.floatToFloat16(values[i])), half[i], "value " + i);
        }
    }

    @Test
    void whatTheTypeCannotHoldIsRefused() {
        float[] values = random(6 * 32, 8);
        values[17] = 65505;
        String message = assertThrows(
                        TillerException.class, () -> GgufConversion.convert(untied(values), out, DType.F16, NOBODY))
                .getMessage();
        assertTrue(
                message.contains("test.gguf: tensor \"lm_head.weight\": expected numbers up to 65504.0 for F16"),
                message);
        assertTrue(message.endsWith("found 65505.0"), message);
        assertEquals(List.of("test.gguf"), files(folder));
        values[17] = Float.MAX_VALUE;
        assertThrows(TillerException.class, () -> GgufConversion.convert(untied(values), out, DType.BF16, NOBODY));
        GgufConversion.convert(untied(values), out, DType.F32, NOBODY);
        assertEquals(Float.MAX_VALUE, head(out, DType.F32)[17]);
    }

    @Test
    void manyShardsHoldTheSameModel() throws IOException {
        List<Long> seen = new ArrayList<>();
        GgufConversion.convert(model, out, DType.BF16, 5000, (written, total) -> {
            assertTrue(written <= total);
            seen.add(written);
        });
        assertEquals(seen.stream().sorted().toList(), seen);
        JsonObject index = Json.readObject(out.resolve("model.safetensors.index.json"));
        assertEquals(
                seen.getLast(),
                index.getAsJsonObject("metadata").get("total_size").getAsLong());
        assertTrue(
                files(out).contains("model-00001-of-00004.safetensors"),
                files(out).toString());
        try (Checkpoint made = Checkpoint.open(out);
                Checkpoint given = Checkpoint.open(model)) {
            made.checkShapes();
            for (String name : given.tensorNames()) { // small whole numbers, which BF16 holds
                assertArrayEquals(
                        given.tensor(name).toFloats(), made.tensor(name).toFloats(), name);
            }
        }
    }

    @Test
    void aStoppedConversionLeavesNothingThatLooksComplete() throws IOException {
        stop(DType.F32, GgufConversion.SHARD_BYTES, 1000);
        assertEquals(List.of("test.gguf"), files(folder), "one shard: nothing to go on with");
        stop(DType.F32, 10_000, 15_000);
        assertEquals(List.of(".out.partial", "test.gguf"), files(folder));
        assertThrows(TillerException.class, () -> Checkpoint.open(folder.resolve(".out.partial")));
        Path first = shards().getFirst();
        FileTime old = FileTime.fromMillis(1_000_000);
        Files.setLastModifiedTime(first, old);
        GgufConversion.convert(model, out, DType.F32, 10_000, NOBODY);
        assertEquals(old, Files.getLastModifiedTime(out.resolve(first.getFileName())), "the finished shard is kept");
        assertEquals(List.of("out", "test.gguf"), files(folder));
        try (Checkpoint made = Checkpoint.open(out);
                Checkpoint given = Checkpoint.open(model)) {
            for (String name : given.tensorNames()) {
                assertArrayEquals(
                        given.tensor(name).toFloats(), made.tensor(name).toFloats(), name);
            }
        }
    }

    @Test
    void whatAnotherConversionLeftIsNotTaken() throws IOException {
        stop(DType.F32, 10_000, 15_000);
        Files.writeString(folder.resolve(".out.partial/stranger"), "x");
        GgufConversion.convert(model, out, DType.BF16, 5_000, NOBODY);
        assertFalse(files(out).contains("stranger"));
        try (Checkpoint made = Checkpoint.open(out)) {
            made.tensorNames()
                    .forEach(n -> assertEquals(DType.BF16, made.tensor(n).dtype(), n));
        }
        Path again = folder.resolve("again");
        stop(DType.F32, 10_000, 15_000, again);
        Files.write(folder.resolve(".again.partial").resolve(shardName(again)), new byte[100]); // damaged since
        GgufConversion.convert(model, again, DType.F32, 10_000, NOBODY);
        try (Checkpoint made = Checkpoint.open(again)) {
            made.checkShapes();
        }
    }

    @Test
    void placesThatAreTakenAreRefused() throws IOException {
        refuses(folder.resolve("none/out"), "directory " + folder.resolve("none") + " does not exist");
        refuses(model, "expected a new or empty directory, found a file");
        Files.createDirectory(out);
        Files.writeString(out.resolve("notes.txt"), "mine");
        refuses(out, "expected a new or empty directory, found files in it");
        Path empty = Files.createDirectory(folder.resolve("empty"));
        GgufConversion.convert(model, empty, DType.F32, (written, total) -> {
            TillerException second =
                    assertThrows(TillerException.class, () -> GgufConversion.convert(model, empty, DType.F32, NOBODY));
            assertTrue(second.getMessage().contains("another conversion is writing there"), second.getMessage());
        });
        assertTrue(files(empty).contains("config.json"));
        assertThrows(TillerException.class, () -> GgufConversion.convert(model, out, DType.I8, NOBODY));
    }

    @Test
    void aFileThatIsNoModelIsRefused() {
        Path vector =
                new GgufBytes().string("general.architecture", "controlvector").write(folder);
        String message = assertThrows(
                        TillerException.class, () -> GgufConversion.convert(vector, out, DType.F32, NOBODY))
                .getMessage();
        assertTrue(message.contains("found controlvector"), message);
        assertFalse(Files.exists(out));
    }

    @Test
    void namedTemplatesBecomeAList() throws IOException {
        Path file = TinyLlama.model()
                .strings("tokenizer.chat_templates", List.of("tool_use", "rag"))
                .string("tokenizer.chat_template.tool_use", "tools {{ messages }}")
                .write(folder);
        GgufConversion.convert(file, out, DType.F32, NOBODY);
        JsonObject config = Json.readObject(out.resolve("tokenizer_config.json"));
        assertEquals(
                "[{\"name\":\"default\",\"template\":\"{{ messages }}\"},{\"name\":\"tool_use\",\"template\":\"tools {{ messages }}\"}]",
                config.get("chat_template").toString());
        try (Checkpoint made = Checkpoint.open(out)) {
            assertEquals("{{ messages }}", made.chatTemplateSource().orElseThrow());
        }
    }

    private void stop(DType dtype, long shardBytes, long at) {
        stop(dtype, shardBytes, at, out);
    }

    private void stop(DType dtype, long shardBytes, long at, Path place) {
        TillerException stopped = assertThrows(
                TillerException.class,
                () -> GgufConversion.convert(model, place, dtype, shardBytes, (written, total) -> {
                    if (written >= at) {
                        throw new TillerException("stopped by the test");
                    }
                }));
        assertEquals("stopped by the test", stopped.getMessage());
        assertFalse(Files.exists(place));
    }

    private void refuses(Path place, String expected) {
        TillerException e =
                assertThrows(TillerException.class, () -> GgufConversion.convert(model, place, DType.F32, NOBODY));
        assertTrue(e.getMessage().contains(expected), e.getMessage());
    }

    private List<Path> shards() throws IOException {
        try (Stream<Path> files = Files.list(folder.resolve(".out.partial"))) {
            return files.filter(f -> f.toString().endsWith(".safetensors"))
                    .sorted()
                    .toList();
        }
    }

    private String shardName(Path place) {
        return files(folder.resolve("." + place.getFileName() + ".partial")).stream()
                .filter(f -> f.endsWith(".safetensors"))
                .findFirst()
                .orElseThrow();
    }

    /** The small model with a head of its own, of these values. */
    private Path untied(float[] values) {
        return TinyLlama.model()
                .tensor("output.weight", 0, GgufBytes.floats(values), 32, 6)
                .write(folder);
    }

    private static float[] head(Path directory, DType dtype) {
        try (Checkpoint made = Checkpoint.open(directory)) {
            assertEquals(dtype, made.tensor("lm_head.weight").dtype());
            return made.tensor("lm_head.weight").toFloats();
        }
    }

    private static float[] random(int n, long seed) {
        Random random = new Random(seed);
        float[] out = new float[n];
        for (int i = 0; i < n; i++) {
            out[i] = (float) (random.nextGaussian() * Math.pow(2, random.nextInt(13)));
        }
        return out;
    }

    private static List<String> files(Path directory) {
        try (Stream<Path> files = Files.list(directory)) {
            return files.map(f -> f.getFileName().toString()).sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
