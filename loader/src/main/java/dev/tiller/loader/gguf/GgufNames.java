package dev.tiller.loader.gguf;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Tensor names of an architecture: GGUF's on the left, Hugging Face's on the right; data, not code. */
final class GgufNames {
    static final String EMBED = "token_embd.weight";
    static final String HEAD = "output.weight";

    /** Not weights: numbers for the rotary frequencies, read into the configuration. */
    static final String ROPE_FACTORS = "rope_freqs.weight";

    static final String LONG_FACTORS = "rope_factors_long.weight";
    static final String SHORT_FACTORS = "rope_factors_short.weight";

    /** Stands for the number of an expert in names of Hugging Face. */
    static final String EXPERT = "%e";

    /** Names without .weight or .bias; %d is the block, %e the expert, "-" what is no weight. */
    private static final String SHARED = """
            token_embd         model.embed_tokens
            output_norm        model.norm
            output             lm_head
            blk.%d.attn_norm   model.layers.%d.input_layernorm
            blk.%d.attn_output model.layers.%d.self_attn.o_proj
            blk.%d.ffn_down    model.layers.%d.mlp.down_proj
            """;

    private static final String ATTENTION = """
            blk.%d.attn_q model.layers.%d.self_attn.q_proj
            blk.%d.attn_k model.layers.%d.self_attn.k_proj
            blk.%d.attn_v model.layers.%d.self_attn.v_proj
            """;

    private static final String HEAD_NORMS = """
            blk.%d.attn_q_norm model.layers.%d.self_attn.q_norm
            blk.%d.attn_k_norm model.layers.%d.self_attn.k_norm
            """;

    private static final String GATED = """
            blk.%d.ffn_gate model.layers.%d.mlp.gate_proj
            blk.%d.ffn_up   model.layers.%d.mlp.up_proj
            """;

    private static final String MLP_NORM = """
            blk.%d.ffn_norm model.layers.%d.post_attention_layernorm
            """;

    /** The third and fourth norm; ffn_norm, which comes before the MLP, has another name than elsewhere. */
    private static final String FOUR_NORMS = """
            blk.%d.post_attention_norm model.layers.%d.post_attention_layernorm
            blk.%d.ffn_norm            model.layers.%d.pre_feedforward_layernorm
            blk.%d.post_ffw_norm       model.layers.%d.post_feedforward_layernorm
            """;

    /** Experts in one tensor, or in one each as older files have them. */
    private static final String MIXTRAL = """
            rope_freqs           -
            blk.%d.ffn_gate_inp  model.layers.%d.block_sparse_moe.gate
            blk.%d.ffn_gate_exps model.layers.%d.block_sparse_moe.experts.%e.w1
            blk.%d.ffn_down_exps model.layers.%d.block_sparse_moe.experts.%e.w2
            blk.%d.ffn_up_exps   model.layers.%d.block_sparse_moe.experts.%e.w3
            blk.%d.ffn_gate.%e   model.layers.%d.block_sparse_moe.experts.%e.w1
            blk.%d.ffn_down.%e   model.layers.%d.block_sparse_moe.experts.%e.w2
            blk.%d.ffn_up.%e     model.layers.%d.block_sparse_moe.experts.%e.w3
            """;

    private static final String QWEN_EXPERTS = """
            blk.%d.ffn_gate_inp  model.layers.%d.mlp.gate
            blk.%d.ffn_gate_exps model.layers.%d.mlp.experts.%e.gate_proj
            blk.%d.ffn_down_exps model.layers.%d.mlp.experts.%e.down_proj
            blk.%d.ffn_up_exps   model.layers.%d.mlp.experts.%e.up_proj
            """;

    private static final String FUSED = """
            rope_factors_long  -
            rope_factors_short -
            blk.%d.attn_qkv    model.layers.%d.self_attn.qkv_proj
            blk.%d.ffn_up      model.layers.%d.mlp.gate_up_proj
            """;

    private static final Map<String, GgufNames> TABLES = new LinkedHashMap<>();

    static {
        add("llama", ATTENTION, GATED, MLP_NORM, MIXTRAL);
        add("qwen2", ATTENTION, GATED, MLP_NORM);
        add("qwen3", ATTENTION, HEAD_NORMS, GATED, MLP_NORM);
        add("qwen3moe", ATTENTION, HEAD_NORMS, GATED, MLP_NORM, QWEN_EXPERTS);
        add("gemma2", ATTENTION, GATED, FOUR_NORMS);
        add("gemma3", ATTENTION, HEAD_NORMS, GATED, FOUR_NORMS);
        add("phi3", FUSED, MLP_NORM);
    }

    /** The supported values of general.architecture. */
    static final List<String> ARCHITECTURES = List.copyOf(TABLES.keySet());

    private static final Pattern BLOCK =
            Pattern.compile("blk\\.(0|[1-9][0-9]{0,8})\\.([a-z_]+)(?:\\.(0|[1-9][0-9]{0,8}))?\\.(weight|bias)");
    private static final Pattern SINGLE = Pattern.compile("([a-z_]+)\\.(weight|bias)");

    private final Map<String, String> names = new LinkedHashMap<>();

    private static void add(String architecture, String... tables) {
        GgufNames made = new GgufNames();
        for (String line : (SHARED + String.join("", tables)).split("\n")) {
            String[] cells = line.split(" +");
            made.names.put(cells[0], cells[1]);
        }
        TABLES.put(architecture, made);
    }

    /** The table of one of {@link #ARCHITECTURES}. */
    static GgufNames of(String architecture) {
        return TABLES.get(architecture);
    }

    /** True for a tensor that is no weight: its numbers are part of the configuration. */
    boolean isSetting(String name) {
        return name.endsWith(".weight") && "-".equals(names.get(name.substring(0, name.length() - ".weight".length())));
    }

    /**
     * The Hugging Face name, empty if a model of that many blocks has no such tensor. It holds {@link #EXPERT} if the tensor
     * has those of all experts.
     */
    Optional<String> toHuggingFace(String name, int blocks) {
        Matcher block = BLOCK.matcher(name);
        if (block.matches()) {
            String expert = block.group(3);
            String found = names.get("blk.%d." + block.group(2) + (expert == null ? "" : "." + EXPERT));
            if (found == null || Integer.parseInt(block.group(1)) >= blocks) {
                return Optional.empty();
            }
            String whole = found.replace("%d", block.group(1)) + "." + block.group(4);
            return Optional.of(expert == null ? whole : whole.replace(EXPERT, expert));
        }
        Matcher single = SINGLE.matcher(name);
        return single.matches()
                ? Optional.ofNullable(names.get(single.group(1)))
                        .filter(part -> !part.equals("-"))
                        .map(part -> part + "." + single.group(2))
                : Optional.empty();
    }

    /** The GGUF name of a tensor by its Hugging Face name, for messages. */
    String toGguf(String name) {
        int dot = name.lastIndexOf('.');
        String stem = name.substring(0, dot).replaceAll("\\.experts\\.[0-9]+\\.", ".experts." + EXPERT + ".");
        Matcher number = Pattern.compile("\\.layers\\.([0-9]+)\\.").matcher(stem);
        String block = number.find() ? number.group(1) : "";
        String pattern = number.replaceFirst(".layers.%d.");
        for (Map.Entry<String, String> entry : names.entrySet()) {
            if (entry.getValue().equals(pattern)) {
                return entry.getKey().replace("%d", block) + name.substring(dot);
            }
        }
        return name;
    }

    static boolean isQuery(String name) {
        return name.startsWith("blk.") && name.contains(".attn_q.");
    }

    static boolean isKey(String name) {
        return name.startsWith("blk.") && name.contains(".attn_k.");
    }
}
