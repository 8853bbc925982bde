package dev.tiller.loader;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Reads config.json. Defaults are those of transformers' configuration classes (5.18); sizes that make the model have
 * none here, so that a file which lacks them is refused instead of becoming a model of another size.
 */
final class ModelConfigReader {
    /** What differs between the families where config.json is silent. */
    private record Family(int maxPositions, int bosId, List<Integer> eosIds, boolean qkvBias, boolean window) {}

    private static final Map<String, Family> FAMILIES = Map.of(
            "llama", new Family(2048, 1, List.of(2), false, false),
            "qwen2", new Family(32768, -1, List.of(), true, true));

    private static final Set<String> ACTIVATIONS =
            Set.of("silu", "swish", "gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast");

    private static final double DEFAULT_THETA = 10_000;

    /** Largest width or count believed: refuses nonsense before anything is allocated for it. */
    private static final int MOST = 1 << 28;

    private static final int MOST_BLOCKS = 10_000;

    private final JsonObject json;
    private final String source;

    ModelConfigReader(JsonObject json, String source) {
        this.json = json;
        this.source = source;
    }

    ModelConfig read() {
        String modelType = Json.string(json, "model_type", source);
        Family family = FAMILIES.get(modelType);
        if (family == null) {
            throw Json.wrong(
                    "model_type", "one of " + new TreeSet<>(FAMILIES.keySet()), json.get("model_type"), source);
        }
        refuseQuantised();
        int hidden = positive("hidden_size");
        int blocks = positive("num_hidden_layers", MOST_BLOCKS);
        int heads = positive("num_attention_heads");
        int headDim = headDim(hidden, heads);
        int vocab = positive("vocab_size");
        int maxPositions = positiveOr("max_position_embeddings", family.maxPositions());
        return new ModelConfig(
                modelType,
                hidden,
                positive("intermediate_size"),
                blocks,
                heads,
                kvHeads(heads),
                headDim,
                vocab,
                maxPositions,
                normEps(),
                rope(headDim, maxPositions),
                activation(),
                Json.boolOr(json, "tie_word_embeddings", false, source),
                family.qkvBias() || Json.boolOr(json, "attention_bias", false, source),
                !family.qkvBias() && Json.boolOr(json, "mlp_bias", false, source),
                family.window() ? slidingWindow(blocks) : 0,
                token("bos_token_id", family.bosId(), vocab),
                eosIds(family.eosIds(), vocab),
                token("pad_token_id", -1, vocab));
    }

    private void refuseQuantised() {
        if (Json.has(json, "quantization_config")) {
            JsonObject quantization = Json.object(json, "quantization_config", source);
            String method = Json.stringOr(quantization, "quant_method", "of an unnamed method", source);
            throw new TillerException(source + ": key \"quantization_config\": expected none (weights in F32, F16 or"
                    + " BF16), found " + Messages.quote(method));
        }
    }

    private int positiveOr(String key, int fallback) {
        return Json.has(json, key) ? positive(key) : fallback;
    }

    private int positive(String key) {
        return positive(key, MOST);
    }

    private int positive(String key, int most) {
        int value = Json.integer(json, key, source);
        if (value < 1 || value > most) {
            throw Json.wrong(key, "a whole number from 1 to " + most, json.get(key), source);
        }
        return value;
    }

    private int headDim(int hidden, int heads) {
        if (!Json.has(json, "head_dim") && hidden % heads != 0) {
            throw Json.wrong(
                    "hidden_size",
                    "a multiple of num_attention_heads (" + heads + ")",
                    json.get("hidden_size"),
                    source);
        }
        int headDim = positiveOr("head_dim", hidden / heads);
        if (headDim % 2 != 0) {
            throw wrongValue("head_dim", "an even number, as rotary positions need", headDim);
        }
        if ((long) headDim * heads > MOST) {
            throw wrongValue("head_dim", "at most " + MOST / heads + " with " + heads + " heads", headDim);
        }
        return headDim;
    }

    private int kvHeads(int heads) {
        int kvHeads = positiveOr("num_key_value_heads", heads);
        if (heads % kvHeads != 0) {
            throw wrongValue("num_key_value_heads", "a divisor of num_attention_heads (" + heads + ")", kvHeads);
        }
        return kvHeads;
    }

    private float normEps() {
        double eps = Json.numberOr(json, "rms_norm_eps", 1e-6, source);
        if (eps < 0 || eps >= 1) {
            throw wrongValue("rms_norm_eps", "a number from 0 to below 1", eps);
        }
        return (float) eps;
    }

    private String activation() {
        String activation = Json.stringOr(json, "hidden_act", "silu", source);
        if (!ACTIVATIONS.contains(activation)) {
            throw Json.wrong("hidden_act", "one of " + new TreeSet<>(ACTIVATIONS), json.get("hidden_act"), source);
        }
        return activation;
    }

    /** One window for all blocks; per-block mixtures are refused, not approximated. */
    private int slidingWindow(int blocks) {
        if (!Json.boolOr(json, "use_sliding_window", false, source)) {
            return 0;
        }
        int window = positiveOr("sliding_window", 4096);
        int windowed;
        if (Json.has(json, "layer_types")) {
            List<String> types = Json.strings(json, "layer_types", source);
            windowed = (int) types.stream().filter("sliding_attention"::equals).count();
            int full = (int) types.stream().filter("full_attention"::equals).count();
            if (types.size() != blocks || windowed + full != blocks) {
                throw Json.wrong(
                        "layer_types",
                        blocks + " entries, each full_attention or sliding_attention",
                        json.get("layer_types"),
                        source);
            }
        } else {
            int first = Json.intOr(json, "max_window_layers", 28, source);
            windowed = Math.clamp((long) blocks - first, 0, blocks);
        }
        if (windowed != 0 && windowed != blocks) {
            throw new TillerException(
                    source + ": key \"use_sliding_window\": expected all blocks windowed or none, found " + windowed
                            + " of " + blocks);
        }
        return windowed == 0 ? 0 : window;
    }

    /** The nested rope_parameters win over rope_scaling, both over keys at the top level. */
    private RopeConfig rope(int headDim, int maxPositions) {
        JsonObject nested = new JsonObject();
        String where = source;
        for (String key : List.of("rope_scaling", "rope_parameters")) {
            if (Json.has(json, key)) {
                nested = Json.object(json, key, source);
                where = source + ": " + key;
            }
        }
        String type = ropeType(nested, where);
        double theta =
                Json.numberOr(nested, "rope_theta", Json.numberOr(json, "rope_theta", DEFAULT_THETA, source), where);
        if (theta <= 0) {
            throw wrongValue("rope_theta", "a positive number", theta);
        }
        double part = Json.numberOr(
                nested, "partial_rotary_factor", Json.numberOr(json, "partial_rotary_factor", 1, source), where);
        if (part != 1) {
            throw wrongValue("partial_rotary_factor", "1 in this family", part);
        }
        return switch (type) {
            case "default" -> new RopeConfig(type, theta, 1, 0, 0, 0, headDim);
            case "linear" -> new RopeConfig(type, theta, factor(nested, where), 0, 0, 0, headDim);
            default -> llama3(nested, where, theta, headDim, maxPositions);
        };
    }

    private String ropeType(JsonObject nested, String where) {
        String key = Json.has(nested, "rope_type") ? "rope_type" : "type";
        String type = Json.stringOr(nested, key, "default", where);
        if (!Set.of("default", "linear", "llama3").contains(type)) {
            throw Json.wrong(key, "one of [default, linear, llama3]", nested.get(key), where);
        }
        return type;
    }

    private static double factor(JsonObject nested, String where) {
        double factor = Json.number(nested, "factor", where);
        if (factor < 1) {
            throw Json.wrong("factor", "a number of at least 1", nested.get("factor"), where);
        }
        return factor;
    }

    private RopeConfig llama3(JsonObject nested, String where, double theta, int headDim, int maxPositions) {
        double low = Json.number(nested, "low_freq_factor", where);
        double high = Json.number(nested, "high_freq_factor", where);
        if (low <= 0 || high <= low) {
            throw Json.wrong(
                    "high_freq_factor",
                    "a number above low_freq_factor, which is positive (" + low + ")",
                    nested.get("high_freq_factor"),
                    where);
        }
        String key = "original_max_position_embeddings";
        // As in transformers, a value at the top level goes before the nested one.
        int original = Json.intOr(json, key, Json.intOr(nested, key, maxPositions, where), source);
        if (original < 1 || original > maxPositions) {
            throw wrongValue(key, "a whole number from 1 to max_position_embeddings (" + maxPositions + ")", original);
        }
        return new RopeConfig("llama3", theta, factor(nested, where), low, high, original, headDim);
    }

    /** A key that is absent takes the family's default; null means none. */
    private int token(String key, int fallback, int vocab) {
        int id = json.has(key) ? Json.intOr(json, key, -1, source) : fallback;
        checkToken(key, id, vocab);
        return id;
    }

    private List<Integer> eosIds(List<Integer> fallback, int vocab) {
        String key = "eos_token_id";
        if (!json.has(key)) {
            return fallback;
        }
        List<Integer> ids = Json.has(json, key) ? Json.integers(json, key, source) : List.of();
        ids.forEach(id -> checkToken(key, id, vocab));
        return ids.stream().filter(id -> id >= 0).toList();
    }

    private void checkToken(String key, int id, int vocab) {
        if (json.has(key) && (id < -1 || id >= vocab)) {
            throw wrongValue(key, "a token id from 0 to vocab_size - 1 (" + (vocab - 1) + "), or -1 for none", id);
        }
    }

    private TillerException wrongValue(String key, String expected, Number found) {
        JsonElement value = new JsonPrimitive(found);
        return Json.wrong(key, expected, value, source);
    }
}
