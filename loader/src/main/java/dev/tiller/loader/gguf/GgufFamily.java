package dev.tiller.loader.gguf;

import com.google.gson.JsonArray;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.util.Map;

/** Which family of Hugging Face a GGUF file is of, and the entries of config.json that this family alone has. */
final class GgufFamily {
    private static final String WINDOW = "attention.sliding_window";
    private static final String PATTERN = "attention.sliding_window_pattern";

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

    private final Gguf file;
    private final GgufKeys keys;
    private final String architecture;
    private final JsonObject json;
    private final String type;

    /** @param json gets the entries */
    GgufFamily(Gguf file, GgufKeys keys, String architecture, JsonObject json) {
        this.file = file;
        this.keys = keys;
        this.architecture = architecture;
        this.json = json;
        this.type = modelType();
    }

    /** The model_type. */
    String type() {
        return type;
    }

    /** The class of transformers. */
    String className() {
        return CLASSES.get(type);
    }

    /**
     * One architecture of GGUF is four families: experts, windows and biases tell them apart. Biases of queries, keys and
     * values without one of the output are Qwen 2's block (InternLM 3 has it, for one), whose names are otherwise Llama's.
     */
    private String modelType() {
        return switch (architecture) {
            case "llama" ->
                keys.integer("expert_count", 0, 0) > 0
                        ? "mixtral"
                        : biasedAsQwen() ? "qwen2" : keys.integer(WINDOW, 0, 0) > 0 ? "mistral" : "llama";
            case "qwen3moe" -> "qwen3_moe";
            case "gemma3" -> "gemma3_text";
            default -> architecture;
        };
    }

    private boolean biasedAsQwen() {
        return has(0, "attn_q.bias") && !has(0, "attn_output.bias") && !has(0, "ffn_gate.bias");
    }

    private boolean has(int block, String tensor) {
        return file.tensor("blk." + block + "." + tensor).isPresent();
    }

    /**
     * @param shareOfWidth the width of the model by the number of heads
     * @param headDim the width of a head
     */
    void write(int blocks, int shareOfWidth, int headDim) {
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
            case "qwen2", "qwen3", "qwen3_moe" -> qwen(blocks);
            case "gemma2" -> {
                gemma(blocks, 46, shareOfWidth, headDim);
                windows(blocks, keys.optional(WINDOW, 4096), 2);
                softCap("attn_logit_softcapping", 50);
                softCap("final_logit_softcapping", 30);
            }
            case "gemma3_text" -> {
                gemma(blocks, 62, shareOfWidth, headDim);
                windows(blocks, keys.required(WINDOW), 6);
                softCap("attn_logit_softcapping", 0);
                softCap("final_logit_softcapping", 0);
                json.addProperty("rope_local_base_freq", keys.number("rope.freq_base_swa", 10000, 0, Double.MAX_VALUE));
            }
            case "phi3" -> {
                window();
                json.addProperty("original_max_position_embeddings", originalLength());
            }
            default -> throw new IllegalStateException(type);
        }
        if (!gemma) {
            requireScale(headDim);
            refusePattern();
            refuseOver0("attn_logit_softcapping");
            refuseOver0("final_logit_softcapping");
        }
        if (!type.equals("mixtral") && !type.equals("qwen3_moe")) {
            refuseOver0("expert_count");
        }
    }

    /** Not above the context, where a file shortens that. */
    private int originalLength() {
        int context = keys.required("context_length");
        return Math.min(context, keys.optional("rope.scaling.original_context_length", context));
    }

    private void qwen(int blocks) {
        long window = keys.integer(WINDOW, 0, 0);
        if (window > 0 && !architecture.equals("llama")) {
            throw keys.error(WINDOW, "0 (no window)", window);
        }
        json.addProperty("use_sliding_window", window > 0);
        window();
        if (window > 0) {
            json.addProperty("max_window_layers", 0);
        }
        if (!type.equals("qwen2")) {
            json.addProperty("attention_bias", has(0, "attn_q.bias"));
        }
        if (type.equals("qwen3_moe")) {
            mixture(blocks);
        }
    }

    private void mixture(int blocks) {
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
        long window = keys.integer(WINDOW, 0, 0);
        json.add("sliding_window", window == 0 ? JsonNull.INSTANCE : new JsonPrimitive(window));
    }

    /** Something that only other families have. */
    private void refuseOver0(String name) {
        double found = keys.number(name, 0, -Double.MAX_VALUE, Double.MAX_VALUE);
        if (found != 0) {
            throw keys.error(name, "0 in a " + type + " model", keys.describe(name));
        }
    }

    /** A window in some blocks only is Gemma's alone. */
    private void refusePattern() {
        if (keys.has(PATTERN) && keys.integer(WINDOW, 0, 0) > 0) {
            throw keys.error(PATTERN, "no such key (a window in every block)", keys.describe(PATTERN));
        }
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
        json.addProperty("attention_bias", has(0, "attn_q.bias"));
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
        boolean[] windowed = new boolean[blocks];
        boolean byBlock = file.metadata().isArray(keys.key(PATTERN));
        int every = keys.has(PATTERN) && !byBlock ? keys.optional(PATTERN, pattern) : pattern;
        for (int b = 0; b < blocks; b++) {
            windowed[b] = (b + 1) % every != 0;
        }
        if (byBlock) {
            windowed = file.metadata().bools(keys.key(PATTERN)).orElseThrow();
            if (windowed.length != blocks) {
                throw keys.error(PATTERN, blocks + " elements (one per block)", windowed.length);
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
}
