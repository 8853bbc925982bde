package dev.tiller.loader.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.DType;
import dev.tiller.loader.ModelConfig;
import dev.tiller.loader.RopeConfig;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TensorView;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Little models of every architecture, as GGUF files beside their own directories; and settings without a fixture. */
class GgufFamiliesTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama",
                "llama3_rope",
                "llama_bias",
                "mistral",
                "mixtral",
                "qwen2",
                "qwen3",
                "qwen3_yarn",
                "qwen3_moe",
                "gemma2",
                "gemma3_text",
                "phi3",
                "phi3_longrope"
            })
    void theFileIsTheModelOfItsDirectory(String name) {
        Path directory = SharedFiles.require("fixtures/architectures/" + name);
        Path path = FixtureGguf.write(directory, folder.resolve("model.gguf"));
        try (Checkpoint expected = Checkpoint.open(directory);
                Checkpoint found = Checkpoint.open(path)) {
            found.checkShapes();
            assertEquals(List.of(), found.unused());
            assertEquals(expected.config(), found.config());
            assertEquals(new TreeSet<>(expected.tensorNames()), new TreeSet<>(found.tensorNames()));
            boolean plusOne = name.startsWith("gemma");
            for (String tensor : expected.tensorNames()) {
                TensorView a = expected.tensor(tensor);
                TensorView b = found.tensor(tensor);
                assertArrayEquals(a.shape(), b.shape(), tensor);
                float[] numbers = a.toFloats();
                float[] stored = b.toFloats();
                if (plusOne && tensor.endsWith("norm.weight")) { // what the model computes with
                    for (int i = 0; i < numbers.length; i++) {
                        numbers[i] += 1;
                        stored[i] += 1;
                    }
                }
                assertArrayEquals(numbers, stored, tensor);
            }
        }
    }

    /** Below the context before stretching: what positions are rotated by stays, and so does the attention factor. */
    @ParameterizedTest
    @ValueSource(strings = {"llama3_rope", "phi3_longrope"})
    void aContextBelowTheOriginalOne(String name) {
        Path directory = SharedFiles.require("fixtures/architectures/" + name);
        Path path = FixtureGguf.write(directory, folder.resolve("model.gguf"));
        FixtureGguf.setContext(path, 16);
        try (Checkpoint expected = Checkpoint.open(directory);
                Checkpoint found = Checkpoint.open(path)) {
            RopeConfig a = expected.config().rope();
            RopeConfig b = found.config().rope();
            assertEquals(16, found.config().maxPositions());
            assertEquals(16, b.originalMaxPositions());
            assertEquals(a.attentionFactor(), b.attentionFactor(), 1e-7);
            assertEquals(a.divisors(), b.divisors());
            if (name.startsWith("llama")) {
                assertEquals(a.factor(), b.factor());
                assertEquals(a.lowFreqFactor() / a.originalMaxPositions(), b.lowFreqFactor() / 16);
                assertEquals(a.highFreqFactor() / a.originalMaxPositions(), b.highFreqFactor() / 16);
            }
        }
    }

    /** What the 27B models divide queries by shows in their number of blocks alone. */
    @Test
    void queriesOfGemmaAreScaledByItsSize() {
        assertEquals(
                "64", json("gemma2", 2, m -> {}).get("query_pre_attn_scalar").getAsString());
        assertEquals(
                "16", json("gemma2", 46, m -> {}).get("query_pre_attn_scalar").getAsString());
        assertEquals(
                "64",
                json("gemma3", 46, GgufFamiliesTest::window)
                        .get("query_pre_attn_scalar")
                        .getAsString());
        assertEquals(
                "16",
                json("gemma3", 62, GgufFamiliesTest::window)
                        .get("query_pre_attn_scalar")
                        .getAsString());
    }

    @Test
    void gemmaMayHaveBiases() {
        assertFalse(json("gemma2", 2, m -> {}).get("attention_bias").getAsBoolean());
        for (String gemma : List.of("gemma2", "gemma3")) {
            JsonObject json = json(gemma, 2, m -> {
                m.u32(gemma + ".attention.sliding_window", 512);
                m.tensor("blk.0.attn_q.bias", 0, new byte[4], 1);
            });
            assertTrue(json.get("attention_bias").getAsBoolean());
        }
    }

    private static void window(GgufBytes file) {
        file.u32("gemma3.attention.sliding_window", 512);
    }

    @Test
    void windowsOfGemmaFollowThePatternOfTheFamily() {
        JsonObject two = json("gemma2", 4, m -> {});
        assertEquals(
                "[\"sliding_attention\",\"full_attention\",\"sliding_attention\",\"full_attention\"]",
                two.get("layer_types").toString());
        assertEquals(4096, two.get("sliding_window").getAsInt());
        assertEquals(50, two.get("attn_logit_softcapping").getAsDouble());
        assertEquals(30, two.get("final_logit_softcapping").getAsDouble());
        assertEquals(10000, two.get("rope_theta").getAsDouble());
        assertTrue(two.get("tie_word_embeddings").getAsBoolean());
        JsonObject three = json("gemma3", 13, m -> {
            window(m);
            m.f32("gemma3.rope.freq_base", 1e6f).f32("gemma3.rope.scaling.factor", 8);
        });
        for (int b = 0; b < 13; b++) {
            String expected = b == 5 || b == 11 ? "full_attention" : "sliding_attention";
            assertEquals(
                    expected, three.get("layer_types").getAsJsonArray().get(b).getAsString());
        }
        assertTrue(three.get("attn_logit_softcapping").isJsonNull());
        assertEquals(1e6, three.get("rope_theta").getAsDouble());
        assertEquals(10000, three.get("rope_local_base_freq").getAsDouble());
        assertEquals(
                "{\"rope_type\":\"linear\",\"factor\":8.0}",
                three.get("rope_scaling").toString());
        assertEquals("gemma3_text", three.get("model_type").getAsString());
    }

    @Test
    void patternsMayBeStatedByBlock() {
        JsonObject json = json("gemma3", 3, m -> {
            window(m);
            GgufBytes.Buffer flags = new GgufBytes.Buffer()
                    .u32(GgufBytes.BOOL)
                    .u64(3)
                    .u8(0)
                    .u8(1)
                    .u8(0);
            m.pair("gemma3.attention.sliding_window_pattern", GgufBytes.ARRAY, flags);
        });
        assertEquals(
                "[\"full_attention\",\"sliding_attention\",\"full_attention\"]",
                json.get("layer_types").toString());
    }

    @Test
    void numbersAreTheDecimalsOfTheOriginal() {
        JsonObject json = json(
                "qwen3",
                2,
                m -> m.f32("qwen3.rope.freq_base", 1e6f)
                        .string("qwen3.rope.scaling.type", "yarn")
                        .f32("qwen3.rope.scaling.factor", 4)
                        .u32("qwen3.rope.scaling.original_context_length", 32));
        assertEquals(1e-6, json.get("rms_norm_eps").getAsDouble());
        assertEquals(
                "{\"rope_type\":\"yarn\",\"factor\":4.0,\"original_max_position_embeddings\":32}",
                json.get("rope_scaling").toString());
        JsonObject factor = json(
                "qwen3",
                2,
                m -> m.string("qwen3.rope.scaling.type", "yarn")
                        .f32("qwen3.rope.scaling.factor", 4)
                        .f32("qwen3.rope.scaling.attn_factor", 0.5f)
                        .f32("qwen3.rope.scaling.yarn_beta_fast", 24));
        JsonObject scaling = factor.getAsJsonObject("rope_scaling");
        assertEquals(
                0.5 * (1 + 0.1 * Math.log(4)), scaling.get("attention_factor").getAsDouble(), 1e-12);
        assertEquals(24, scaling.get("beta_fast").getAsDouble());
        assertEquals(64, scaling.get("original_max_position_embeddings").getAsInt());
    }

    /** 256 wide, 16 heads of 64. */
    private JsonObject json(String architecture, int blocks, Consumer<GgufBytes> more) {
        GgufBytes file = new GgufBytes()
                .string("general.architecture", architecture)
                .u32(architecture + ".block_count", blocks)
                .u32(architecture + ".context_length", 64)
                .u32(architecture + ".embedding_length", 256)
                .u32(architecture + ".feed_forward_length", 32)
                .u32(architecture + ".attention.head_count", 16)
                .u32(architecture + ".attention.key_length", 64)
                .u32(architecture + ".attention.value_length", 64)
                .f32(architecture + ".attention.layer_norm_rms_epsilon", 1e-6f);
        more.accept(file);
        file.tensor("token_embd.weight", 0, new byte[256 * 4], 256, 1);
        for (int b = 0; b < blocks; b++) {
            file.tensor("blk." + b + ".attn_norm.weight", 0, new byte[4], 1);
        }
        try (Gguf open = Gguf.open(file.write(folder))) {
            return GgufConfig.huggingFace(open);
        }
    }

    /** Whatever a norm was before one was added and the sum rounded, the model computes with the same sum. */
    @Test
    void oneTakenOffANormComesBackExactly() {
        Random random = new Random(9);
        float[] numbers = new float[20000];
        for (int i = 0; i < numbers.length; i++) {
            double size = Math.pow(10, random.nextInt(12) - 9);
            numbers[i] = 1 + (float) (size * random.nextGaussian());
        }
        numbers[0] = 1 + -1f;
        numbers[1] = 1 + -0.99999994f;
        numbers[2] = 1 + -1.0000001f;
        numbers[3] = 1 + Float.MIN_VALUE;
        MemorySegment data = MemorySegment.ofArray(GgufBytes.floats(numbers));
        try (GgufWeights weights = new GgufWeights()) {
            long[] shape = {numbers.length};
            MemorySegment less = weights.lessOne(new TensorView("n", DType.F32, shape, data, "test"));
            float[] found = new TensorView("n", DType.F32, shape, less, "test").toFloats();
            for (int i = 0; i < found.length; i++) {
                found[i] += 1;
            }
            assertArrayEquals(numbers, found);
        }
    }

    /** Every type of blocks, opened as a model: numbers of the file under the names of the family. */
    @Test
    void quantisedTensorsAreThoseOfTheFile() {
        try (Checkpoint model = Checkpoint.open(TinyQuantised.model(1).write(folder));
                Gguf file = Gguf.open(model.path())) {
            model.checkShapes();
            TreeSet<DType> types = new TreeSet<>();
            for (String name : model.tensorNames()) {
                TensorView view = model.tensor(name);
                if (view.dtype().isBlocks()) {
                    types.add(view.dtype());
                    String stored = GgufNames.of("gemma3").toGguf(name);
                    assertArrayEquals(file.tensor(stored).orElseThrow().toFloats(), view.toFloats(), name);
                    assertTrue(view.data().isMapped(), name);
                }
            }
            assertEquals(12, types.size());
        }
    }

    @Test
    void configurationsParse() {
        try (GgufModel model = GgufModel.open(TinyLlama.model().write(folder))) {
            JsonObject json = model.huggingFaceConfig();
            assertEquals(model.config(), ModelConfig.parse(json, "test"));
            assertEquals(
                    "LlamaForCausalLM",
                    json.getAsJsonArray("architectures").get(0).getAsString());
        }
    }
}
