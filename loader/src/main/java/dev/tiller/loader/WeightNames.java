package dev.tiller.loader;

import dev.tiller.loader.ModelConfig.HeadNorm;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Tensor names of a family, from {@code families.txt}. A family lacks the roles that it never has; which of the others a
 * model has depends on its configuration ({@link #expects}).
 */
public final class WeightNames {
    private final String family;
    private final Map<WeightRole, String> patterns;
    private final Set<WeightRole> ones;
    private final Set<WeightRole> optional;
    private final Set<Stored> stored;
    private final List<String> ignored;
    private final Pattern buffers;
    private final OtherNames others;

    /** How matrices are laid out in the file where that is not the usual way. */
    public enum Stored {
        /** Matrices are [inputs, outputs]. */
        TRANSPOSED,
        /** Rows of the fused projection are grouped by head: query, key and value of the first, then of the next. */
        QKV_BY_HEAD,
        /** Rows of query and key heads that are rotated together are neighbours (2j, 2j+1), not (j, j + half). */
        ROTARY_PAIRS
    }

    /**
     * @param patterns names; %d stands for the block number, %e for that of the expert
     * @param ones weights that are one, and in no file
     * @param optional weights that a file may lack in every block: then they are nothing
     * @param ignored names of buffers that hold nothing that the configuration does not say
     * @param others what the tensors are called in some files
     */
    WeightNames(
            String family,
            Map<WeightRole, String> patterns,
            Set<WeightRole> ones,
            Set<WeightRole> optional,
            Set<Stored> stored,
            List<String> ignored,
            OtherNames others) {
        this.family = family;
        this.patterns = new EnumMap<>(patterns);
        this.ones = Set.copyOf(ones);
        this.optional = Set.copyOf(optional);
        this.stored = Set.copyOf(stored);
        this.ignored = List.copyOf(ignored);
        this.buffers = Pattern.compile(ignored.stream()
                .map(name -> Pattern.quote(name).replace("%d", "\\E[0-9]+\\Q"))
                .collect(Collectors.joining("|")));
        this.others = others;
    }

    /** Names for that model_type; an unknown one is an error that lists those known. */
    public static WeightNames of(String modelType) {
        Family family = Families.find(modelType);
        if (family == null) {
            throw new TillerException("no tensor names for model_type " + Messages.quote(modelType)
                    + ", expected one of " + Families.names());
        }
        return family.names();
    }

    Map<WeightRole, String> patterns() {
        return patterns;
    }

    List<String> ignored() {
        return ignored;
    }

    /** How this family's matrices are stored. */
    public Set<Stored> stored() {
        return stored;
    }

    /** True if the family can have that weight at all. */
    public boolean has(WeightRole role) {
        return patterns.containsKey(role) || ones.contains(role);
    }

    /** True if all numbers of that weight are one, in every model of the family: it is in no file. */
    public boolean isOnes(WeightRole role) {
        return ones.contains(role);
    }

    /** Weights that a file may lack in every block: then they are nothing. */
    Set<WeightRole> optional() {
        return optional;
    }

    /** True if a model of that configuration must have that weight, in one block at least. */
    public boolean expects(WeightRole role, ModelConfig config) {
        return patterns.containsKey(role)
                && switch (role) {
                    case LM_HEAD -> !config.tiedEmbeddings();
                    case Q_BIAS, K_BIAS, V_BIAS, QKV_BIAS, O_BIAS -> config.attentionBias();
                    case GATE_BIAS, UP_BIAS, DOWN_BIAS -> config.mlpBias();
                    case Q_NORM, K_NORM -> config.attention().headNorm() != HeadNorm.NONE;
                    default -> !role.ofMixture() || config.perBlock().stream().anyMatch(ModelConfig.Block::mixture);
                };
    }

    /** True if that block must have that weight. */
    public boolean expects(WeightRole role, ModelConfig config, int block) {
        boolean mixture = config.perBlock().get(block).mixture();
        return expects(role, config) && (mixture ? !role.dense() : !role.ofMixture());
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
                if (role.perBlock() && expects(role, config, block)) {
                    int count = role.perExpert() ? config.mlp().mixture().experts() : 1;
                    for (int expert = 0; expert < count; expert++) {
                        out.put(name(role, block, expert), role);
                    }
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
        if (!role.perBlock() || role.perExpert()) {
            throw new IllegalArgumentException(role + " does not exist once per block");
        }
        return name(role, block, 0);
    }

    /** Name of an expert's weight, e.g. "model.layers.3.mlp.experts.5.up_proj.weight". */
    public String name(WeightRole role, int block, int expert) {
        if (!role.perBlock()) {
            throw new IllegalArgumentException(role + " exists once, not per block");
        }
        return pattern(role).replace("%d", Integer.toString(block)).replace("%e", Integer.toString(expert));
    }

    /** True for a buffer that older files carry and nobody needs. */
    boolean isBuffer(String name) {
        return !ignored.isEmpty() && buffers.matcher(name).matches();
    }

    OtherNames others() {
        return others;
    }

    /** Tensors under the names of this table, whatever the file calls them. */
    Map<String, TensorView> canonical(Map<String, TensorView> tensors, ModelConfig config) {
        return others.canonical(tensors, this, config);
    }

    private String pattern(WeightRole role) {
        String pattern = patterns.get(role);
        if (pattern == null) {
            throw new IllegalArgumentException("model_type " + family + " has no " + role);
        }
        return pattern;
    }
}
