package dev.tiller.loader;

import com.google.gson.JsonObject;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * Reads the rotary settings of a config.json: rope_parameters, in older files rope_scaling, both before keys at the top
 * level; where a file has both, they must scale alike. Where blocks with and without a window have their own (Gemma 3), rope_parameters holds one object for each kind.
 */
final class RopeReader {
    private static final Set<String> TYPES = Set.of("default", "linear", "dynamic", "llama3", "yarn", "longrope");
    private static final String ORIGINAL = "original_max_position_embeddings";

    private final JsonObject json;
    private final ConfigValues values;
    private final String source;
    private final int headDim;
    private final int stated;

    RopeReader(JsonObject json, ConfigValues values, int headDim) {
        this.json = json;
        this.values = values;
        this.source = values.source();
        this.headDim = headDim;
        this.stated = values.positive("max_position_embeddings");
    }

    /** One object of settings and its name in errors. */
    private record Settings(JsonObject json, String where) {}

    /**
     * The context: max_position_embeddings, or what yarn stretches the original context to, if that is more (the documented
     * way to lengthen the context of a Qwen model leaves max_position_embeddings as it is).
     */
    int maxPositions() {
        Settings s = settings("full_attention", true);
        if (type(s).equals("yarn") && Json.has(s.json, ORIGINAL) && Json.has(s.json, "factor")) {
            double stretched = Json.number(s.json, "factor", s.where) * Json.integer(s.json, ORIGINAL, s.where);
            return (int) Math.clamp(stretched, stated, ConfigValues.MOST);
        }
        return stated;
    }

    RopeConfig global() {
        RopeConfig rope = global(settings("full_attention", true));
        Settings older = settings("rope_scaling", "full_attention", true);
        // transformers goes by the older key then and forgets the base of the newer one, which nobody can have meant
        if (older != null && !sameButForTheta(global(older), rope)) {
            throw new TillerException(
                    source + ": key \"rope_scaling\": expected none beside \"rope_parameters\", or the same"
                            + " settings, found " + older.json);
        }
        return rope;
    }

    private RopeConfig global(Settings s) {
        return read(s, values.above0("rope_theta"));
    }

    private static boolean sameButForTheta(RopeConfig a, RopeConfig b) {
        return a.withTheta(b.theta()).equals(b);
    }

    /** Of blocks with a window. The scaling at the top level is not theirs. */
    RopeConfig local() {
        return read(settings("sliding_attention", false), values.above0("rope_local_base_freq"));
    }

    private Settings settings(String kind, boolean scaled) {
        Settings newer = settings("rope_parameters", kind, scaled);
        Settings older = newer != null ? newer : settings("rope_scaling", kind, scaled);
        return older != null ? older : new Settings(new JsonObject(), source);
    }

    /** What one key says of blocks of that kind, or null if it says nothing. */
    private Settings settings(String key, String kind, boolean scaled) {
        if (!Json.has(json, key)) {
            return null;
        }
        JsonObject nested = Json.object(json, key, source);
        String where = source + ": " + key;
        if (Json.has(nested, kind)) {
            return new Settings(Json.object(nested, kind, where), where + ": " + kind);
        }
        return scaled && !nested.isEmpty() && !Json.has(nested, "sliding_attention")
                ? new Settings(nested, where)
                : null;
    }

    private RopeConfig read(Settings s, double topTheta) {
        String type = type(s);
        double theta = Json.numberOr(s.json, "rope_theta", topTheta, s.where);
        if (theta <= 0) {
            throw Json.wrong("rope_theta", "a positive number", s.json.get("rope_theta"), s.where);
        }
        int rotary = rotaryDim(s);
        return switch (type) {
            case "default" -> new RopeConfig(type, theta, 1, 0, 0, 0, rotary);
            case "linear", "dynamic" -> new RopeConfig(type, theta, factor(s), 0, 0, 0, rotary);
            case "llama3" -> llama3(s, theta, rotary);
            case "yarn" -> yarn(s, theta, rotary);
            default -> longrope(s, theta, rotary);
        };
    }

    private String type(Settings s) {
        String key = Json.has(s.json, "rope_type") ? "rope_type" : "type";
        String written = Json.stringOr(s.json, key, "default", s.where);
        String type = values.family().meaning("rope_type", written);
        if (!TYPES.contains(type)) {
            throw Json.wrong(key, "one of " + new TreeSet<>(TYPES), s.json.get(key), s.where);
        }
        return type;
    }

    private int rotaryDim(Settings s) {
        if (values.family().knows("rotary_dim")) {
            int rotary = values.positive("rotary_dim");
            if (rotary > headDim || rotary % 2 != 0) {
                throw values.wrong("rotary_dim", "an even number of at most the " + headDim + " elements of a head");
            }
            return rotary;
        }
        String key = "partial_rotary_factor";
        boolean partial = values.family().knows(key);
        double otherwise = partial ? values.number(key) : Json.numberOr(json, key, 1, source);
        double part = Json.numberOr(s.json, key, otherwise, s.where);
        String name = values.spelling(key);
        if (!partial && part != 1) {
            throw values.wrong(key, "1 in this family", part);
        }
        int rotary = part > 0 && part <= 1 ? (int) (headDim * part) : 0;
        if (rotary < 2 || rotary % 2 != 0) {
            throw new TillerException(source + ": key " + Messages.quote(name) + ": expected a part of the " + headDim
                    + " elements of a head that is an even number of them, found " + part);
        }
        return rotary;
    }

    private double factor(Settings s) {
        double factor = Json.number(s.json, "factor", s.where);
        if (factor < 1) {
            throw Json.wrong("factor", "a number of at least 1", s.json.get("factor"), s.where);
        }
        return factor;
    }

    /** As in transformers, a value at the top level goes before the nested one. */
    private int original(Settings s) {
        int fallback = values.family().knows(ORIGINAL) ? values.integer(ORIGINAL) : stated;
        int nested = Json.intOr(s.json, ORIGINAL, Math.min(fallback, stated), s.where);
        int original = Json.intOr(json, ORIGINAL, nested, source);
        if (original < 1 || original > stated) {
            throw values.wrong(ORIGINAL, "a whole number from 1 to max_position_embeddings (" + stated + ")", original);
        }
        return original;
    }

    private RopeConfig llama3(Settings s, double theta, int rotary) {
        double low = Json.number(s.json, "low_freq_factor", s.where);
        double high = Json.number(s.json, "high_freq_factor", s.where);
        if (low <= 0 || high <= low) {
            throw Json.wrong(
                    "high_freq_factor",
                    "a number above low_freq_factor, which is positive (" + low + ")",
                    s.json.get("high_freq_factor"),
                    s.where);
        }
        return new RopeConfig("llama3", theta, factor(s), low, high, original(s), rotary);
    }

    /** YaRN (Peng et al. 2023): the attention factor is 0.1 mscale ln(factor) + 1 unless it is given. */
    private RopeConfig yarn(Settings s, double theta, int rotary) {
        int original = original(s);
        double factor = Json.has(s.json, "factor") ? factor(s) : (double) stated / original;
        double mscale = Json.numberOr(s.json, "mscale", 0, s.where);
        double all = Json.numberOr(s.json, "mscale_all_dim", 0, s.where);
        double usual = mscale != 0 && all != 0 ? mscale(factor, mscale) / mscale(factor, all) : mscale(factor, 1);
        double fast = Json.numberOr(s.json, "beta_fast", 0, s.where);
        double slow = Json.numberOr(s.json, "beta_slow", 0, s.where);
        RopeConfig.Ramp ramp = new RopeConfig.Ramp(
                fast == 0 ? 32 : fast, slow == 0 ? 1 : slow, Json.boolOr(s.json, "truncate", true, s.where));
        if (ramp.slow() < 0 || ramp.fast() < ramp.slow()) {
            throw Json.wrong(
                    "beta_fast",
                    "a number of at least beta_slow (" + ramp.slow() + "), which is positive",
                    s.json.get(Json.has(s.json, "beta_fast") ? "beta_fast" : "beta_slow"),
                    s.where);
        }
        return new RopeConfig("yarn", theta, factor, 0, 0, original, rotary, attentionFactor(s, usual), ramp, null);
    }

    private static double mscale(double factor, double mscale) {
        return factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1;
    }

    /** LongRoPE (Ding et al. 2024): the attention factor is sqrt(1 + ln(factor) / ln(original)) unless it is given. */
    private RopeConfig longrope(Settings s, double theta, int rotary) {
        int original = original(s);
        double factor = Json.has(s.json, "factor") ? factor(s) : (double) stated / original;
        double usual = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
        RopeConfig.Divisors divisors = new RopeConfig.Divisors(
                divisors(s, "short_factor", rotary / 2), divisors(s, "long_factor", rotary / 2));
        return new RopeConfig(
                "longrope", theta, factor, 0, 0, original, rotary, attentionFactor(s, usual), null, divisors);
    }

    private static List<Double> divisors(Settings s, String key, int count) {
        List<Double> found = Json.numbers(s.json, key, s.where);
        if (found.size() != count || found.stream().anyMatch(f -> f <= 0)) {
            throw Json.wrong(key, count + " positive numbers, one for each rotated pair", s.json.get(key), s.where);
        }
        return found;
    }

    private static double attentionFactor(Settings s, double usual) {
        double factor = Json.numberOr(s.json, "attention_factor", usual, s.where);
        if (!(factor > 0)) {
            throw Json.wrong("attention_factor", "a positive number", s.json.get("attention_factor"), s.where);
        }
        return factor;
    }
}
