package dev.tiller.loader.gguf;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import dev.tiller.loader.ModelConfig;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * The config.json that a model would have at Hugging Face, from the metadata and tensors of its GGUF file. Keys begin with
 * the architecture; where one may be absent, the default is that of llama.cpp, which also fixes what its converters leave
 * out (the windows of Gemma's blocks, the scale of its queries). What the file asks for and no family does is refused by
 * key.
 */
final class GgufConfig {
    /** llama.cpp and its converters write 2^32-1 for "no such token". */
    private static final long NO_TOKEN = 0xFFFFFFFFL;

    /** Keys whose tokens end a generation. */
    private static final List<String> END_TOKENS = List.of("eos_token_id", "eot_token_id", "eom_token_id");

    /** Class of transformers for a model_type. */
    private static final Map<String, String> CLASSES = Map.of(
            "llama", "LlamaForCausalLM",
            "mistral", "MistralForCausalLM",
            "mixtral", "MixtralForCausalLM",
            "qwen2", "Qwen2ForCausalLM",
            "qwen3", "Qwen3ForCausalLM",
            "qwen3_moe", "Qwen3MoeForCausalLM",
            "gemma2", "Gemma2ForCausalLM",
            "gemma3_text", "Gemma3ForCausalLM",
            "phi3", "Phi3ForCausalLM");

    /** Settings of other families, and the value that changes nothing. */
    private static final Map<String, Double> NEUTRAL = Map.of(
            "logit_scale", 1.0,
            "residual_scale", 1.0,
            "embedding_scale", 1.0,
            "attention.clamp_kqv", 0.0,
            "attention.max_alibi_bias", 0.0,
            "expert_shared_count", 0.0,
            "expert_gating_func", 1.0);

    private final Gguf file;
    private final GgufKeys keys;
    private final String architecture;
    private final JsonObject json = new JsonObject();

    private GgufConfig(Gguf file, String architecture) {
        this.file = file;
        this.keys = new GgufKeys(file, architecture);
        this.architecture = architecture;
    }

    static ModelConfig read(Gguf file) {
        return ModelConfig.parse(huggingFace(file), file.path().toString());
    }

    /** The entries of the config.json; an architecture or a setting that is not supported is refused. */
    static JsonObject huggingFace(Gguf file) {
        String architecture = architecture(file);
        return new GgufConfig(file, architecture).write();
    }

    /** What {@code general.architecture} says; others than the supported ones are refused. */
    static String architecture(Gguf file) {
        String architecture = file.metadata().string("general.architecture").orElse("nothing");
        if (!GgufNames.ARCHITECTURES.contains(architecture)) {
            throw new TillerException(file.path() + ": key general.architecture: expected one of "
                    + String.join(", ", GgufNames.ARCHITECTURES) + ", found " + architecture);
        }
        return architecture;
    }

    private JsonObject write() {
        refuseUnsupported();
        int hidden = keys.required("embedding_length");
        int blocks = keys.required("block_count");
        if (blocks > file.tensors().size()) {
            String most = "no more blocks than the file has tensors, "
                    + file.tensors().size();
            throw keys.error("block_count", most, blocks);
        }
        int heads = keys.required("attention.head_count");
        int kvHeads = keys.optional("attention.head_count_kv", heads);
        if (heads % kvHeads != 0) {
            throw keys.error("attention.head_count_kv", "a divisor of " + heads, kvHeads);
        }
        int headDim = headDim(hidden, heads);
        int vocabulary = vocabularySize(hidden);
        int positions = keys.required("context_length");
        String type = modelType();
        JsonArray classes = new JsonArray();
        classes.add(CLASSES.get(type));
        json.add("architectures", classes);
        json.addProperty("model_type", type);
        json.addProperty("hidden_size", hidden);
        json.addProperty("intermediate_size", keys.required("feed_forward_length"));
        json.addProperty("num_hidden_layers", blocks);
        json.addProperty("num_attention_heads", heads);
        json.addProperty("num_key_value_heads", kvHeads);
        if (type.equals("phi3")) {
            refusePhiWidth(hidden, heads, headDim);
        } else {
            json.addProperty("head_dim", headDim);
        }
        json.addProperty("vocab_size", vocabulary);
        json.addProperty("max_position_embeddings", positions);
        json.addProperty("rms_norm_eps", keys.number("attention.layer_norm_rms_epsilon", Double.NaN, 0, 1));
        json.addProperty("tie_word_embeddings", file.tensor(GgufNames.HEAD).isEmpty());
        new GgufRope(file, keys, json).write(headDim, positions, type.equals("phi3"));
        family(type, blocks, hidden / heads, headDim);
        tokens(vocabulary);
        return json;
    }

    private void refuseUnsupported() {
        NEUTRAL.forEach((name, value) -> {
            double found = keys.number(name, value, -Double.MAX_VALUE, Double.MAX_VALUE);
            if (found != value && !(found == 0 && name.endsWith("_scale")) && !(found == 0 && name.endsWith("_func"))) {
                throw keys.error(name, value.toString(), found);
            }
        });
        if (!keys.bool("attention.causal", true)) {
            throw keys.error("attention.causal", "true", false);
        }
    }

    /** One architecture of GGUF is three families: windows and experts tell them apart. */
    private String modelType() {
        return switch (architecture) {
            case "llama" ->
                keys.integer("expert_count", 0, 0) > 0
                        ? "mixtral"
                        : keys.integer("attention.sliding_window", 0, 0) > 0 ? "mistral" : "llama";
            case "qwen3moe" -> "qwen3_moe";
            case "gemma3" -> "gemma3_text";
            default -> architecture;
        };
    }

    private int headDim(int hidden, int heads) {
        if (hidden % heads != 0 && !keys.has("attention.key_length")) {
            throw keys.error("attention.head_count", "a divisor of " + hidden, heads);
        }
        int headDim = keys.optional("attention.key_length", Math.max(1, hidden / heads));
        int valueDim = keys.optional("attention.value_length", headDim);
        if (valueDim != headDim) {
            throw keys.error("attention.value_length", Integer.toString(headDim), valueDim);
        }
        if (headDim % 2 != 0 || (long) heads * headDim > Integer.MAX_VALUE) {
            throw keys.error("attention.key_length", "an even width of heads", headDim);
        }
        return headDim;
    }

    /** The configuration of Phi-3 has no entry for the width of a head. */
    private void refusePhiWidth(int hidden, int heads, int headDim) {
        if ((long) headDim * heads != hidden) {
            throw keys.error("attention.key_length", "the width of the model by its heads, " + hidden / heads, headDim);
        }
    }

    /** V is what the embedding table has rows; key and token list must agree with it. */
    private int vocabularySize(int hidden) {
        GgufTensor embed = file.tensor(GgufNames.EMBED)
                .orElseThrow(() -> new TillerException(file.path() + ": expected tensor " + GgufNames.EMBED));
        long[] dims = embed.dims();
        if (dims.length != 2 || dims[0] != hidden || dims[1] > Integer.MAX_VALUE) {
            throw new TillerException(file.path() + ": tensor " + GgufNames.EMBED + ": expected dimensions [" + hidden
                    + ", vocabulary], found " + embed.describe());
        }
        int rows = (int) dims[1];
        long stated = keys.integer("vocab_size", rows, 1);
        if (stated != rows) {
            throw keys.error("vocab_size", "the " + rows + " rows of " + GgufNames.EMBED, stated);
        }
        return rows;
    }

    private void family(String type, int blocks, int shareOfWidth, int headDim) {
        boolean gemma = type.startsWith("gemma");
        json.addProperty(gemma ? "hidden_activation" : "hidden_act", gemma ? "gelu_pytorch_tanh" : "silu");
        switch (type) {
            case "llama" -> {
                json.addProperty("attention_bias", has(0, "attn_q.bias"));
                json.addProperty("mlp_bias", has(0, "ffn_gate.bias"));
            }
            case "mistral" -> window();
            case "mixtral" -> {
                window();
                json.addProperty("num_local_experts", keys.required("expert_count"));
                json.addProperty("num_experts_per_tok", expertsUsed());
            }
            case "qwen2", "qwen3", "qwen3_moe" -> qwen(type, blocks);
            case "gemma2" -> {
                gemma(blocks, 46, shareOfWidth, headDim);
                windows(blocks, keys.optional("attention.sliding_window", 4096), 2);
                softCap("attn_logit_softcapping", 50);
                softCap("final_logit_softcapping", 30);
            }
            case "gemma3_text" -> {
                gemma(blocks, 62, shareOfWidth, headDim);
                windows(blocks, keys.required("attention.sliding_window"), 6);
                softCap("attn_logit_softcapping", 0);
                softCap("final_logit_softcapping", 0);
                json.addProperty("rope_local_base_freq", keys.number("rope.freq_base_swa", 10000, 0, Double.MAX_VALUE));
            }
            case "phi3" -> {
                window();
                json.addProperty(
                        "original_max_position_embeddings",
                        keys.optional("rope.scaling.original_context_length", keys.required("context_length")));
            }
            default -> throw new IllegalStateException(type);
        }
        if (!gemma) {
            requireScale(headDim);
        }
    }

    private void qwen(String type, int blocks) {
        if (keys.integer("attention.sliding_window", 0, 0) > 0) {
            throw keys.error(
                    "attention.sliding_window", "0 (no window)", keys.integer("attention.sliding_window", 0, 0));
        }
        json.addProperty("use_sliding_window", false);
        json.add("sliding_window", JsonNull.INSTANCE);
        if (!type.equals("qwen2")) {
            json.addProperty("attention_bias", has(0, "attn_q.bias"));
        }
        if (type.equals("qwen3_moe")) {
            json.addProperty("num_experts", keys.required("expert_count"));
            json.addProperty("num_experts_per_tok", expertsUsed());
            json.addProperty("moe_intermediate_size", keys.required("expert_feed_forward_length"));
            json.addProperty("norm_topk_prob", keys.bool("expert_weights_norm", true));
            json.addProperty("decoder_sparse_step", 1);
            JsonArray dense = new JsonArray();
            for (int b = 0; b < blocks; b++) {
                if (!has(b, "ffn_gate_inp.weight")) {
                    dense.add(b);
                }
            }
            json.add("mlp_only_layers", dense);
        } else if (keys.integer("expert_count", 0, 0) > 0) {
            throw keys.error("expert_count", "a model without experts", keys.integer("expert_count", 0, 0));
        }
    }

    private int expertsUsed() {
        int used = keys.required("expert_used_count");
        if (used > keys.required("expert_count")) {
            throw keys.error("expert_used_count", "at most the experts, " + keys.required("expert_count"), used);
        }
        return used;
    }

    /** The window of all blocks; 0 and nothing mean none. */
    private void window() {
        long window = keys.integer("attention.sliding_window", 0, 0);
        json.add("sliding_window", window == 0 ? JsonNull.INSTANCE : new JsonPrimitive(window));
    }

    /**
     * Queries are divided by the root of the width of a head, in the 27B models by that of the model's width by its heads;
     * no key tells, so llama.cpp goes by the number of blocks. A file that states the scale is believed.
     */
    private void gemma(int blocks, int blocksOf27B, int shareOfWidth, int headDim) {
        double scalar = blocks == blocksOf27B ? shareOfWidth : headDim;
        if (keys.has("attention.scale")) {
            double scale = keys.number("attention.scale", Double.NaN, 0, 1e6);
            scalar = 1 / (scale * scale);
            if (Math.abs(scalar - Math.rint(scalar)) <= 1e-6 * scalar) {
                scalar = Math.rint(scalar);
            }
        }
        if (scalar == Math.rint(scalar)) {
            json.addProperty("query_pre_attn_scalar", (long) scalar);
        } else {
            json.addProperty("query_pre_attn_scalar", scalar);
        }
        json.addProperty("attention_bias", false);
    }

    private void requireScale(int headDim) {
        double expected = 1 / Math.sqrt(headDim);
        double scale = keys.number("attention.scale", expected, -1, 1e6);
        if (scale != 0 && Math.abs(scale - expected) > 1e-6 * expected) {
            throw keys.error("attention.scale", "one by the root of the width of a head, " + expected, scale);
        }
    }

    /** All blocks but each last of {@code pattern} have a window; a file may state another pattern. */
    private void windows(int blocks, int window, int pattern) {
        String name = "attention.sliding_window_pattern";
        boolean[] windowed = new boolean[blocks];
        int every = keys.has(name) && !file.metadata().isArray(keys.key(name)) ? keys.optional(name, pattern) : pattern;
        for (int b = 0; b < blocks; b++) {
            windowed[b] = (b + 1) % every != 0;
        }
        if (file.metadata().isArray(keys.key(name))) {
            windowed = file.metadata().bools(keys.key(name)).orElseThrow();
            if (windowed.length != blocks) {
                throw keys.error(name, blocks + " elements (one per block)", windowed.length);
            }
        }
        JsonArray types = new JsonArray();
        for (boolean w : windowed) {
            types.add(w ? "sliding_attention" : "full_attention");
        }
        json.addProperty("sliding_window", window);
        json.add("layer_types", types);
    }

    /** @param otherwise what llama.cpp takes where the key is absent; 0 is none */
    private void softCap(String name, double otherwise) {
        double cap = keys.number(name, otherwise, -1, Double.MAX_VALUE);
        if (cap < 0) {
            throw keys.error(name, "a positive number, or 0 for none", cap);
        }
        json.add(name, cap == 0 ? JsonNull.INSTANCE : new JsonPrimitive(cap));
    }

    private boolean has(int block, String tensor) {
        return file.tensor("blk." + block + "." + tensor).isPresent();
    }

    private void tokens(int vocabulary) {
        json.add("bos_token_id", token(tokenId(file, "bos_token_id", vocabulary)));
        List<Integer> ends = endIds(vocabulary);
        if (ends.size() > 1) {
            JsonArray ids = new JsonArray();
            ends.forEach(ids::add);
            json.add("eos_token_id", ids);
        } else {
            json.add("eos_token_id", token(ends.isEmpty() ? -1 : ends.getFirst()));
        }
        json.add("pad_token_id", token(tokenId(file, "padding_token_id", vocabulary)));
    }

    private static JsonElement token(int id) {
        return id < 0 ? JsonNull.INSTANCE : new JsonPrimitive(id);
    }

    private List<Integer> endIds(int vocabulary) {
        List<Integer> ids = new ArrayList<>();
        for (String name : END_TOKENS) {
            int id = tokenId(file, name, vocabulary);
            if (id >= 0 && !ids.contains(id)) {
                ids.add(id);
            }
        }
        return ids;
    }

    /** The token that {@code tokenizer.ggml.NAME} names, -1 if none; one outside the vocabulary is refused. */
    static int tokenId(Gguf file, String name, int vocabulary) {
        String key = "tokenizer.ggml." + name;
        OptionalLong id = file.metadata().integer(key);
        if (id.isEmpty() || id.getAsLong() == NO_TOKEN || id.getAsLong() == -1) {
            return -1;
        }
        if (id.getAsLong() < 0 || id.getAsLong() >= vocabulary) {
            throw new TillerException(file.path() + ": key " + key + ": expected a token below " + vocabulary
                    + ", found " + id.getAsLong());
        }
        return (int) id.getAsLong();
    }
}
