package dev.tiller.loader;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.tiller.loader.ModelConfig.HeadNorm;
import dev.tiller.loader.ModelConfig.Rotation;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The table of families: what their configurations default to, what they refuse and what their tensors are called. */
class FamiliesTest {
    /** Small sizes in this family's spelling, and whatever else it needs. */
    private static JsonObject small(String family) {
        String more = switch (family) {
            case "gpt_neo" ->
                "\"hidden_size\":32,\"num_heads\":4,\"num_layers\":4,\"vocab_size\":50,"
                        + "\"attention_layers\":[\"global\",\"local\",\"global\",\"local\"]";
            case "gpt2", "gpt_bigcode", "gptj" ->
                "\"n_embd\":32,\"n_head\":4,\"n_layer\":4,\"vocab_size\":50,\"n_positions\":64";
            default ->
                "\"hidden_size\":32,\"num_attention_heads\":4,\"num_hidden_layers\":4,\"vocab_size\":50,"
                        + "\"intermediate_size\":48";
        };
        String experts = switch (family) {
            case "mixtral", "granitemoe" -> ",\"num_local_experts\":3";
            case "gptj" -> ",\"rotary_dim\":4";
            case "olmoe" -> ",\"num_experts\":5,\"num_experts_per_tok\":2";
            case "qwen3_moe" -> ",\"num_experts\":5,\"num_experts_per_tok\":2,\"moe_intermediate_size\":16";
            default -> "";
        };
        return Json.parseObject("{\"model_type\":\"" + family + "\"," + more + experts + "}", "config.json");
    }

    private static ModelConfig parse(String family, String... keysAndValues) {
        JsonObject json = small(family);
        for (int i = 0; i < keysAndValues.length; i += 2) {
            json.add(keysAndValues[i], Json.parse(keysAndValues[i + 1], "value"));
        }
        return ModelConfig.parse(json, "config.json");
    }

    static List<String> families() {
        return ModelConfig.families();
    }

    @Test
    void allAreThere() {
        assertEquals(
                "[cohere, cohere2, ernie4_5, exaone4, falcon, gemma, gemma2, gemma3_text, glm, glm4, gpt2,"
                        + " gpt_bigcode, gpt_neo, gpt_neox, gptj, granite, granitemoe, helium, llama, ministral,"
                        + " mistral, mixtral, olmo, olmo2, olmo3, olmoe, phi, phi3, qwen2, qwen2_5_vl_text,"
                        + " qwen2_vl_text, qwen3, qwen3_moe, qwen3_vl_text, seed_oss, smollm3, stablelm, starcoder2]",
                ModelConfig.families().toString());
        TillerException e = assertThrows(TillerException.class, () -> parse("mamba"));
        assertTrue(
                e.getMessage()
                        .contains(
                                "expected one of [cohere, cohere2, ernie4_5, exaone4, falcon, gemma, gemma2, gemma3, "),
                e.getMessage());
        assertTrue(e.getMessage().contains(" mistral3,"), e.getMessage());
        assertTrue(e.getMessage().endsWith("found \"mamba\""), e.getMessage());
    }

    /** Every entry of the table is complete: a small model has defaults for the rest, and a shape for every tensor. */
    @ParameterizedTest
    @MethodSource("families")
    void aSmallModelNeedsOnlyItsSizes(String family) {
        ModelConfig config = parse(family);
        assertEquals(4, config.blocks());
        assertTrue(config.maxPositions() >= 64);
        Map<String, WeightRole> expected = WeightNames.of(family).expected(config);
        expected.forEach((name, role) -> {
            assertFalse(name.contains("%"), name);
            for (long n : role.shape(config)) {
                assertTrue(n > 0, name);
            }
        });
        assertTrue(expected.containsValue(WeightRole.EMBED));
        boolean ones = WeightNames.of(family).isOnes(WeightRole.FINAL_NORM);
        assertEquals(!ones, expected.containsValue(WeightRole.FINAL_NORM));
        assertEquals(!config.tiedEmbeddings(), expected.containsValue(WeightRole.LM_HEAD));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "gpt2|scale_attn_by_inverse_layer_idx|true|expected false, the only value that is supported, found true",
                "gpt2|add_cross_attention|true|the only value that is supported",
                "gpt2|n_head|5|a multiple of num_attention_heads",
                "gpt2|activation_function|\"relu\"|one of [gelu",
                "gpt2|layer_norm_epsilon|2|a number from 0 to below 1",
                "llama|clip_qkv|8|the only value that is supported",
                "olmo2|clip_qkv|8|the only value that is supported",
                "gemma2|use_bidirectional_attention|true|the only value that is supported",
                "gemma2|hidden_activation|\"quick_gelu\"|one of [gelu",
                "gemma2|query_pre_attn_scalar|0|a positive number",
                "gemma2|attn_logit_softcapping|-1|a positive number",
                "gemma2|layer_types|[\"full_attention\"]|4 entries",
                "gemma3_text|sliding_window_pattern|0|a whole number from 1",
                "gemma3_text|rope_local_base_freq|0|a positive number",
                "mistral|sliding_window|0|a whole number from 1",
                "mistral|head_dim|7|an even number",
                "mixtral|num_local_experts|0|a whole number from 1",
                "mixtral|num_experts_per_tok|4|at most the number of experts (3)",
                "qwen3_moe|moe_intermediate_size|null|a whole number, found",
                "qwen3_moe|decoder_sparse_step|0|a whole number from 1",
                "smollm3|no_rope_layers|[1,0]|4 entries",
                "gemma|hidden_act|\"quick_gelu\"|one of [gelu",
                "gemma|use_bidirectional_attention|true|the only value that is supported",
                "gemma2|sliding_window|null|a window for the blocks that have sliding_attention, found null",
                "gemma3_text|sliding_window|null|a window for the blocks that have sliding_attention, found null",
                "cohere2|sliding_window|null|a window for the blocks that have sliding_attention",
                "olmo3|sliding_window|null|a window for the blocks that have sliding_attention",
                "olmo|clip_qkv|8|the only value that is supported",
                "olmoe|clip_qkv|8|the only value that is supported",
                "olmoe|num_experts_per_tok|6|at most the number of experts (5)",
                "granitemoe|num_local_experts|null|a whole number",
                "starcoder2|norm_epsilon|1|a number from 0",
                "starcoder2|use_bias|1|true or false",
                "stablelm|qk_layernorm|true|expected false, the only value that is supported, found true",
                "stablelm|use_parallel_residual|true|the only value that is supported",
                "stablelm|partial_rotary_factor|0.1|an even number of them",
                "phi|qk_layernorm|true|the only value that is supported",
                "exaone4|sliding_window_pattern|\"LLLG\"|a whole number",
                "seed_oss|attention_out_bias|true|the only value that is supported",
                "gpt_neo|window_size|null|a window for the blocks that have local, found null",
                "gpt_neo|attention_layers|null|an array",
                "gpt_neo|attention_layers|[\"global\",\"local\",\"local\",\"none\"]|global or local, found \"none\"",
                "falcon|new_decoder_architecture|true|expected false, the only value that is supported, found true",
                "falcon|multi_query|false|the only value that is supported",
                "falcon|parallel_attn|false|the only value that is supported",
                "falcon|alibi|true|the only value that is supported",
                "falcon|activation|\"relu\"|one of [gelu",
                "gptj|rotary_dim|10|an even number of at most the 8 elements of a head, found 10",
                "gptj|rotary_dim|3|an even number",
                "gptj|rotary_dim|null|a whole number",
                "gpt_bigcode|multi_query|false|expected true, the only value that is supported, found false",
                "granite|logits_scaling|0|a positive number",
                "granite|attention_multiplier|-1|a positive number",
                "cohere|layer_norm_eps|-1|a number from 0",
                "cohere|use_qk_norm|1|true or false",
                "gpt_neox|rotary_pct|0.1|an even number of them, found 0.1",
                "gpt_neox|use_parallel_residual|\"yes\"|true or false",
                "gpt_neox|rotary_emb_base|0|a positive number",
                "phi3|partial_rotary_factor|2|an even number of them, found 2",
                "qwen3|partial_rotary_factor|0.5|1 in this family",
                "qwen2|layer_types|[1,2]|an array of strings",
            })
    void unsupportedValuesAreRefusedByName(String family, String key, String value, String expected) {
        TillerException e = assertThrows(TillerException.class, () -> parse(family, key, value));
        String message = e.getMessage();
        String named = key.equals("n_head") ? "n_embd" : key;
        assertTrue(message.startsWith("config.json: key \"" + named + "\": expected "), message);
        assertTrue(message.contains(expected), message);
    }

    @ParameterizedTest
    @MethodSource("families")
    void otherKindsOfAttentionAreRefused(String family) {
        TillerException e = assertThrows(
                TillerException.class,
                () -> parse(
                        family,
                        family.equals("gpt_neo") ? "attention_layers" : "layer_types",
                        "[\"full_attention\",\"full_attention\",\"full_attention\",\"chunked_attention\"]"));
        String expected = family.equals("gpt_neo")
                ? "\"attention_layers\": expected global or local"
                : "\"layer_types\": expected full_attention or sliding_attention";
        assertTrue(e.getMessage().contains(expected), e.getMessage());
        assertTrue(e.getMessage().contains("found \"chunked_attention\""), e.getMessage());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"rope_type\":\"proportional\",\"factor\":2}|rope_type|found \"proportional\"",
                "{\"rope_type\":\"dynamic\",\"factor\":0.5}|factor|at least 1",
                "{\"rope_type\":\"dynamic\"}|factor|a number, found no such key",
                "{\"rope_type\":\"yarn\",\"factor\":0.5,\"original_max_position_embeddings\":16}|factor|at least 1",
                "{\"rope_type\":\"yarn\",\"factor\":2,\"beta_fast\":1,\"beta_slow\":3}|beta_fast|at least beta_slow",
                "{\"rope_type\":\"yarn\",\"factor\":2,\"attention_factor\":-1}|attention_factor|a positive number",
                "{\"rope_type\":\"longrope\",\"long_factor\":[1,1,1,1]}|short_factor|an array, found no such key",
                "{\"rope_type\":\"longrope\",\"short_factor\":[1,1,1],\"long_factor\":[1,1,1,1]}|short_factor|4 positive",
                "{\"rope_type\":\"longrope\",\"short_factor\":[1,1,1,1],\"long_factor\":[1,1,1,0]}|long_factor|4 positive",
            })
    void otherRotaryScalingsAreRefused(String rope, String key, String expected) {
        for (String family : List.of("phi3", "qwen3", "mistral")) {
            boolean longOnly = family.equals("phi3") && rope.contains("yarn");
            if (longOnly) {
                continue; // it says yarn for longrope
            }
            TillerException e = assertThrows(
                    TillerException.class,
                    () -> parse(family, "rope_parameters", rope, "head_dim", "8", "max_position_embeddings", "64"));
            assertTrue(e.getMessage().contains("rope_parameters: key \"" + key + "\": expected "), e.getMessage());
            assertTrue(e.getMessage().contains(expected), e.getMessage());
        }
    }

    @Test
    void nullMeansNone() {
        assertEquals(4096, parse("mistral").perBlock().getFirst().window());
        assertEquals(
                0,
                parse("mistral", "sliding_window", "null").perBlock().getFirst().window());
        assertEquals(50, parse("gemma2").attention().softCap());
        assertEquals(
                0, parse("gemma2", "attn_logit_softcapping", "null").attention().softCap());
        assertEquals(128, parse("gpt2", "n_inner", "null").intermediateSize());
        assertEquals(List.of(), parse("llama", "eos_token_id", "null").eosIds());
        assertEquals(List.of(2), parse("llama").eosIds());
        assertEquals(List.of(), parse("phi3").eosIds(), "its default is beyond this vocabulary");
    }

    @Test
    void whatDiffersFromBlockToBlock() {
        assertEquals(List.of(4096, 0, 4096, 0), windows(parse("gemma2")));
        assertEquals(List.of(4096, 4096, 0, 4096), windows(parse("gemma3_text", "sliding_window_pattern", "3")));
        assertEquals(
                List.of(Rotation.LOCAL, Rotation.LOCAL, Rotation.GLOBAL, Rotation.LOCAL),
                rotations(parse("gemma3_text", "sliding_window_pattern", "3")));
        assertEquals(
                List.of(Rotation.GLOBAL, Rotation.GLOBAL, Rotation.GLOBAL, Rotation.NONE), rotations(parse("smollm3")));
        assertEquals(
                List.of(0, 9, 0, 9),
                windows(parse(
                        "smollm3",
                        "use_sliding_window",
                        "true",
                        "sliding_window",
                        "9",
                        "no_rope_layers",
                        "[1,0,1,0]")));
        assertEquals(List.of(true, true, true, true), mixtures(parse("mixtral")));
        assertEquals(
                List.of(false, true, false, false),
                mixtures(parse("qwen3_moe", "decoder_sparse_step", "2", "mlp_only_layers", "[3]")));
        assertEquals(Collections.nCopies(4, Rotation.NONE), rotations(parse("gpt2")));
    }

    @Test
    void blocksWithoutAWindowMayHaveNoRotation() {
        assertEquals(
                List.of(Rotation.GLOBAL, Rotation.GLOBAL, Rotation.GLOBAL, Rotation.NONE), rotations(parse("cohere2")));
        assertEquals(List.of(4096, 4096, 4096, 0), windows(parse("exaone4")));
        String full = "[\"full_attention\",\"full_attention\",\"full_attention\",\"full_attention\"]";
        ModelConfig small = parse("exaone4", "sliding_window", "null", "layer_types", full);
        assertEquals(Collections.nCopies(4, Rotation.GLOBAL), rotations(small));
        assertEquals(List.of(0, 0, 0, 0), windows(small));
    }

    /** Windows are asked for by name: none of that size is no window for some families, and an error for others. */
    @ParameterizedTest
    @ValueSource(strings = {"gemma3_text", "ministral", "qwen2", "qwen3_moe", "mistral", "smollm3", "exaone4"})
    void layerTypesNeedAWindow(String family) {
        String types = "[\"sliding_attention\",\"full_attention\",\"full_attention\",\"full_attention\"]";
        TillerException e = assertThrows(
                TillerException.class, () -> parse(family, "sliding_window", "null", "layer_types", types));
        assertEquals(
                "config.json: key \"sliding_window\": expected a window for the blocks that have sliding_attention,"
                        + " found null",
                e.getMessage());
    }

    /** Scaling beyond the context is none within it, and a text that goes beyond is refused. */
    @Test
    void dynamicScalingLeavesTheContextAsItIs() {
        ModelConfig c = parse(
                "llama",
                "max_position_embeddings",
                "64",
                "rope_scaling",
                "{\"type\":\"dynamic\",\"factor\":4.0,\"original_max_position_embeddings\":16}");
        assertEquals(64, c.maxPositions());
        assertEquals(new RopeConfig("dynamic", 10000, 4, 0, 0, 0, 8), c.rope());
    }

    private static List<Integer> windows(ModelConfig c) {
        return c.perBlock().stream().map(ModelConfig.Block::window).toList();
    }

    private static List<Rotation> rotations(ModelConfig c) {
        return c.perBlock().stream().map(ModelConfig.Block::rotation).toList();
    }

    private static List<Boolean> mixtures(ModelConfig c) {
        return c.perBlock().stream().map(ModelConfig.Block::mixture).toList();
    }

    @Test
    void switches() {
        assertTrue(parse("gpt_neox").parallel());
        assertFalse(parse("gpt_neox", "use_parallel_residual", "false").parallel());
        assertTrue(parse("cohere").parallel());
        assertEquals(HeadNorm.NONE, parse("cohere").attention().headNorm());
        assertEquals(
                HeadNorm.OWN, parse("cohere", "use_qk_norm", "true").attention().headNorm());
        assertEquals(HeadNorm.ALL, parse("olmo2").attention().headNorm());
        assertEquals(HeadNorm.HEAD, parse("qwen3").attention().headNorm());
        assertEquals(1, parse("gpt2", "scale_attn_weights", "false").attention().scale());
        assertEquals((float) Math.sqrt(32), parse("gemma2").scales().embedding());
        assertEquals(0.125f, parse("granite", "logits_scaling", "8").scales().logits());
        assertEquals(
                "gelu_pytorch_tanh",
                parse("gemma", "hidden_act", "\"gelu\"").mlp().activation());
        assertEquals("gelu", parse("gpt_neox", "hidden_act", "\"gelu\"").mlp().activation());
        assertEquals(1, parse("gpt_bigcode").kvHeads());
        assertEquals(1, parse("gpt_neo").attention().scale());
        assertEquals(List.of(0, 256, 0, 256), windows(parse("gpt_neo")));
        assertEquals(4, parse("gptj").rope().rotaryDim());
        assertTrue(parse("qwen2", "attention_bias", "false").attentionBias(), "its biases do not depend on the key");
        assertFalse(parse("mistral", "attention_bias", "true").attentionBias(), "it does not know the key");
    }

    /** Published files of Gemma 3 leave sizes out, and say the end tokens outside of the text part. */
    @Test
    void theTextPartOfAWhole() {
        ModelConfig c = ModelConfig.parse(
                Json.parseObject(
                        "{\"model_type\":\"gemma3\",\"eos_token_id\":[1,106],\"text_config\":{\"model_type\":"
                                + "\"gemma3_text\",\"hidden_size\":2560,\"intermediate_size\":10240,"
                                + "\"num_hidden_layers\":34,\"sliding_window\":1024,"
                                + "\"rope_scaling\":{\"factor\":8.0,\"rope_type\":\"linear\"}},\"vision_config\":{}}",
                        "config.json"),
                "config.json");
        assertEquals("gemma3_text", c.modelType());
        assertEquals("gemma3", c.partOf());
        assertEquals(List.of(1, 106), c.eosIds());
        assertEquals(262208, c.vocabSize());
        assertEquals(256, c.headDim());
        assertEquals(new RopeConfig("linear", 1e6, 8, 0, 0, 0, 256), c.rope());
        assertEquals(new RopeConfig("default", 1e4, 1, 0, 0, 0, 256), c.localRope());
        TillerException e = assertThrows(
                TillerException.class,
                () -> ModelConfig.parse(
                        Json.parseObject("{\"model_type\":\"gemma3\",\"text_config\":{}}", "config.json"),
                        "config.json"));
        assertTrue(e.getMessage().startsWith("config.json: text_config: key \"hidden_size\""), e.getMessage());
        TillerException other = assertThrows(
                TillerException.class,
                () -> ModelConfig.parse(
                        Json.parseObject(
                                "{\"model_type\":\"mistral3\",\"text_config\":{\"model_type\":\"ministral3\"}}",
                                "config.json"),
                        "config.json"));
        assertEquals(
                "config.json: text_config: key \"model_type\": expected \"mistral\", found \"ministral3\"",
                other.getMessage());
    }

    @Test
    void theTextPartMayBeTheFileItself() {
        JsonObject flat = small("qwen2_5_vl");
        flat.add("rope_scaling", Json.parse("{\"type\":\"mrope\",\"mrope_section\":[1,1,2]}", "value"));
        flat.add("vision_config", Json.parse("{\"hidden_size\":7}", "value"));
        ModelConfig c = ModelConfig.parse(flat, "config.json");
        assertEquals("qwen2_5_vl_text", c.modelType());
        assertEquals("qwen2_5_vl", c.partOf());
        assertEquals(new RopeConfig("default", 1e6, 1, 0, 0, 0, 8), c.rope());
        JsonObject noText = small("qwen3_vl");
        TillerException e = assertThrows(TillerException.class, () -> ModelConfig.parse(noText, "config.json"));
        assertTrue(e.getMessage().startsWith("config.json: key \"text_config\": expected an object"), e.getMessage());
    }

    /** As the makers of Qwen models say to lengthen the context: max_position_embeddings stays what it was. */
    @Test
    void yarnLengthensTheContext() {
        ModelConfig c = parse(
                "qwen2",
                "rope_scaling",
                "{\"type\":\"yarn\",\"factor\":4.0,\"original_max_position_embeddings\":32768}");
        assertEquals(131072, c.maxPositions());
        assertEquals(0.1 * Math.log(4) + 1, c.rope().attentionFactor());
        assertEquals(new RopeConfig.Ramp(32, 1, true), c.rope().ramp());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "gpt2 transformer.h.3.attn.bias",
                "gpt2 transformer.h.3.attn.masked_bias",
                "gpt_neox gpt_neox.layers.11.attention.rotary_emb.inv_freq",
                "gpt_neox gpt_neox.layers.0.attention.bias",
                "llama model.layers.0.self_attn.rotary_emb.inv_freq",
                "mistral model.layers.31.self_attn.rotary_emb.inv_freq"
            })
    void oldBuffersAreNoNoise(String familyAndName) {
        String[] words = familyAndName.split(" ");
        assertTrue(WeightNames.of(words[0]).isBuffer(words[1]));
        assertFalse(WeightNames.of(words[0]).isBuffer(words[1] + "x"));
        assertFalse(WeightNames.of(words[0]).isBuffer("x" + words[1]));
    }

    @Test
    void prefixesAreMadeWholeUnlessNamesCollide() {
        WeightNames gpt2 = WeightNames.of("gpt2");
        Map<String, Integer> bare = new TreeMap<>(Map.of("h.0.ln_1.bias", 1, "wte.weight", 2, "lm_head.weight", 3));
        assertEquals(
                Map.of("transformer.h.0.ln_1.bias", 1, "transformer.wte.weight", 2, "lm_head.weight", 3),
                gpt2.others().beginningsAsUsual(bare));
        Map<String, Integer> both = Map.of("wte.weight", 1, "transformer.wte.weight", 2);
        assertEquals(both, gpt2.others().beginningsAsUsual(both));
    }

    /** Two beginnings that stand for the same; whichever comes first, none is lost. */
    @Test
    void prefixesWithOneMeaningCollide() {
        OtherNames names = new OtherNames(Map.of("a.", "model.", "b.", "model."), Map.of());
        for (List<String> order : List.of(List.of("a.x", "b.x", "b.y"), List.of("b.y", "b.x", "a.x"))) {
            Map<String, String> tensors = new LinkedHashMap<>();
            order.forEach(name -> tensors.put(name, "tensor " + name));
            assertEquals(
                    Map.of("a.x", "tensor a.x", "b.x", "tensor b.x", "model.y", "tensor b.y"),
                    names.beginningsAsUsual(tensors));
        }
    }
}
