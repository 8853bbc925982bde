package dev.tiller.loader.gguf;

import static dev.tiller.loader.gguf.GgufBytes.floats;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.DType;
import dev.tiller.loader.Json;
import dev.tiller.loader.ModelConfig;
import dev.tiller.loader.RopeConfig;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.tokenizer.GgufVocabulary;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GgufModelTest {
    @TempDir
    Path folder;

    @Test
    void configurationComesFromTheKeys() {
        try (GgufModel model = GgufModel.open(TinyLlama.model().write(folder))) {
            String config = "{\"model_type\":\"llama\",\"hidden_size\":32,\"intermediate_size\":32,\"head_dim\":4,"
                    + "\"num_hidden_layers\":2,\"num_attention_heads\":2,\"num_key_value_heads\":1,\"vocab_size\":6,"
                    + "\"max_position_embeddings\":8192,\"rms_norm_eps\":1e-5,\"rope_theta\":50000,"
                    + "\"tie_word_embeddings\":true,\"bos_token_id\":0,\"eos_token_id\":[4,5]}";
            assertEquals(ModelConfig.parse(Json.parseObject(config, "c"), "c"), model.config());
            assertEquals(List.of(4, 5), model.generationConfig().eosIds());
            assertEquals(Map.of("bos_token", "<s>", "eos_token", "<end>"), model.specialTokens());
            assertEquals("{{ messages }}", model.chatTemplateSource().orElseThrow());
        }
    }

    @Test
    void namesAndShapesAreThoseOfHuggingFace() {
        try (GgufModel model = GgufModel.open(TinyLlama.model().write(folder))) {
            assertEquals(20, model.tensorNames().size());
            assertArrayEquals(new long[] {6, 32}, shape(model, "model.embed_tokens.weight"));
            assertArrayEquals(new long[] {32}, shape(model, "model.norm.weight"));
            String block = "model.layers.1.";
            assertArrayEquals(new long[] {32}, shape(model, block + "input_layernorm.weight"));
            assertArrayEquals(new long[] {32}, shape(model, block + "post_attention_layernorm.weight"));
            assertArrayEquals(new long[] {8, 32}, shape(model, block + "self_attn.q_proj.weight"));
            assertArrayEquals(new long[] {4, 32}, shape(model, block + "self_attn.k_proj.weight"));
            assertArrayEquals(new long[] {4, 32}, shape(model, block + "self_attn.v_proj.weight"));
            assertArrayEquals(new long[] {32, 8}, shape(model, block + "self_attn.o_proj.weight"));
            for (String part : List.of("gate", "up", "down")) {
                assertArrayEquals(new long[] {32, 32}, shape(model, block + "mlp." + part + "_proj.weight"));
            }
            assertFalse(model.find("lm_head.weight").isPresent());
            assertFalse(model.find("blk.0.attn_q.weight").isPresent());
        }
    }

    @Test
    void queryAndKeyRowsGoBackToHalves() {
        try (GgufModel model = GgufModel.open(TinyLlama.model().write(folder))) {
            assertRows(model, "model.layers.0.self_attn.q_proj.weight", 0, 2, 1, 3, 4, 6, 5, 7);
            assertRows(model, "model.layers.1.self_attn.q_proj.weight", 100, 102, 101, 103, 104, 106, 105, 107);
            assertRows(model, "model.layers.0.self_attn.k_proj.weight", 0, 2, 1, 3);
            assertRows(model, "model.layers.0.self_attn.v_proj.weight", 0, 1, 2, 3);
        }
    }

    /** Blocks keep their type; where the row order stays, they are the bytes of the file itself. */
    @Test
    void blocksStayAsTheyAreStored() {
        try (GgufModel model = GgufModel.open(TinyLlama.model().write(folder));
                Gguf file = Gguf.open(model.path())) {
            TensorView v = model.find("model.layers.1.self_attn.v_proj.weight").orElseThrow();
            assertEquals(DType.Q8_0, v.dtype());
            assertTrue(v.data().isMapped());
            assertArrayEquals(bytes(file, "blk.1.attn_v.weight"), v.data().toArray(ValueLayout.JAVA_BYTE));
            assertRows(model, v.name(), 100, 101, 102, 103);
            TensorView q = model.find("model.layers.1.self_attn.q_proj.weight").orElseThrow();
            assertEquals(DType.Q8_0, q.dtype());
            assertFalse(q.data().isMapped());
            byte[] stored = bytes(file, "blk.1.attn_q.weight");
            int[] order = {0, 2, 1, 3, 4, 6, 5, 7};
            for (int r = 0; r < order.length; r++) {
                assertArrayEquals(
                        Arrays.copyOfRange(stored, order[r] * 34, order[r] * 34 + 34),
                        q.data().asSlice(r * 34L, 34).toArray(ValueLayout.JAVA_BYTE),
                        "row " + r);
            }
        }
    }

    @Test
    void biasesFollowTheirProjections() {
        GgufBytes bytes = TinyLlama.biases(TinyLlama.model(), 1)
                .tensor("blk.0.attn_q.bias", 0, floats(0, 1, 2, 3, 4, 5, 6, 7), 8)
                .tensor("blk.0.attn_k.bias", 0, floats(0, 1, 2, 3), 4)
                .tensor("blk.0.attn_v.bias", 0, floats(0, 1, 2, 3), 4)
                .tensor("blk.0.attn_output.bias", 0, new byte[4 * 32], 32)
                .tensor("blk.1.attn_output.bias", 0, new byte[4 * 32], 32);
        try (GgufModel model = GgufModel.open(bytes.write(folder))) {
            assertTrue(model.config().attentionBias());
            assertArrayEquals(
                    new float[] {0, 2, 1, 3, 4, 6, 5, 7}, values(model, "model.layers.0.self_attn.q_proj.bias"));
            assertArrayEquals(new float[] {0, 2, 1, 3}, values(model, "model.layers.0.self_attn.k_proj.bias"));
            assertArrayEquals(new float[] {0, 1, 2, 3}, values(model, "model.layers.0.self_attn.v_proj.bias"));
        }
    }

    /** Biases of queries, keys and values alone are the block of Qwen 2; with a window, in all blocks of the file. */
    @Test
    void biasesMayLackThatOfTheOutput() {
        try (GgufModel model =
                GgufModel.open(TinyLlama.biases(TinyLlama.model(), 0, 1).write(folder))) {
            assertEquals("qwen2", model.config().modelType());
            assertEquals(26, model.tensorNames().size());
            assertRows(model, "model.layers.0.self_attn.q_proj.weight", 0, 2, 1, 3, 4, 6, 5, 7);
            assertTrue(model.config().perBlock().stream().allMatch(b -> b.window() == 0));
        }
        GgufBytes windowed = TinyLlama.biases(TinyLlama.model(), 0, 1).u32("llama.attention.sliding_window", 7);
        try (GgufModel model = GgufModel.open(windowed.write(folder))) {
            assertEquals("qwen2", model.config().modelType());
            assertTrue(model.config().perBlock().stream().allMatch(b -> b.window() == 7));
        }
        refuses(
                "tensor blk.1.attn_q.bias: expected a tensor of that name (model.layers.1.self_attn.q_proj.bias)",
                m -> TinyLlama.biases(m, 0));
    }

    /** A tensor with a name that the architecture knows, but that a model with these settings would not read. */
    @Test
    void tensorsThatNothingReadsAreRefused() {
        refuses(
                "tensor blk.1.attn_q.bias: expected no such tensor: a llama model with these settings does not have it",
                m -> TinyLlama.biases(m, 1));
        refuses("tensor output_norm.bias: expected no such tensor", m -> m.tensor("output_norm.bias", 0, floats(1), 1));
        refuses(
                "tensor blk.0.attn_norm.bias: expected no such tensor",
                m -> m.tensor("blk.0.attn_norm.bias", 0, new byte[4 * 32], 32));
        refuses(
                "tensor blk.0.ffn_gate_inp.weight: expected no such tensor",
                m -> m.tensor("blk.0.ffn_gate_inp.weight", 0, TinyLlama.rows(2, 0), 32, 2));
    }

    @Test
    void qwenRowsStayAndTheHeadMayBeSeparate() {
        GgufBytes bytes = TinyLlama.biases(TinyLlama.weights(TinyLlama.metadata("qwen2")), 0, 1)
                .tensor("output.weight", 30, new byte[6 * 32 * 2], 32, 6);
        try (GgufModel model = GgufModel.open(bytes.write(folder))) {
            assertEquals("qwen2", model.config().modelType());
            assertFalse(model.config().tiedEmbeddings());
            assertEquals(DType.BF16, model.find("lm_head.weight").orElseThrow().dtype());
            assertRows(model, "model.layers.0.self_attn.q_proj.weight", 0, 1, 2, 3, 4, 5, 6, 7);
        }
    }

    @Test
    void rotaryScalingIsReadOrRefused() {
        GgufBytes linear = TinyLlama.model().string("llama.rope.scaling.type", "linear");
        assertEquals(new RopeConfig("linear", 50000, 4, 0, 0, 0, 4), rope(linear.f32("llama.rope.scaling.factor", 4)));
        refuses(
                "key llama.rope.scaling.type: expected none, linear, yarn or longrope, found ntk",
                m -> m.string("llama.rope.scaling.type", "ntk"));
        refuses(
                "key llama.rope.dimension_count: expected the width of a head, 4, found 2",
                m -> m.u32("llama.rope.dimension_count", 2));
    }

    @Test
    void rotarySettingsThatNothingReadsAreRefused() {
        refuses(
                "key llama.rope.scaling.attn_factor: expected 1.0, found 2.0",
                m -> m.f32("llama.rope.scaling.attn_factor", 2));
        refuses(
                "key llama.rope.scaling.attn_factor: expected 1.0, found 2.0",
                m -> m.f32("llama.rope.scaling.attn_factor", 2).f32("llama.rope.scaling.factor", 4));
        refuses(
                "key llama.rope.scaling.attn_factor: expected 1.0, found 2.0",
                m -> m.f32("llama.rope.scaling.attn_factor", 2).tensor("rope_freqs.weight", 0, floats(1, 1), 2));
        refuses(
                "key llama.rope.scaling.type: expected tensors rope_factors_long.weight and rope_factors_short.weight",
                m -> m.string("llama.rope.scaling.type", "longrope"));
        refuses(
                "key llama.rope.scaling.original_context_length: expected at most llama.context_length, 8192, found 9000",
                m -> m.string("llama.rope.scaling.type", "yarn")
                        .f32("llama.rope.scaling.factor", 4)
                        .u32("llama.rope.scaling.original_context_length", 9000));
        refuses(
                "key llama.attention.sliding_window_pattern: expected no such key (a window in every block), found 2",
                m -> m.u32("llama.attention.sliding_window", 8).u32("llama.attention.sliding_window_pattern", 2));
    }

    @Test
    void rotaryFactorsOfOneAreNoScaling() {
        assertEquals(
                new RopeConfig("default", 50000, 1, 0, 0, 0, 4),
                rope(TinyLlama.model().tensor("rope_freqs.weight", 0, floats(1, 1), 2)));
        refuses(
                "tensor rope_freqs.weight: expected the factors of llama3 scaling",
                m -> m.tensor("rope_freqs.weight", 0, floats(1, 2), 2));
        refuses("tensor rope_freqs.weight: expected 2 factors", m -> m.tensor("rope_freqs.weight", 0, floats(1), 1));
        refuses(
                "tensor rope_freqs.weight: expected positive factors, found 0.0",
                m -> m.tensor("rope_freqs.weight", 0, floats(1, 0), 2));
        refuses(
                "tensor rope_freqs.weight: expected no rotary scaling in the metadata beside it, found {",
                m -> m.tensor("rope_freqs.weight", 0, floats(1, 1), 2).f32("llama.rope.scaling.factor", 2));
    }

    /** The published setting of Llama 3.2 1B; the factors are those its converter writes (numpy, float32). */
    @Test
    void rotaryFactorsOfAPublishedModel() {
        float[] factors = new float[32];
        Arrays.fill(factors, 0, 15, 1);
        factors[15] = 1.6513292789459229f;
        factors[16] = 3.2922627925872803f;
        factors[17] = 9.666730880737305f;
        Arrays.fill(factors, 18, 32, 32);
        GgufTensor tensor = factors(factors);
        assertEquals(new RopeFactors(32, 8192), RopeFactors.of(tensor, 500000, 64));
        assertThrows(TillerException.class, () -> RopeFactors.of(tensor, 10000, 64));
    }

    /** A setting of other lengths is found from a factor between the extremes. */
    @Test
    void rotaryFactorsTellTheLengthBeforeStretching() {
        float[] factors = new float[32];
        for (int i = 0; i < 32; i++) {
            double ratio = 3000 / (2 * Math.PI * Math.pow(10000, i / 32.0));
            double smooth = Math.clamp((ratio - 1) / 3, 0, 1);
            factors[i] = (float) (1 / ((1 - smooth) / 5 + smooth));
        }
        assertEquals(new RopeFactors(5, 3000), RopeFactors.of(factors(factors), 10000, 64));
    }

    private static GgufTensor factors(float... numbers) {
        MemorySegment data = MemorySegment.ofArray(floats(numbers));
        return new GgufTensor("rope_freqs.weight", new long[] {numbers.length}, GgufType.F32, data, "test");
    }

    @Test
    void whatTheForwardPassCannotDoIsRefused() {
        refuses("key llama.attention.clamp_kqv: expected 0.0, found 8.0", m -> m.f32("llama.attention.clamp_kqv", 8));
        refuses("key llama.attention.causal: expected true, found false", m -> m.bool("llama.attention.causal", false));
        refuses(
                "key llama.attention.scale: expected one by the root of the width of a head, 0.5, found 0.25",
                m -> m.f32("llama.attention.scale", 0.25f));
        refuses(
                "key split.count: expected the first file of a model in 3 files (NAME-00001-of-00003.gguf), found split.no -1",
                m -> m.u32("split.count", 3));
        refuses(
                "key llama.vocab_size: expected the 6 rows of token_embd.weight, found 7",
                m -> m.u32("llama.vocab_size", 7));
        refuses(
                "tensor blk.2.attn_v.weight: expected a tensor of a llama model with 2 blocks",
                m -> m.tensor("blk.2.attn_v.weight", 0, TinyLlama.rows(4, 0), 32, 4));
        refuses(
                "tensor blk.0.attn_q_norm.weight: expected a tensor of a llama model",
                m -> m.tensor("blk.0.attn_q_norm.weight", 0, floats(1), 1));
        refuses("tensor output.weight: expected type F32", m -> m.tensor("output.weight", 16, new byte[66], 256));
        refuses(
                "tensor blk.1.attn_q.bias: expected 2 heads of 4 rows",
                m -> m.tensor("blk.1.attn_q.bias", 0, floats(1), 1));
        Path other = new GgufBytes().string("general.architecture", "gemma").write(folder);
        String supported = "llama, qwen2, qwen3, qwen3moe, gemma2, gemma3, phi3";
        fails("key general.architecture: expected one of " + supported + ", found gemma", other);
        fails(
                "key general.architecture: expected one of " + supported + ", found nothing",
                new GgufBytes().write(folder));
    }

    @Test
    void errorsNameWhatTheFileHas() {
        refuses(
                "key llama.final_logit_softcapping: expected 0 in a llama model, found 30.0",
                m -> m.f32("llama.final_logit_softcapping", 30));
        refuses(
                "key llama.attention.sliding_window: expected an integer from 0 to 2^28, found 2000000000",
                m -> m.u32("llama.attention.sliding_window", 2_000_000_000));
        refuses(
                "tensor output.weight: expected dimensions [32, 6] by the metadata, found output.weight F32[32, 5]",
                m -> m.tensor("output.weight", 0, TinyLlama.rows(5, 0), 32, 5));
        fails(
                "key qwen2.expert_count: expected 0 in a qwen2 model, found 4",
                TinyLlama.biases(TinyLlama.weights(TinyLlama.metadata("qwen2")), 0, 1)
                        .u32("qwen2.expert_count", 4)
                        .write(folder));
    }

    @Test
    void endTokensOutsideTheVocabularyAreRefused() {
        refuses(
                "key tokenizer.ggml.eom_token_id: expected a token below 6, found 6",
                m -> m.u32("tokenizer.ggml.eom_token_id", 6));
    }

    @Test
    void vocabularyComesFromTheKeys() {
        try (GgufModel model = GgufModel.open(TinyLlama.model().write(folder));
                Gguf file = Gguf.open(model.path())) {
            GgufVocabulary v = GgufTokens.vocabulary(file, model.config());
            assertEquals("gpt2", v.model());
            assertEquals("smollm", v.pre());
            assertEquals(List.of("<s>", "a", "b", "ab", "<end>", "<eot>"), v.tokens());
            assertArrayEquals(new int[] {3, 1, 1, 1, 3, 3}, v.tokenTypes());
            assertEquals(List.of("a b"), v.merges());
            assertEquals(0, v.bosId());
            assertEquals(4, v.eosId());
            assertFalse(v.addBos());
            assertFalse(v.addSpacePrefix());
        }
    }

    private void refuses(String message, Consumer<GgufBytes> change) {
        GgufBytes bytes = TinyLlama.model();
        change.accept(bytes);
        fails(message, bytes.write(folder));
    }

    private static void fails(String message, Path path) {
        TillerException error =
                assertThrows(TillerException.class, () -> GgufModel.open(path).close());
        assertTrue(error.getMessage().startsWith(path + ": "), error.getMessage());
        assertTrue(error.getMessage().contains(message), error.getMessage());
    }

    private RopeConfig rope(GgufBytes bytes) {
        try (GgufModel model = GgufModel.open(bytes.write(folder))) {
            return model.config().rope();
        }
    }

    private static long[] shape(GgufModel model, String name) {
        return model.find(name).orElseThrow().shape();
    }

    private static byte[] bytes(Gguf file, String name) {
        return file.tensor(name).orElseThrow().data().toArray(ValueLayout.JAVA_BYTE);
    }

    private static float[] values(GgufModel model, String name) {
        return model.find(name).orElseThrow().toFloats();
    }

    /** Every element of row r is expected[r]. */
    private static void assertRows(GgufModel model, String name, float... expected) {
        TensorView view = model.find(name).orElseThrow();
        float[] found = view.toFloats();
        for (int i = 0; i < found.length; i++) {
            assertEquals(expected[i / view.columns()], found[i], name + " at " + i);
        }
    }
}
