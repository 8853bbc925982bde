package dev.tiller.loader;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ModelConfigTest {
    private static final String SIZES = "\"hidden_size\":64,\"intermediate_size\":100,\"num_hidden_layers\":2,"
            + "\"num_attention_heads\":4,\"vocab_size\":50";

    private static ModelConfig parse(String family, String more) {
        String text = "{\"model_type\":\"" + family + "\"," + SIZES + more + "}";
        return ModelConfig.parse(Json.parseObject(text, "config.json"), "config.json");
    }

    private static ModelConfig with(String key, String value) {
        JsonObject json = Json.parseObject("{\"model_type\":\"llama\"," + SIZES + "}", "config.json");
        json.add(key, Json.parse(value, "value"));
        return ModelConfig.parse(json, "config.json");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cohere", "gemma2", "gemma3_text", "gpt2", "gpt_neox", "granite", "llama", "llama3_rope", "llama_bias",
                "mistral", "mixtral", "olmo2", "phi3", "phi3_longrope", "qwen2", "qwen3", "qwen3_moe", "qwen3_yarn",
                "smollm3"
            })
    void bothKeyStylesGiveTheSameModel(String family) {
        Path folder = SharedFiles.require("fixtures/architectures/" + family);
        assertEquals(
                ModelConfig.read(folder.resolve("config.json")), ModelConfig.read(folder.resolve("config.alt.json")));
    }

    /** A plain model with no window, whose blocks are all alike. */
    private static ModelConfig plain(
            String family, int[] sizes, int maxPositions, float eps, RopeConfig rope, boolean tied, boolean bias) {
        int k = sizes[5];
        return new ModelConfig(
                family,
                "",
                sizes[0],
                sizes[6],
                maxPositions,
                new ModelConfig.Attention(
                        sizes[3], sizes[4], k, (float) (1 / Math.sqrt(k)), 0, bias, ModelConfig.HeadNorm.NONE),
                new ModelConfig.Mlp(sizes[1], "silu", true, false, null),
                new ModelConfig.Norms(ModelConfig.NormKind.RMS, eps, 0),
                new ModelConfig.Scales(1, 1, 1, 0),
                rope,
                null,
                false,
                tied,
                Collections.nCopies(sizes[2], new ModelConfig.Block(0, ModelConfig.Rotation.GLOBAL, false)),
                family.equals("llama") ? 1 : -1,
                family.equals("llama") ? List.of(2) : List.of(),
                -1);
    }

    @Test
    void everyFieldOfARealFile() {
        Path file = SharedFiles.require("fixtures/architectures/llama3_rope/config.json");
        RopeConfig rope = new RopeConfig("llama3", 10000, 8, 1, 4, 64, 16);
        int[] sizes = {96, 160, 3, 6, 3, 16, 257};
        assertEquals(plain("llama", sizes, 512, 1e-5f, rope, true, false), ModelConfig.read(file));
    }

    @Test
    void llamaDefaults() {
        RopeConfig rope = new RopeConfig("default", 10000, 1, 0, 0, 0, 16);
        int[] sizes = {64, 100, 2, 4, 4, 16, 50};
        assertEquals(plain("llama", sizes, 2048, 1e-6f, rope, false, false), parse("llama", ""));
    }

    @Test
    void qwen2Defaults() {
        RopeConfig rope = new RopeConfig("default", 10000, 1, 0, 0, 0, 16);
        int[] sizes = {64, 100, 2, 4, 4, 16, 50};
        assertEquals(plain("qwen2", sizes, 32768, 1e-6f, rope, false, true), parse("qwen2", ""));
        WeightNames names = WeightNames.of("qwen2");
        assertTrue(names.has(WeightRole.Q_BIAS));
        assertFalse(names.has(WeightRole.O_BIAS));
    }

    private static List<Integer> windows(ModelConfig config) {
        return config.perBlock().stream().map(ModelConfig.Block::window).toList();
    }

    @Test
    void slidingWindowOnlyWhenUsed() {
        assertEquals(List.of(0, 0), windows(parse("qwen2", ",\"sliding_window\":8")));
        String used = ",\"use_sliding_window\":true,\"sliding_window\":8";
        assertEquals(List.of(0, 0), windows(parse("qwen2", used))); // max_window_layers 28 is beyond both blocks
        assertEquals(List.of(8, 8), windows(parse("qwen2", used + ",\"max_window_layers\":0")));
        assertEquals(List.of(0, 8), windows(parse("qwen2", used + ",\"max_window_layers\":1")));
        String types = used + ",\"layer_types\":[\"sliding_attention\",\"full_attention\"]";
        assertEquals(List.of(8, 0), windows(parse("qwen2", types)));
        assertThrows(TillerException.class, () -> parse("qwen2", used + ",\"layer_types\":[\"sliding_attention\"]"));
        assertEquals(List.of(0, 0), windows(parse("llama", used + ",\"max_window_layers\":0")));
    }

    @Test
    void nestedRopeWins() {
        String older = ",\"rope_theta\":5.0,\"rope_scaling\":{\"type\":\"linear\",\"factor\":3}";
        assertEquals(
                new RopeConfig("linear", 5, 3, 0, 0, 0, 16),
                parse("llama", older).rope());
        String newer = ",\"rope_parameters\":{\"rope_theta\":7,\"rope_type\":\"linear\",\"factor\":%s}";
        RopeConfig three = new RopeConfig("linear", 7, 3, 0, 0, 0, 16);
        assertEquals(three, parse("llama", newer.formatted("3")).rope());
        assertEquals(three, parse("llama", older + newer.formatted("3.0")).rope());
        assertEquals(
                three,
                parse("llama", ",\"rope_scaling\":{}" + newer.formatted("3")).rope());
        assertEquals(
                three,
                parse("llama", ",\"rope_scaling\":null" + newer.formatted("3")).rope());
    }

    /** As after the advice to add rope_scaling to a file that a newer transformers wrote. */
    @Test
    void twoKindsOfScalingAreRefused() {
        for (String parameters :
                List.of("{\"rope_type\":\"default\",\"rope_theta\":7}", "{\"rope_type\":\"linear\",\"factor\":2}")) {
            TillerException e = assertThrows(
                    TillerException.class,
                    () -> parse(
                            "llama",
                            ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":3},\"rope_parameters\":" + parameters));
            assertTrue(
                    e.getMessage().contains("key \"rope_scaling\": expected none beside \"rope_parameters\""),
                    e.getMessage());
        }
    }

    @Test
    void tokensMayBeAbsentNullOrSeveral() {
        ModelConfig none = parse("llama", ",\"bos_token_id\":null,\"eos_token_id\":null,\"pad_token_id\":-1");
        assertEquals(-1, none.bosId());
        assertEquals(List.of(), none.eosIds());
        assertEquals(-1, none.padId());
        assertEquals(List.of(3, 4), parse("llama", ",\"eos_token_id\":[3,4]").eosIds());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "model_type|\"mamba\"",
                "hidden_size|0",
                "hidden_size|-64",
                "hidden_size|66",
                "hidden_size|64.0",
                "hidden_size|\"64\"",
                "hidden_size|null",
                "hidden_size|1000000000000",
                "num_hidden_layers|0",
                "num_hidden_layers|100000000",
                "num_key_value_heads|3",
                "num_key_value_heads|0",
                "head_dim|15",
                "head_dim|100000000",
                "vocab_size|0",
                "max_position_embeddings|0",
                "rms_norm_eps|-1",
                "rms_norm_eps|\"1e-5\"",
                "hidden_act|\"relu6\"",
                "eos_token_id|50",
                "eos_token_id|[1,\"2\"]",
                "bos_token_id|-2",
                "tie_word_embeddings|1",
                "rope_theta|0",
                "rope_scaling|\"linear\"",
                "partial_rotary_factor|0.5",
                "is_causal|false",
            })
    void refusesNonsense(String key, String value) {
        TillerException e = assertThrows(TillerException.class, () -> with(key, value));
        assertTrue(e.getMessage().startsWith("config.json"), e.getMessage());
        assertTrue(e.getMessage().contains("key \"" + key + "\""), e.getMessage());
        assertTrue(e.getMessage().contains("expected"), e.getMessage());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"rope_type\":\"spiral\"}|one of [default, dynamic, linear, llama3, longrope, yarn], found \"spiral\"",
                "{\"rope_type\":\"linear\"}|\"factor\"",
                "{\"rope_type\":\"linear\",\"factor\":0.5}|at least 1, found 0.5",
                "{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1}|high_freq_factor",
                "{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,\"high_freq_factor\":4}|high_freq_factor",
                "{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,\"high_freq_factor\":4,"
                        + "\"original_max_position_embeddings\":99999}|original_max_position_embeddings",
            })
    void refusesRopeNonsense(String rope, String part) {
        for (String key : List.of("rope_scaling", "rope_parameters")) {
            TillerException e = assertThrows(TillerException.class, () -> with(key, rope));
            assertTrue(e.getMessage().contains(part), e.getMessage());
        }
    }

    @Test
    void refusesQuantisedWeights() {
        TillerException e =
                assertThrows(TillerException.class, () -> with("quantization_config", "{\"quant_method\":\"gptq\"}"));
        assertTrue(e.getMessage().contains("gptq"), e.getMessage());
    }

    @Test
    void generationConfigFallsBackToTheModel() {
        ModelConfig config = parse("llama", "");
        GenerationConfig none = GenerationConfig.read(Path.of("no-such-directory/generation_config.json"), config);
        assertEquals(List.of(2), none.eosIds());
        assertNull(none.temperature());
        GenerationConfig some = GenerationConfig.parse(
                Json.parseObject(
                        "{\"eos_token_id\":[3,0],\"temperature\":0.6,\"top_k\":20,\"top_p\":0.95,\"min_p\":0.1,"
                                + "\"repetition_penalty\":1.1,\"do_sample\":true,\"max_new_tokens\":96}",
                        "g"),
                "g",
                config);
        assertEquals(new GenerationConfig(List.of(3, 0), 0.6, 20, 0.95, 0.1, 1.1, true, 96), some);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"eos_token_id\":50}",
                "{\"temperature\":-1}",
                "{\"top_k\":-1}",
                "{\"top_k\":1.5}",
                "{\"top_p\":0}",
                "{\"top_p\":1.01}",
                "{\"min_p\":2}",
                "{\"repetition_penalty\":0}",
                "{\"do_sample\":\"yes\"}",
                "{\"max_new_tokens\":0}"
            })
    void generationConfigRefusesNonsense(String text) {
        TillerException e = assertThrows(
                TillerException.class,
                () -> GenerationConfig.parse(Json.parseObject(text, "g.json"), "g.json", parse("llama", "")));
        assertTrue(e.getMessage().startsWith("g.json: key"), e.getMessage());
    }
}
