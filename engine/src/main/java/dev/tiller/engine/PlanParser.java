package dev.tiller.engine;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.Json;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** Reads the JSON form of a steering plan. Nothing is ignored: what is not understood is refused. */
final class PlanParser {
    private static final Set<String> COMMON = Set.of("op", "vector", "blocks", "sites", "span", "preserve_norm");
    private static final Map<Op, Set<String>> OWN = Map.of(
            Op.ADD, Set.of("coefficient"),
            Op.ABLATE, Set.of("strength"),
            Op.CLAMP, Set.of("min", "max", "strength"),
            Op.SET, Set.of("value", "strength"));
    private static final Set<String> LATER = Set.of("schedule", "when", "second", "degrees");

    private final String source;
    private final VectorResolver resolver;
    private String where;

    PlanParser(String source, VectorResolver resolver) {
        this.source = source;
        this.resolver = resolver;
    }

    SteeringPlan parse(String json) {
        JsonObject root = Json.parseObject(json, source);
        where = source;
        for (String key : root.keySet()) {
            if (!key.equals("edits")) {
                throw error("unknown key \"" + key + "\"; accepted: edits");
            }
        }
        if (!root.has("edits") || !root.get("edits").isJsonArray()) {
            throw error("expected \"edits\", a list of edits");
        }
        List<Edit> edits = new ArrayList<>();
        JsonArray list = root.getAsJsonArray("edits");
        for (int i = 0; i < list.size(); i++) {
            where = source + ": edits[" + i + "]";
            if (!list.get(i).isJsonObject()) {
                throw error("expected an object");
            }
            edits.add(edit(list.get(i).getAsJsonObject()));
        }
        return new SteeringPlan(edits);
    }

    private Edit edit(JsonObject o) {
        Op op = op(o);
        checkKeys(o, op);
        if (o.has("preserve_norm") && bool(o.get("preserve_norm"), "preserve_norm")) {
            throw error("preserve_norm: true is not supported; remove it");
        }
        SteeringVector vector = vector(o.get("vector"));
        float low = 0;
        float high = 0;
        if (op == Op.CLAMP) {
            low = o.has("min") ? number(o.get("min"), "min") : Float.NEGATIVE_INFINITY;
            high = o.has("max") ? number(o.get("max"), "max") : Float.POSITIVE_INFINITY;
            if (!o.has("min") && !o.has("max")) {
                throw error("clamp needs \"min\", \"max\" or both");
            }
            if (low > high) {
                throw error("min " + low + " is above max " + high);
            }
        } else if (op == Op.SET) {
            if (!o.has("value")) {
                throw error("set needs \"value\"");
            }
            low = number(o.get("value"), "value");
            high = low;
        }
        return new Edit(
                op,
                vector,
                blocks(o.get("blocks"), vector),
                sites(o.get("sites"), vector),
                coefficient(o.get("coefficient")),
                strength(o.get("strength")),
                low,
                high,
                span(o.get("span")));
    }

    private Op op(JsonObject o) {
        String key = o.has("op") ? string(o.get("op"), "op") : null;
        for (Op op : Op.values()) {
            if (op.key().equals(key)) {
                return op;
            }
        }
        String accepted = "accepted: add, ablate, clamp, set";
        if (key == null) {
            throw error("\"op\" is missing; " + accepted);
        }
        throw error((key.equals("rotate") || key.equals("replace_mean")
                        ? "op \"" + key + "\" is not supported"
                        : "unknown op \"" + key + "\"")
                + "; " + accepted);
    }

    private void checkKeys(JsonObject o, Op op) {
        Set<String> accepted = new TreeSet<>(COMMON);
        accepted.addAll(OWN.get(op));
        for (String key : o.keySet()) {
            if (!accepted.contains(key)) {
                String what =
                        LATER.contains(key) ? "key \"" + key + "\" is not supported" : "unknown key \"" + key + "\"";
                throw error(what + " for op " + op.key() + "; accepted: " + String.join(", ", accepted));
            }
        }
    }

    private SteeringVector vector(JsonElement e) {
        if (e == null) {
            throw error("\"vector\" is missing: a name, {\"file\": F} or {\"file\": F, \"tensor\": T}");
        }
        if (e.isJsonPrimitive()) {
            return resolve(new VectorResolver.Reference(string(e, "vector"), null, null, false));
        }
        if (!e.isJsonObject()) {
            throw error("vector: expected a name or an object with \"file\"");
        }
        JsonObject o = e.getAsJsonObject();
        for (String key : o.keySet()) {
            if (!Set.of("file", "tensor", "incremental").contains(key)) {
                throw error("vector: unknown key \"" + key + "\"; accepted: file, tensor, incremental");
            }
        }
        if (!o.has("file")) {
            throw error("vector: \"file\" is missing");
        }
        String tensor = o.has("tensor") ? string(o.get("tensor"), "vector.tensor") : null;
        boolean incremental = o.has("incremental") && bool(o.get("incremental"), "vector.incremental");
        if (tensor != null && incremental) {
            throw error("vector: \"tensor\" and \"incremental\" contradict each other");
        }
        return resolve(new VectorResolver.Reference(null, string(o.get("file"), "vector.file"), tensor, incremental));
    }

    private SteeringVector resolve(VectorResolver.Reference reference) {
        try {
            return resolver.resolve(reference);
        } catch (TillerException e) {
            throw new TillerException(where + ": " + e.getMessage(), e);
        }
    }

    private List<Integer> blocks(JsonElement e, SteeringVector vector) {
        if (e == null) {
            if (vector.uniform() != null) {
                throw error("\"blocks\" is missing: a list of block numbers, \"a..b\" or \"all\"");
            }
            return List.copyOf(vector.blocks());
        }
        if (e.isJsonArray()) {
            Set<Integer> out = new LinkedHashSet<>();
            for (JsonElement x : e.getAsJsonArray()) {
                if (!out.add(integer(x, "blocks"))) {
                    throw error("blocks: " + x + " is named twice");
                }
            }
            if (out.isEmpty()) {
                throw error("blocks: the list is empty; leave the edit out instead");
            }
            return List.copyOf(out);
        }
        String text = string(e, "blocks");
        if (text.equals("all")) {
            return null;
        }
        java.util.regex.Matcher m =
                java.util.regex.Pattern.compile("(\\d{1,6})\\.\\.(\\d{1,6})").matcher(text);
        if (!m.matches()) {
            throw error("blocks: \"" + text + "\"; accepted: a list of block numbers, \"a..b\" (half open) or \"all\"");
        }
        int from = Integer.parseInt(m.group(1));
        int to = Integer.parseInt(m.group(2));
        if (from >= to) {
            throw error("blocks: \"" + text + "\" is empty (half open range)");
        }
        return java.util.stream.IntStream.range(from, to).boxed().toList();
    }

    private List<Site> sites(JsonElement e, SteeringVector vector) {
        if (e == null) {
            return List.of(vector.site() == null ? Site.RESID_POST : vector.site());
        }
        if (!e.isJsonArray() || e.getAsJsonArray().isEmpty()) {
            throw error("sites: expected a list of site names");
        }
        Set<Site> out = new LinkedHashSet<>();
        for (JsonElement x : e.getAsJsonArray()) {
            Site site = Site.of(string(x, "sites"), where + ": sites");
            if (!out.add(site)) {
                throw error("sites: " + site.key() + " is named twice");
            }
        }
        return List.copyOf(out);
    }

    private float coefficient(JsonElement e) {
        if (e == null) {
            return 1;
        }
        if (e.isJsonObject()) {
            throw error(
                    "coefficient " + e + ": units are not supported; expected a number (units of the stored vector)");
        }
        return number(e, "coefficient");
    }

    private float strength(JsonElement e) {
        float s = e == null ? 1 : number(e, "strength");
        if (s < 0 || s > 1) {
            throw error("strength " + s + " is outside 0..1");
        }
        return s;
    }

    private Span span(JsonElement e) {
        if (e == null) {
            return Span.GENERATION;
        }
        if (e.isJsonObject()) {
            JsonObject o = e.getAsJsonObject();
            if (!o.keySet().equals(Set.of("from", "to"))) {
                throw error("span " + e + ": accepted: all, prompt, generation, {\"from\": i, \"to\": j}");
            }
            int from = integer(o.get("from"), "span.from");
            int to = integer(o.get("to"), "span.to");
            if (from < 0 || to <= from) {
                throw error("span " + e + ": expected 0 <= from < to");
            }
            return new Span.Range(from, to);
        }
        return switch (string(e, "span")) {
            case "all" -> Span.ALL;
            case "prompt" -> Span.PROMPT;
            case "generation" -> Span.GENERATION;
            default -> throw error("span " + e + ": accepted: all, prompt, generation, {\"from\": i, \"to\": j}");
        };
    }

    private String string(JsonElement e, String key) {
        if (!e.isJsonPrimitive() || !e.getAsJsonPrimitive().isString()) {
            throw error(key + ": expected a string, found " + e);
        }
        return e.getAsString();
    }

    private boolean bool(JsonElement e, String key) {
        if (!e.isJsonPrimitive() || !e.getAsJsonPrimitive().isBoolean()) {
            throw error(key + ": expected true or false, found " + e);
        }
        return e.getAsBoolean();
    }

    private float number(JsonElement e, String key) {
        if (!e.isJsonPrimitive() || !e.getAsJsonPrimitive().isNumber()) {
            throw error(key + ": expected a number, found " + e);
        }
        double value = e.getAsDouble();
        float f = (float) value;
        if (!Float.isFinite(f) || f == 0 && value != 0) {
            throw error(key + ": expected a number that float32 can hold, found " + e);
        }
        return f;
    }

    private int integer(JsonElement e, String key) {
        number(e, key);
        double value = e.getAsDouble();
        if (value != Math.rint(value) || Math.abs(value) > 10_000_000) {
            throw error(key + ": expected a whole number, found " + e);
        }
        return (int) value;
    }

    private TillerException error(String what) {
        return new TillerException(where + ": " + what);
    }
}
