package dev.tiller.persona.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.Json;
import dev.tiller.persona.VectorContent;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What a vector file says, for people and for programs. */
final class VectorTable {
    private VectorTable() {}

    /** Rows of keys and values, then one row per block. */
    static List<String> lines(Path file, VectorContent v) {
        List<String> out = new ArrayList<>();
        out.add(row("file", file.toString()));
        out.add(row("op", v.op()));
        out.add(row("site", v.site().key()));
        out.add(row("width", v.width() + (v.rank() > 1 ? ", up to " + v.rank() + " directions per block" : "")));
        for (Map.Entry<String, String> e : v.metadata().entrySet()) {
            if (!e.getKey().equals("statistics")) {
                out.add(row(e.getKey(), e.getValue()));
            }
        }
        if (!v.extras().isEmpty()) {
            out.add(row("also holds", extras(v)));
        }
        out.add("block   |v|      cosine with the block before");
        float[] before = null;
        for (Map.Entry<Integer, float[][]> e : v.directions().entrySet()) {
            for (float[] row : e.getValue()) {
                boolean comparable = before != null && Vectors.norm(before) > 0 && Vectors.norm(row) > 0;
                out.add(String.format(
                                Locale.ROOT,
                                "%5d   %-8.4g %s",
                                e.getKey(),
                                Vectors.norm(row),
                                comparable ? String.format(Locale.ROOT, "%.3f", Vectors.cosine(before, row)) : "")
                        .stripTrailing());
                before = row;
            }
        }
        return out;
    }

    private static String extras(VectorContent v) {
        List<String> names = new ArrayList<>(v.extras().keySet());
        int shown = Math.min(6, names.size());
        return String.join(", ", names.subList(0, shown))
                + (names.size() > shown ? " and " + (names.size() - shown) + " more" : "");
    }

    private static String row(String key, String value) {
        return String.format(Locale.ROOT, "%-14s %s", key, value);
    }

    /** The same for programs; structured metadata as JSON. */
    static JsonObject json(Path file, VectorContent v) {
        JsonObject o = new JsonObject();
        o.addProperty("file", file.toString());
        o.addProperty("op", v.op());
        o.addProperty("site", v.site().key());
        o.addProperty("width", v.width());
        JsonArray blocks = new JsonArray();
        v.directions().forEach((block, rows) -> {
            JsonObject b = new JsonObject();
            b.addProperty("block", block);
            JsonArray norms = new JsonArray();
            for (float[] row : rows) {
                norms.add(Vectors.norm(row));
            }
            b.add("norms", norms);
            blocks.add(b);
        });
        o.add("blocks", blocks);
        JsonObject metadata = new JsonObject();
        v.metadata().forEach((key, value) -> {
            JsonElement parsed = null;
            if (value.startsWith("{")) {
                parsed = Json.parse(value, file + ": metadata: " + key);
            }
            if (parsed != null) {
                metadata.add(key, parsed);
            } else {
                metadata.addProperty(key, value);
            }
        });
        o.add("metadata", metadata);
        return o;
    }

    /** Fingerprint of the model that the vector is bound to, or null. */
    static String fingerprint(VectorContent v) {
        String model = v.metadata().get("model");
        return model == null
                ? null
                : Json.stringOr(Json.parseObject(model, "metadata: model"), "fingerprint", null, "metadata: model");
    }

    /** Numbers with runs joined: 0..3, 7. */
    static String ranges(List<Integer> rising) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < rising.size(); i++) {
            int from = rising.get(i);
            int to = from;
            while (i + 1 < rising.size() && rising.get(i + 1) == to + 1) {
                to = rising.get(++i);
            }
            out.append(out.isEmpty() ? "" : ", ").append(from == to ? "" + from : from + ".." + to);
        }
        return out.toString();
    }
}
