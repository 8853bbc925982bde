package dev.tiller.loader.gguf;

import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Tensor names of llama-like models: GGUF's on the left, Hugging Face's on the right. */
final class GgufNames {
    static final String EMBED = "token_embd.weight";
    static final String HEAD = "output.weight";

    /** Not a weight: divisors of the rotary frequencies, read into the configuration. */
    static final String ROPE_FACTORS = "rope_freqs.weight";

    private static final Map<String, String> ONCE = Map.of(
            "token_embd", "model.embed_tokens",
            "output_norm", "model.norm",
            "output", "lm_head");

    private static final Map<String, String> PER_BLOCK = Map.of(
            "attn_norm", "input_layernorm",
            "attn_q", "self_attn.q_proj",
            "attn_k", "self_attn.k_proj",
            "attn_v", "self_attn.v_proj",
            "attn_output", "self_attn.o_proj",
            "ffn_norm", "post_attention_layernorm",
            "ffn_gate", "mlp.gate_proj",
            "ffn_up", "mlp.up_proj",
            "ffn_down", "mlp.down_proj");

    private static final Pattern BLOCK = Pattern.compile("blk\\.(0|[1-9][0-9]{0,8})\\.([a-z_]+)\\.(weight|bias)");
    private static final Pattern SINGLE = Pattern.compile("([a-z_]+)\\.(weight|bias)");

    private GgufNames() {}

    /** The Hugging Face name, empty if a model of that many blocks has no such tensor. */
    static Optional<String> toHuggingFace(String name, int blocks) {
        Matcher block = BLOCK.matcher(name);
        if (block.matches()) {
            String part = PER_BLOCK.get(block.group(2));
            return part == null || Integer.parseInt(block.group(1)) >= blocks
                    ? Optional.empty()
                    : Optional.of("model.layers." + block.group(1) + "." + part + "." + block.group(3));
        }
        Matcher single = SINGLE.matcher(name);
        return single.matches()
                ? Optional.ofNullable(ONCE.get(single.group(1))).map(part -> part + "." + single.group(2))
                : Optional.empty();
    }

    static boolean isQuery(String name) {
        return name.startsWith("blk.") && name.contains(".attn_q.");
    }

    static boolean isKey(String name) {
        return name.startsWith("blk.") && name.contains(".attn_k.");
    }
}
