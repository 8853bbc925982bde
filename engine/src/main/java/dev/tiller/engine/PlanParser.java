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
    private static final Set<String> COMMON =
            Set.of("op", "vector", "blocks", "sites", "span", "schedule", "when", "preserve_norm");
    private static final Map<Op, Set<String>> OWN = Map.of(
            Op.ADD, Set.of("coefficient", "at"),
            Op.ABLATE, Set.of("strength"),
            Op.CLAMP, Set.of("min", "max", "strength"),
            Op.SET, Set.of("value", "strength"),
            Op.ROTATE, Set.of("second", "degrees"),
            Op.REPLACE_MEAN, Set.of("value", "reference", "strength"));
    private static final String VECTORS = "a name, {\"file\": F} or {\"file\": F, \"tensor\": T}";
    private static final String OPS = "accepted: add, ablate, clamp, set, rotate, replace_mean";

    private final String source;
    private final VectorResolver resolver;
    private final PlanClauses clauses = new PlanClauses(this);
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
            throw error("expected \"edits\", a list of edits, found "
                    + (root.has("edits") ? root.get("edits") : "no such key"));
        }
        List<Edit> edits = new ArrayList<>();
        JsonArray list = root.getAsJsonArray("edits");
        for (int i = 0; i < list.size(); i++) {
            where = source + ": edits[" + i + "]";
            if (!list.get(i).isJsonObject()) {
                throw error("expected an object, found " + list.get(i));
            }
            edits.add(edit(list.get(i).getAsJsonObject()));
        }
        return new SteeringPlan(edits);
    }

    private Edit edit(JsonObject o) {
        Op op = op(o);
        checkKeys(o, op);
        SteeringVector vector = vector(o.get("vector"), "vector");
        Edit.Builder edit = Edit.of(op, vector)
                .blocks(blocks(o.get("blocks"), vector))
                .sites(sites(o.get("sites"), vector))
                .amount(clauses.amount(o.get("coefficient")))
                .strength(strength(o.get("strength")))
                .preserveNorm(o.has("preserve_norm") && bool(o.get("preserve_norm"), "preserve_norm"))
                .span(clauses.span(o.get("span"), o.get("at"), vector))
                .schedule(clauses.schedule(o.get("schedule")))
                .when(clauses.when(o.get("when")));
        switch (op) {
            case CLAMP -> bounds(o, edit);
            case SET -> edit.value(number(needed(o, op, "value"), "value"));
            case ROTATE ->
                edit.second(vector(needed(o, op, "second"), "second"))
                        .degrees(number(needed(o, op, "degrees"), "degrees"));
            case REPLACE_MEAN -> restored(o, edit);
            case ADD, ABLATE -> {}
        }
        return edit.build();
    }

    private void bounds(JsonObject o, Edit.Builder edit) {
        if (!o.has("min") && !o.has("max")) {
            throw error("clamp needs \"min\", \"max\" or both");
        }
        float low = o.has("min") ? number(o.get("min"), "min") : Float.NEGATIVE_INFINITY;
        float high = o.has("max") ? number(o.get("max"), "max") : Float.POSITIVE_INFINITY;
        if (low > high) {
            throw error("min " + low + " is above max " + high);
        }
        edit.bounds(low, high);
    }

    /** Without either key, what the vector's calibration stores is restored. */
    private void restored(JsonObject o, Edit.Builder edit) {
        if (o.has("value") && o.has("reference")) {
            throw error("\"value\" (a projection) and \"reference\" (a mean residual) contradict each other");
        }
        if (o.has("value")) {
            edit.value(number(o.get("value"), "value"));
        } else if (o.has("reference")) {
            edit.reference(vector(o.get("reference"), "reference"));
        }
    }

    private JsonElement needed(JsonObject o, Op op, String key) {
        if (!o.has(key)) {
            throw error(op.key() + " needs \"" + key + "\"");
        }
        return o.get(key);
    }

    private Op op(JsonObject o) {
        String key = o.has("op") ? string(o.get("op"), "op") : null;
        for (Op op : Op.values()) {
            if (op.key().equals(key)) {
                return op;
            }
        }
        throw error((key == null ? "\"op\" is missing; " : "unknown op \"" + key + "\"; ") + OPS);
    }

    private void checkKeys(JsonObject o, Op op) {
        Set<String> accepted = new TreeSet<>(COMMON);
        accepted.addAll(OWN.get(op));
        for (String key : o.keySet()) {
            if (!accepted.contains(key)) {
                throw error("unknown key \"" + key + "\" for op " + op.key() + owners(key) + "; accepted: "
                        + String.join(", ", accepted));
            }
        }
    }

    /** Which operations a key belongs to. */
    private static String owners(String key) {
        Set<String> owners = new TreeSet<>();
        OWN.forEach((op, keys) -> {
            if (keys.contains(key)) {
                owners.add(op.key());
            }
        });
        return owners.isEmpty() ? "" : " (it is a key of " + String.join(", ", owners) + ")";
    }

    SteeringVector vector(JsonElement e, String key) {
        if (e == null) {
            throw error("\"" + key + "\" is missing: " + VECTORS);
        }
        if (isString(e)) {
            return resolve(new VectorResolver.Reference(string(e, key), null, null, false));
        }
        if (!e.isJsonObject()) {
            throw error(key + " " + e + ": expected " + VECTORS);
        }
        JsonObject o = e.getAsJsonObject();
        for (String name : o.keySet()) {
            if (!Set.of("file", "tensor", "incremental").contains(name)) {
                throw error(key + ": unknown key \"" + name + "\"; accepted: file, tensor, incremental");
            }
        }
        if (!o.has("file")) {
            throw error(key + ": \"file\" is missing; expected " + VECTORS);
        }
        String tensor = o.has("tensor") ? string(o.get("tensor"), key + ".tensor") : null;
        boolean incremental = o.has("incremental") && bool(o.get("incremental"), key + ".incremental");
        if (tensor != null && incremental) {
            throw error(key + ": \"tensor\" and \"incremental\" contradict each other");
        }
        return resolve(new VectorResolver.Reference(null, string(o.get("file"), key + ".file"), tensor, incremental));
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
        String text = isString(e) ? e.getAsString() : e.toString();
        if (text.equals("all")) {
            return null;
        }
        java.util.regex.Matcher m =
                java.util.regex.Pattern.compile("(\\d{1,6})\\.\\.(\\d{1,6})").matcher(text);
        if (!m.matches()) {
            throw error("blocks " + e + ": accepted: a list of block numbers, \"a..b\" (half open) or \"all\"");
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
            throw error("sites " + e + ": expected a list of site names; accepted: " + Site.keys());
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

    private float strength(JsonElement e) {
        float s = e == null ? 1 : number(e, "strength");
        if (s < 0 || s > 1) {
            throw error("strength " + s + " is outside 0..1");
        }
        return s;
    }

    static boolean isString(JsonElement e) {
        return e.isJsonPrimitive() && e.getAsJsonPrimitive().isString();
    }

    String string(JsonElement e, String key) {
        if (!isString(e)) {
            throw error(key + ": expected a string, found " + e);
        }
        return e.getAsString();
    }

    boolean bool(JsonElement e, String key) {
        if (!e.isJsonPrimitive() || !e.getAsJsonPrimitive().isBoolean()) {
            throw error(key + ": expected true or false, found " + e);
        }
        return e.getAsBoolean();
    }

    float number(JsonElement e, String key) {
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

    int integer(JsonElement e, String key) {
        number(e, key);
        double value = e.getAsDouble();
        if (value != Math.rint(value) || Math.abs(value) > 10_000_000) {
            throw error(key + ": expected a whole number, found " + e);
        }
        return (int) value;
    }

    TillerException error(String what) {
        return new TillerException(where + ": " + what);
    }
}
