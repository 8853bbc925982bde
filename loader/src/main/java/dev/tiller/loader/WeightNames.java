package dev.tiller.loader;

import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeSet;

/**
 * Tensor names of a family: data, not code. A family lacks the roles that it never has; which of the others a model
 * has depends on its configuration ({@link #expects}).
 */
public final class WeightNames {
    /** %d stands for the block number. */
    private static final String LLAMA = """
            EMBED      model.embed_tokens.weight
            FINAL_NORM model.norm.weight
            LM_HEAD    lm_head.weight
            ATTN_NORM  model.layers.%d.input_layernorm.weight
            Q          model.layers.%d.self_attn.q_proj.weight
            K          model.layers.%d.self_attn.k_proj.weight
            V          model.layers.%d.self_attn.v_proj.weight
            O          model.layers.%d.self_attn.o_proj.weight
            Q_BIAS     model.layers.%d.self_attn.q_proj.bias
            K_BIAS     model.layers.%d.self_attn.k_proj.bias
            V_BIAS     model.layers.%d.self_attn.v_proj.bias
            O_BIAS     model.layers.%d.self_attn.o_proj.bias
            MLP_NORM   model.layers.%d.post_attention_layernorm.weight
            GATE       model.layers.%d.mlp.gate_proj.weight
            UP         model.layers.%d.mlp.up_proj.weight
            DOWN       model.layers.%d.mlp.down_proj.weight
            GATE_BIAS  model.layers.%d.mlp.gate_proj.bias
            UP_BIAS    model.layers.%d.mlp.up_proj.bias
            DOWN_BIAS  model.layers.%d.mlp.down_proj.bias
            """;

    private static final Map<String, WeightNames> FAMILIES = Map.of(
            "llama",
            new WeightNames("llama", LLAMA),
            "qwen2",
            new WeightNames("qwen2", LLAMA)
                    .without(WeightRole.O_BIAS, WeightRole.GATE_BIAS, WeightRole.UP_BIAS, WeightRole.DOWN_BIAS));

    private final String modelType;
    private final Map<WeightRole, String> patterns = new EnumMap<>(WeightRole.class);

    private WeightNames(String modelType, String table) {
        this.modelType = modelType;
        for (String line : table.split("\n")) {
            String[] cells = line.split(" +");
            patterns.put(WeightRole.valueOf(cells[0]), cells[1]);
        }
    }

    private WeightNames without(WeightRole... roles) {
        for (WeightRole role : roles) {
            patterns.remove(role);
        }
        return this;
    }

    /** Names for that model_type; an unknown one is an error that lists those known. */
    public static WeightNames of(String modelType) {
        WeightNames names = FAMILIES.get(modelType);
        if (names == null) {
            throw new TillerException("no tensor names for model_type " + Messages.quote(modelType)
                    + ", expected one of " + new TreeSet<>(FAMILIES.keySet()));
        }
        return names;
    }

    /** True if the family can have that weight at all. */
    public boolean has(WeightRole role) {
        return patterns.containsKey(role);
    }

    /** True if a model of that configuration must have that weight; a tied model has no LM_HEAD. */
    public boolean expects(WeightRole role, ModelConfig config) {
        return has(role)
                && switch (role) {
                    case LM_HEAD -> !config.tiedEmbeddings();
                    case Q_BIAS, K_BIAS, V_BIAS, O_BIAS -> config.attentionBias();
                    case GATE_BIAS, UP_BIAS, DOWN_BIAS -> config.mlpBias();
                    default -> true;
                };
    }

    /** Name and role of every tensor that a model of that configuration must have, block by block. */
    public Map<String, WeightRole> expected(ModelConfig config) {
        Map<String, WeightRole> out = new LinkedHashMap<>();
        for (WeightRole role : WeightRole.values()) {
            if (!role.perBlock() && expects(role, config)) {
                out.put(name(role), role);
            }
        }
        for (int block = 0; block < config.blocks(); block++) {
            for (WeightRole role : WeightRole.values()) {
                if (role.perBlock() && expects(role, config)) {
                    out.put(name(role, block), role);
                }
            }
        }
        return out;
    }

    /** Name of a weight that exists once, e.g. "model.embed_tokens.weight". */
    public String name(WeightRole role) {
        if (role.perBlock()) {
            throw new IllegalArgumentException(role + " exists once per block: a block number is needed");
        }
        return pattern(role);
    }

    /** Name of a block's weight, e.g. "model.layers.3.self_attn.q_proj.weight". */
    public String name(WeightRole role, int block) {
        if (!role.perBlock()) {
            throw new IllegalArgumentException(role + " exists once, not per block");
        }
        return pattern(role).replace("%d", Integer.toString(block));
    }

    private String pattern(WeightRole role) {
        String pattern = patterns.get(role);
        if (pattern == null) {
            throw new IllegalArgumentException("model_type " + modelType + " has no " + role);
        }
        return pattern;
    }
}
