package dev.tiller.engine;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** Reads the parts of an edit that are objects of their own: coefficient with a unit, span, schedule, condition. */
final class PlanClauses {
    private static final String SPANS =
            "accepted: all, prompt, generation, {\"from\": i, \"to\": j}, {\"role\": one of " + Role.keys() + "}";
    private static final String SCHEDULES =
            "accepted: {\"decay\": factor}, {\"ramp\": tokens}, {\"first\": tokens}, {\"after\": tokens}";
    private static final String UNITS =
            "accepted: a number (units of the stored vector), {\"norm\": x}, {\"sd\": x}, {\"kl\": x}";
    private static final Map<String, Condition.Measure> MEASURES = Map.of(
            "prompt", Condition.Measure.PROMPT_LAST,
            "prompt_last", Condition.Measure.PROMPT_LAST,
            "prompt_mean", Condition.Measure.PROMPT_MEAN,
            "token", Condition.Measure.TOKEN);

    private final PlanParser plan;

    PlanClauses(PlanParser plan) {
        this.plan = plan;
    }

    Amount amount(JsonElement e) {
        if (e == null) {
            return Amount.of(1);
        }
        if (e.isJsonPrimitive() && e.getAsJsonPrimitive().isNumber()) {
            return Amount.of(plan.number(e, "coefficient"));
        }
        JsonObject o = e.isJsonObject() ? e.getAsJsonObject() : new JsonObject();
        for (Amount.Unit unit : Amount.Unit.values()) {
            if (unit != Amount.Unit.VECTOR && o.size() == 1 && o.has(unit.key())) {
                return new Amount(plan.number(o.get(unit.key()), "coefficient." + unit.key()), unit);
            }
        }
        throw plan.error("coefficient " + e + ": " + UNITS);
    }

    /**
     * @param at position of the first row of a matrix, or null
     */
    Span span(JsonElement e, JsonElement at, SteeringVector vector) {
        if (at != null) {
            if (e != null) {
                throw plan.error("\"at\" and \"span\" contradict each other");
            }
            if (vector.positions() == 1) {
                throw plan.error("\"at\" is for a matrix of positions; vector \"" + vector.name()
                        + "\" is a direction, use \"span\"");
            }
            int from = plan.integer(at, "at");
            if (from < 0) {
                throw plan.error("at " + from + ": expected a position, 0 or more");
            }
            return new Span.Range(from, from + vector.positions());
        }
        return e == null ? Span.GENERATION : e.isJsonObject() ? span(e.getAsJsonObject()) : named(e);
    }

    private Span span(JsonObject o) {
        if (o.keySet().equals(Set.of("role"))) {
            return new Span.OfRole(Role.of(
                    plan.string(o.get("role"), "span.role"), plan.error("span").getMessage()));
        }
        if (!o.keySet().equals(Set.of("from", "to"))) {
            throw plan.error("span " + o + ": " + SPANS);
        }
        int from = plan.integer(o.get("from"), "span.from");
        int to = plan.integer(o.get("to"), "span.to");
        if (from < 0 || to <= from) {
            throw plan.error("span " + o + ": expected 0 <= from < to");
        }
        return new Span.Range(from, to);
    }

    private Span named(JsonElement e) {
        return switch (PlanParser.isString(e) ? e.getAsString() : "") {
            case "all" -> Span.ALL;
            case "prompt" -> Span.PROMPT;
            case "generation" -> Span.GENERATION;
            default -> throw plan.error("span " + e + ": " + SPANS);
        };
    }

    Schedule schedule(JsonElement e) {
        if (e == null) {
            return null;
        }
        if (!e.isJsonObject() || e.getAsJsonObject().size() != 1) {
            throw plan.error("schedule " + e + ": " + SCHEDULES);
        }
        String key = e.getAsJsonObject().keySet().iterator().next();
        JsonElement value = e.getAsJsonObject().get(key);
        String where = "schedule." + key;
        return switch (key) {
            case "decay" -> {
                float factor = plan.number(value, where);
                if (!(factor > 0 && factor <= 1)) {
                    throw plan.error(where + " " + value + ": expected a factor above 0 and at most 1");
                }
                yield new Schedule.Decay(factor);
            }
            case "ramp" -> new Schedule.Ramp(tokens(value, where));
            case "first" -> new Schedule.First(tokens(value, where));
            case "after" -> new Schedule.After(tokens(value, where));
            default -> throw plan.error("schedule: unknown key \"" + key + "\"; " + SCHEDULES);
        };
    }

    private int tokens(JsonElement e, String where) {
        int n = plan.integer(e, where);
        if (n < 1) {
            throw plan.error(where + " " + e + ": expected a number of tokens, 1 or more");
        }
        return n;
    }

    Condition when(JsonElement e) {
        if (e == null) {
            return null;
        }
        if (!e.isJsonObject()) {
            throw plan.error(
                    "when: expected an object with \"probe\", \"block\" and \"above\" or \"below\", found " + e);
        }
        JsonObject o = e.getAsJsonObject();
        Set<String> accepted = new TreeSet<>(Set.of("probe", "block", "site", "above", "below", "measure"));
        for (String key : o.keySet()) {
            if (!accepted.contains(key)) {
                throw plan.error("when: unknown key \"" + key + "\"; accepted: " + String.join(", ", accepted));
            }
        }
        if (!o.has("block")) {
            throw plan.error("when: \"block\" is missing: the block that the probe reads");
        }
        if (o.has("above") == o.has("below")) {
            throw plan.error("when: expected either \"above\" or \"below\", a threshold; found "
                    + (o.has("above") ? "both" : "neither"));
        }
        boolean above = o.has("above");
        SteeringVector probe = plan.vector(o.get("probe"), "when.probe");
        Site usual = probe.site() == null ? Site.RESID_POST : probe.site();
        return new Condition(
                probe,
                o.has("site")
                        ? Site.of(
                                plan.string(o.get("site"), "when.site"),
                                plan.error("when").getMessage())
                        : usual,
                plan.integer(o.get("block"), "when.block"),
                plan.number(o.get(above ? "above" : "below"), above ? "when.above" : "when.below"),
                above,
                measure(o.get("measure")));
    }

    private Condition.Measure measure(JsonElement e) {
        Condition.Measure m = e == null ? Condition.Measure.PROMPT_LAST : MEASURES.get(plan.string(e, "when.measure"));
        if (m == null) {
            throw plan.error("when.measure " + e
                    + ": accepted: prompt (its last token), prompt_mean (the mean over its tokens), token (every one)");
        }
        return m;
    }
}
