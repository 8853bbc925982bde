package dev.tiller.loader.gguf;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.loader.TillerException;

/** Rotary positions: the keys {@code rope.*} and the tensors of factors as the entries of a config.json. */
final class GgufRope {
    private static final double LARGEST = Double.MAX_VALUE;

    /** By how much the attention factor of long rope may differ from the one that its lengths imply. */
    private static final double TOLERANCE = 1e-4;

    private static final String TYPE = "rope.scaling.type";
    private static final String ORIGINAL = "rope.scaling.original_context_length";
    private static final String ATTENTION = "rope.scaling.attn_factor";

    private final Gguf file;
    private final GgufKeys keys;
    private final JsonObject json;

    /** @param json gets rope_theta and, where there is scaling, rope_scaling */
    GgufRope(Gguf file, GgufKeys keys, JsonObject json) {
        this.file = file;
        this.keys = keys;
        this.json = json;
    }

    /** @param partial whether the family may rotate a part of each head only */
    void write(int headDim, int positions, boolean partial) {
        int rotary = keys.optional("rope.dimension_count", headDim);
        if (partial ? rotary > headDim || rotary % 2 != 0 : rotary != headDim) {
            String expected = partial ? "an even number up to the width of a head, " : "the width of a head, ";
            throw keys.error("rope.dimension_count", expected + headDim, rotary);
        }
        double theta = keys.number("rope.freq_base", 10000, 0, LARGEST);
        json.addProperty("rope_theta", theta);
        if (partial) {
            json.addProperty("partial_rotary_factor", rotary / (double) headDim);
        }
        JsonObject scaling = scaling(positions);
        if (file.tensor(GgufNames.ROPE_FACTORS).isPresent()) {
            refuseBeside(GgufNames.ROPE_FACTORS, scaling);
            refuseOtherThan(ATTENTION, 1);
            scaling = llama3(theta, rotary, positions);
        } else if (file.tensor(GgufNames.LONG_FACTORS).isPresent()
                || file.tensor(GgufNames.SHORT_FACTORS).isPresent()) {
            refuseBeside(GgufNames.LONG_FACTORS, scaling);
            scaling = longRope(rotary, positions);
        } else if (scaling == null) {
            refuseOtherThan(ATTENTION, 1);
            refuseLongRope();
        }
        if (scaling != null) {
            json.add("rope_scaling", scaling);
        }
    }

    private void refuseLongRope() {
        if (keys.string(TYPE, "none").equals("longrope")) {
            throw keys.error(
                    TYPE, "tensors " + GgufNames.LONG_FACTORS + " and " + GgufNames.SHORT_FACTORS, "none of them");
        }
    }

    private void refuseBeside(String tensor, JsonObject scaling) {
        if (scaling != null) {
            throw new TillerException(file.path() + ": tensor " + tensor
                    + ": expected no rotary scaling in the metadata beside it, found " + scaling);
        }
    }

    /** What rope.scaling.* says; null without scaling. Absent keys mean what they mean to llama.cpp. */
    private JsonObject scaling(int positions) {
        String type = keys.string(TYPE, "linear");
        String name = keys.has("rope.scaling.factor") ? "rope.scaling.factor" : "rope.scale_linear";
        double factor = keys.number(name, 1, -1, LARGEST);
        if (factor != 0 && factor < 1) {
            throw keys.error(name, "0 (none) or at least 1", factor);
        }
        return switch (type) {
            case "none", "longrope" -> null; // long rope shows in its tensors
            case "linear" -> linear(factor);
            case "yarn" -> factor <= 1 ? null : yarn(factor, positions);
            default -> throw keys.error(TYPE, "none, linear, yarn or longrope", type);
        };
    }

    private JsonObject linear(double factor) {
        if (factor <= 1) {
            return null;
        }
        refuseOtherThan(ATTENTION, 1);
        return typed("linear", factor);
    }

    private static JsonObject typed(String type, double factor) {
        JsonObject scaling = new JsonObject();
        scaling.addProperty("rope_type", type);
        scaling.addProperty("factor", factor);
        return scaling;
    }

    /** llama.cpp multiplies its attention factor with the one of the paper, which is the default here. */
    private JsonObject yarn(double factor, int positions) {
        JsonObject scaling = typed("yarn", factor);
        int original = keys.optional(ORIGINAL, positions);
        if (original > positions) {
            throw keys.error(ORIGINAL, "at most " + keys.key("context_length") + ", " + positions, original);
        }
        scaling.addProperty("original_max_position_embeddings", original);
        for (String end : new String[] {"beta_fast", "beta_slow"}) {
            if (keys.has("rope.scaling.yarn_" + end)) {
                scaling.addProperty(end, keys.number("rope.scaling.yarn_" + end, Double.NaN, 0, LARGEST));
            }
        }
        refuseOtherThan("rope.scaling.yarn_ext_factor", 1);
        refuseOtherThan("rope.scaling.yarn_log_multiplier", 0);
        double attention =
                keys.number(ATTENTION, 1, 0, LARGEST) * keys.number("rope.scaling.yarn_attn_factor", 1, 0, LARGEST);
        if (attention != 1) {
            scaling.addProperty("attention_factor", attention * (1 + 0.1 * Math.log(factor)));
        }
        return scaling;
    }

    private void refuseOtherThan(String name, double value) {
        double found = keys.number(name, value, -LARGEST, LARGEST);
        if (found != value) {
            throw keys.error(name, Double.toString(value), found);
        }
    }

    /**
     * Only ratios of the original length to the two factors count. Where a file has a context below that length, the three
     * are made smaller together: no configuration has an original context beyond the context.
     */
    private JsonObject llama3(double theta, int rotary, int positions) {
        RopeFactors factors = RopeFactors.of(file.tensor(GgufNames.ROPE_FACTORS).orElseThrow(), theta, rotary);
        if (factors.factor() == 1) {
            return null;
        }
        JsonObject scaling = typed("llama3", factors.factor());
        int original = Math.min(positions, factors.originalMaxPositions());
        double part = original / (double) factors.originalMaxPositions();
        scaling.addProperty("low_freq_factor", RopeFactors.LOW * part);
        scaling.addProperty("high_freq_factor", RopeFactors.HIGH * part);
        scaling.addProperty("original_max_position_embeddings", original);
        return scaling;
    }

    /** Only the three entries that every version of transformers takes, unless the attention factor is of its own. */
    private JsonObject longRope(int rotary, int positions) {
        JsonObject scaling = new JsonObject();
        scaling.addProperty("type", "longrope");
        scaling.add("short_factor", factors(GgufNames.SHORT_FACTORS, rotary));
        scaling.add("long_factor", factors(GgufNames.LONG_FACTORS, rotary));
        int original = keys.required(ORIGINAL);
        double stretched = (double) positions / original;
        double implied = stretched <= 1 ? 1 : Math.sqrt(1 + Math.log(stretched) / Math.log(original));
        double attention = keys.number(ATTENTION, implied, 0, LARGEST);
        if (Math.abs(attention - implied) > TOLERANCE * implied) {
            scaling.addProperty("attention_factor", attention);
        }
        return scaling;
    }

    private JsonArray factors(String name, int rotary) {
        GgufTensor tensor = file.tensor(name)
                .orElseThrow(() -> new TillerException(file.path() + ": expected tensor " + name + ", found none"));
        JsonArray array = new JsonArray();
        for (float f : RopeFactors.values(tensor, rotary)) {
            array.add(GgufKeys.decimal(f));
        }
        return array;
    }
}
