package dev.tiller.loader;

import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import dev.tiller.loader.ModelConfig.Attention;
import dev.tiller.loader.ModelConfig.Block;
import dev.tiller.loader.ModelConfig.HeadNorm;
import dev.tiller.loader.ModelConfig.Mixture;
import dev.tiller.loader.ModelConfig.Mlp;
import dev.tiller.loader.ModelConfig.Norms;
import dev.tiller.loader.ModelConfig.Rotation;
import dev.tiller.loader.ModelConfig.Scales;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * Reads config.json. Defaults are those of transformers' configuration classes (5.18); sizes that make the model have
 * none here, so that a file which lacks them is refused instead of becoming a model of another size. (Gemma 3 has some
 * nevertheless: published files of it leave them out.)
 */
final class ModelConfigReader {
    /** Where a model of several parts has the settings of the part that is read. */
    private static final String TEXT_CONFIG = "text_config";

    /** Keys that count for the text part as well if it does not say anything else. */
    private static final List<String> OF_THE_WHOLE =
            List.of("bos_token_id", "eos_token_id", "pad_token_id", "tie_word_embeddings", "quantization_config");

    private static final Set<String> ACTIVATIONS =
            Set.of("silu", "swish", "gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast");

    private static final int MOST_BLOCKS = 10_000;

    private static final String SLIDING = "sliding_attention";
    private static final String FULL = "full_attention";

    private final JsonObject json;
    private final ConfigValues values;
    private final Family family;
    private final String source;
    private final String partOf;

    private ModelConfigReader(JsonObject json, Family family, String source, String partOf) {
        this.json = json;
        this.values = new ConfigValues(json, family, source);
        this.family = family;
        this.source = source;
        this.partOf = partOf;
    }

    static ModelConfig read(JsonObject json, String source) {
        String modelType = Json.string(json, "model_type", source);
        Families.Whole whole = Families.wholesByName().get(modelType);
        if (whole != null) {
            return readPart(json, source, modelType, whole);
        }
        Family family = Families.find(modelType);
        if (family == null) {
            Set<String> known = new TreeSet<>(Families.names());
            known.addAll(Families.wholesByName().keySet());
            throw Json.wrong("model_type", "one of " + known, json.get("model_type"), source);
        }
        return new ModelConfigReader(json, family, source, "").read();
    }

    private static ModelConfig readPart(JsonObject json, String source, String modelType, Families.Whole whole) {
        Family family = Families.find(whole.text());
        if (whole.flat() && !json.has(TEXT_CONFIG)) {
            return new ModelConfigReader(json, family, source, modelType).read();
        }
        String where = source + ": " + TEXT_CONFIG;
        JsonObject part = textPart(json, source);
        if (!Json.stringOr(part, "model_type", family.name(), where).equals(family.name())) {
            throw Json.wrong("model_type", Messages.quote(family.name()), part.get("model_type"), where);
        }
        return new ModelConfigReader(part, family, where, modelType).read();
    }

    private static JsonObject textPart(JsonObject json, String source) {
        JsonObject part = Json.object(json, TEXT_CONFIG, source).deepCopy();
        for (String key : OF_THE_WHOLE) {
            if (!part.has(key) && json.has(key)) {
                part.add(key, json.get(key));
            }
        }
        return part;
    }

    private ModelConfig read() {
        refuseUnsupported();
        int hidden = values.positive("hidden_size");
        int blocks = values.positive("num_hidden_layers", MOST_BLOCKS);
        int vocab = values.positive("vocab_size");
        Attention attention = attention(hidden);
        RopeReader rope = new RopeReader(json, values, attention.headDim());
        int maxPositions = rope.maxPositions();
        boolean rotary = !family.names().has(WeightRole.POSITIONS);
        boolean local = family.knows("rope_local_base_freq");
        return new ModelConfig(
                family.name(),
                partOf,
                hidden,
                vocab,
                maxPositions,
                attention,
                mlp(hidden),
                norms(),
                scales(hidden),
                rotary ? rope.global() : null,
                local ? rope.local() : null,
                family.parallel() && (family.parallelKey() == null || values.bool(family.parallelKey())),
                values.bool("tie_word_embeddings"),
                perBlock(blocks, rotary, local),
                token("bos_token_id", vocab),
                eosIds(vocab),
                token("pad_token_id", vocab));
    }

    private void refuseUnsupported() {
        if (Json.has(json, "quantization_config")) {
            JsonObject quantization = Json.object(json, "quantization_config", source);
            String method = Json.stringOr(quantization, "quant_method", "of an unnamed method", source);
            throw new TillerException(source + ": key \"quantization_config\": expected none (weights in F32, F16 or"
                    + " BF16), found " + Messages.quote(method));
        }
        values.only("clip_qkv", JsonNull.INSTANCE);
        values.only("is_causal", new JsonPrimitive(true));
        family.only().forEach(values::only);
    }

    private Attention attention(int hidden) {
        int heads = values.positive("num_attention_heads");
        int headDim = headDim(hidden, heads);
        int kvHeads = values.positiveOr("num_key_value_heads", heads);
        if (heads % kvHeads != 0) {
            throw values.wrong("num_key_value_heads", "a divisor of num_attention_heads (" + heads + ")", kvHeads);
        }
        HeadNorm norm =
                family.headNormKey() == null || values.bool(family.headNormKey()) ? family.headNorm() : HeadNorm.NONE;
        return new Attention(
                heads,
                kvHeads,
                headDim,
                attentionScale(headDim),
                cap("attn_logit_softcapping"),
                values.bool("attention_bias"),
                norm);
    }

    private int headDim(int hidden, int heads) {
        if (!values.has("head_dim") && hidden % heads != 0) {
            throw values.wrong("hidden_size", "a multiple of num_attention_heads (" + heads + ")");
        }
        int headDim = values.positiveOr("head_dim", hidden / heads);
        if (headDim % 2 != 0) {
            throw values.wrong("head_dim", "an even number, as rotary positions need", headDim);
        }
        if ((long) headDim * heads > ConfigValues.MOST) {
            throw values.wrong(
                    "head_dim", "at most " + ConfigValues.MOST / heads + " with " + heads + " heads", headDim);
        }
        return headDim;
    }

    private float attentionScale(int headDim) {
        if (family.knows("attention_multiplier")) {
            return (float) values.above0("attention_multiplier");
        }
        if (family.knows("scale_attn_weights") && !values.bool("scale_attn_weights")) {
            return 1;
        }
        double divisor = family.knows("query_pre_attn_scalar") ? values.above0("query_pre_attn_scalar") : headDim;
        return (float) (1 / Math.sqrt(divisor));
    }

    /** A soft cap; 0 = none. */
    private float cap(String key) {
        return values.has(key) ? (float) values.above0(key) : 0;
    }

    private Mlp mlp(int hidden) {
        boolean gated = !family.names().has(WeightRole.UP) || family.names().has(WeightRole.GATE);
        // GPT-2 alone knows a default: four times the model's width.
        int size = family.knows("intermediate_size")
                ? values.positiveOr("intermediate_size", 4 * hidden)
                : values.positive("intermediate_size");
        return new Mlp(size, activation(), gated, values.bool("mlp_bias"), mixture(size));
    }

    private Mixture mixture(int intermediateSize) {
        if (!family.names().has(WeightRole.ROUTER)) {
            return null;
        }
        int experts = values.positive("num_experts", 1 << 16);
        int chosen = values.positive("num_experts_per_tok");
        if (chosen > experts) {
            throw values.wrong("num_experts_per_tok", "at most the number of experts (" + experts + ")");
        }
        int size = family.knows("moe_intermediate_size") ? values.positive("moe_intermediate_size") : intermediateSize;
        return new Mixture(experts, chosen, values.bool("norm_topk_prob"), size);
    }

    private String activation() {
        String activation = values.string("hidden_act");
        if (!ACTIVATIONS.contains(activation)) {
            throw values.wrong("hidden_act", "one of " + new TreeSet<>(ACTIVATIONS));
        }
        return activation;
    }

    private Norms norms() {
        double eps = values.number("rms_norm_eps");
        if (eps < 0 || eps >= 1) {
            throw values.wrong("rms_norm_eps", "a number from 0 to below 1");
        }
        return new Norms(family.norm(), (float) eps, family.normOffset());
    }

    private Scales scales(int hidden) {
        double embedding = family.rootEmbedding() ? Math.sqrt(hidden) : values.numberOr("embedding_multiplier", 1);
        double logits = family.knows("logits_scaling")
                ? 1 / values.above0("logits_scaling")
                : values.numberOr("logit_scale", 1);
        return new Scales(
                (float) embedding,
                (float) values.numberOr("residual_multiplier", 1),
                (float) logits,
                cap("final_logit_softcapping"));
    }

    // ---- what differs from block to block ----

    private List<Block> perBlock(int blocks, boolean rotary, boolean local) {
        boolean[] rotated = rotated(blocks);
        int[] windows = windows(blocks, rotated);
        if (family.rotatedInWindows() && values.has("sliding_window")) {
            for (int b = 0; b < blocks; b++) {
                rotated[b] = windows[b] > 0;
            }
        }
        Set<Integer> dense = values.has("mlp_only_layers") ? Set.copyOf(values.integers("mlp_only_layers")) : Set.of();
        int step = values.positiveOr("decoder_sparse_step", 1);
        boolean mixture = family.names().has(WeightRole.ROUTER);
        List<Block> out = new ArrayList<>();
        for (int b = 0; b < blocks; b++) {
            Rotation rotation =
                    !rotary || !rotated[b] ? Rotation.NONE : local && windows[b] > 0 ? Rotation.LOCAL : Rotation.GLOBAL;
            out.add(new Block(windows[b], rotation, mixture && !dense.contains(b) && (b + 1) % step == 0));
        }
        return out;
    }

    /** Which blocks rotate queries and keys: all, unless no_rope_layers (1 = rotated) or an interval says otherwise. */
    private boolean[] rotated(int blocks) {
        boolean[] out = new boolean[blocks];
        Arrays.fill(out, true);
        if (values.has("no_rope_layers")) {
            List<Integer> flags = values.integers("no_rope_layers");
            if (flags.size() != blocks) {
                throw values.wrong("no_rope_layers", blocks + " entries, one for each block");
            }
            for (int b = 0; b < blocks; b++) {
                out[b] = flags.get(b) != 0;
            }
        } else if (values.has("no_rope_layer_interval")) {
            int interval = values.positive("no_rope_layer_interval");
            for (int b = 0; b < blocks; b++) {
                out[b] = (b + 1) % interval != 0;
            }
        }
        return out;
    }

    private int[] windows(int blocks, boolean[] rotated) {
        int[] out = new int[blocks];
        Family.Window rule = family.window();
        List<String> types = layerTypes(blocks);
        if (rule == Family.Window.LISTED && types == null) {
            values.strings("layer_types"); // refuses
        }
        boolean off = family.knows("use_sliding_window") && !values.bool("use_sliding_window");
        if (rule == Family.Window.NONE || off || !values.has("sliding_window")) {
            boolean asked = types != null ? types.contains(SLIDING) : rule == Family.Window.PATTERN;
            if (asked && rule != Family.Window.NONE) {
                throw values.wrong(
                        "sliding_window",
                        "a window for the blocks that have " + family.written("layer_types", SLIDING));
            }
            return out;
        }
        int window = values.positive("sliding_window");
        if (rule == Family.Window.EVERY && types != null && types.contains(FULL)) {
            throw new TillerException(source + ": key \"layer_types\": expected " + SLIDING
                    + " for every block, as this family has its window in all of them, found " + FULL);
        }
        for (int b = 0; b < blocks; b++) {
            boolean sliding = types != null ? types.get(b).equals(SLIDING) : sliding(rule, b, rotated);
            out[b] = sliding ? window : 0;
        }
        return out;
    }

    private boolean sliding(Family.Window rule, int block, boolean[] rotated) {
        return switch (rule) {
            case NONE, LISTED -> false;
            case EVERY, TYPED -> true;
            case LATER -> block >= values.integer("max_window_layers");
            case PATTERN -> (block + 1) % values.positive("sliding_window_pattern") != 0;
            case UNROTATED -> !rotated[block];
        };
    }

    /** One of the two kinds for each block; null if the file does not say. */
    private List<String> layerTypes(int blocks) {
        String key = "layer_types";
        if (!values.has(key)) {
            return null;
        }
        List<String> types = values.strings(key);
        if (types.size() != blocks) {
            throw values.wrong(key, blocks + " entries, one for each block");
        }
        for (String type : types) {
            if (!type.equals(SLIDING) && !type.equals(FULL)) {
                throw new TillerException(source + ": key " + Messages.quote(values.spelling(key)) + ": expected "
                        + family.written(key, FULL) + " or " + family.written(key, SLIDING) + ", found "
                        + Messages.quote(type));
            }
        }
        return types;
    }

    // ---- tokens ----

    /** A key that is absent takes the family's default, if the vocabulary has it; null means none. */
    private int token(String key, int vocab) {
        int id = values.has(key) ? values.integer(key) : -1;
        checkToken(key, id, vocab);
        return id < vocab ? id : -1;
    }

    private List<Integer> eosIds(int vocab) {
        String key = "eos_token_id";
        List<Integer> ids = values.has(key) ? values.integers(key) : List.of();
        ids.forEach(id -> checkToken(key, id, vocab));
        return ids.stream().filter(id -> id >= 0 && id < vocab).toList();
    }

    private void checkToken(String key, int id, int vocab) {
        if (json.has(key) && (id < -1 || id >= vocab)) {
            throw values.wrong(key, "a token id from 0 to vocab_size - 1 (" + (vocab - 1) + "), or -1 for none", id);
        }
    }
}
