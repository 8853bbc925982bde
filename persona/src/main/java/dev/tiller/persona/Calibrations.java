package dev.tiller.persona;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.engine.Calibration;
import dev.tiller.loader.Json;
import dev.tiller.loader.TillerException;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What the metadata of a vector file says about the scale of its directions: the key {@code calibration}, an object of block
 * numbers with {@code residual_norm}, {@code mean}, {@code sd} and {@code kl}, a list of pairs [divergence, coefficient]; and,
 * for files that have not been calibrated, the mean residual norms that extraction stores under {@code statistics}.
 */
public final class Calibrations {
    /** The metadata key. */
    public static final String KEY = "calibration";

    private static final String STATISTICS = "statistics";

    private Calibrations() {}

    /**
     * @param metadata of the file
     * @param blocks that the file has directions for, rising
     * @param name of the file or vector, for messages
     */
    static Map<Integer, Calibration> read(Map<String, String> metadata, List<Integer> blocks, String name) {
        Map<Integer, Calibration> out = new TreeMap<>();
        String statistics = metadata.get(STATISTICS);
        if (statistics != null) {
            JsonObject o = Json.parseObject(statistics, name + ": metadata: " + STATISTICS);
            JsonElement norms = o.get("mean_residual_norm");
            if (norms != null && norms.isJsonArray() && norms.getAsJsonArray().size() == blocks.size()) {
                for (int i = 0; i < blocks.size(); i++) {
                    out.put(
                            blocks.get(i),
                            Calibration.ofNorm(number(norms.getAsJsonArray().get(i))));
                }
            }
        }
        String calibration = metadata.get(KEY);
        if (calibration != null) {
            String where = name + ": metadata: " + KEY;
            JsonObject o = Json.parseObject(calibration, where);
            for (String block : o.keySet()) {
                if (!block.matches("\\d{1,6}") || !o.get(block).isJsonObject()) {
                    throw new TillerException(where + ": expected block numbers with objects, found \"" + block + "\"");
                }
                out.put(Integer.valueOf(block), one(o.getAsJsonObject(block), where + ": " + block));
            }
        }
        return out;
    }

    private static Calibration one(JsonObject o, String where) {
        SortedMap<Double, Double> kl = new TreeMap<>();
        if (o.has("kl")) {
            if (!o.get("kl").isJsonArray()) {
                throw new TillerException(where + ": kl: expected a list of pairs [divergence, coefficient]");
            }
            for (JsonElement e : o.getAsJsonArray("kl")) {
                if (!e.isJsonArray() || e.getAsJsonArray().size() != 2) {
                    throw new TillerException(where + ": kl: expected pairs [divergence, coefficient], found " + e);
                }
                kl.put(
                        number(e.getAsJsonArray().get(0)),
                        number(e.getAsJsonArray().get(1)));
            }
        }
        return new Calibration(number(o.get("residual_norm")), number(o.get("mean")), number(o.get("sd")), kl);
    }

    /** NaN if it is absent or null. */
    private static double number(JsonElement e) {
        return e == null || !e.isJsonPrimitive() || !e.getAsJsonPrimitive().isNumber() ? Double.NaN : e.getAsDouble();
    }

    /** The value of the key. */
    public static String write(Map<Integer, Calibration> calibration) {
        JsonObject o = new JsonObject();
        new TreeMap<>(calibration).forEach((block, c) -> {
            JsonObject one = new JsonObject();
            add(one, "residual_norm", c.residualNorm());
            add(one, "mean", c.mean());
            add(one, "sd", c.sd());
            if (!c.coefficients().isEmpty()) {
                JsonArray kl = new JsonArray();
                c.coefficients().forEach((divergence, coefficient) -> {
                    JsonArray pair = new JsonArray();
                    pair.add(divergence);
                    pair.add(coefficient);
                    kl.add(pair);
                });
                one.add("kl", kl);
            }
            o.add(Integer.toString(block), one);
        });
        return o.toString();
    }

    private static void add(JsonObject o, String key, double number) {
        if (!Double.isNaN(number)) {
            o.addProperty(key, number);
        }
    }
}
