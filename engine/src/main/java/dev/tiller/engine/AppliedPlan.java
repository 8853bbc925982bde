package dev.tiller.engine;

import com.google.gson.JsonArray;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.util.ArrayList;
import java.util.List;

/**
 * The steering that a result was made with: vectors with their hashes, blocks, resolved numbers, and what the conditions
 * found.
 *
 * @param edits in the order of the plan; those that change nothing are there too
 */
public record AppliedPlan(List<AppliedEdit> edits) {
    /** No steering. */
    public static final AppliedPlan NONE = new AppliedPlan(List.of());

    /**
     * One edit.
     *
     * @param edit as it was asked for
     * @param blocks where it acts
     * @param coefficients of the stored vector for each of the blocks (of the first site); empty unless the operation adds
     * @param measured projection that its condition found on the prompt; NaN without such a condition
     * @param fired false if its condition on the prompt did not hold, so that it did nothing
     * @param positions how many of the positions that were run its span, schedule and condition on the prompt let it act
     *     on; 0 if this text went its way as without it
     */
    public record AppliedEdit(
            Edit edit, List<Integer> blocks, List<Float> coefficients, double measured, boolean fired, int positions) {
        /** SHA-256 of the vector's numbers. */
        public String sha256() {
            return edit.vector().sha256();
        }
    }

    public AppliedPlan {
        edits = List.copyOf(edits);
    }

    /** What a compiled plan did to a text of that treatment and so many positions, with what the decision measured. */
    static AppliedPlan of(CompiledPlan plan, Treatment treatment, int length, double[] measured) {
        if (plan.plan().edits().isEmpty()) {
            return NONE;
        }
        List<AppliedEdit> out = new ArrayList<>();
        for (CompiledPlan.Resolved r : plan.resolved()) {
            int condition = plan.conditions().indexOf(Term.of(r.edit()).when());
            out.add(new AppliedEdit(
                    r.edit(),
                    r.blocks(),
                    r.coefficients(),
                    condition < 0 || !treatment.decided() ? Double.NaN : measured[condition],
                    condition < 0 || treatment.holds(condition),
                    treatment.positions(r.edit(), length)));
        }
        return new AppliedPlan(out);
    }

    /**
     * A compiled plan with its numbers, before any text: nothing is measured, every condition may yet hold, and no position
     * has been run.
     */
    static AppliedPlan of(CompiledPlan plan) {
        return new AppliedPlan(plan.resolved().stream()
                .map(r -> new AppliedEdit(r.edit(), r.blocks(), r.coefficients(), Double.NaN, true, 0))
                .toList());
    }

    /** The JSON form: a list of edits with the keys of plans; {@code null} stands for numbers without a bound. */
    public JsonObject toJson() {
        JsonArray list = new JsonArray();
        edits.forEach(e -> list.add(json(e)));
        JsonObject o = new JsonObject();
        o.add("edits", list);
        return o;
    }

    private static JsonObject json(AppliedEdit a) {
        Edit e = a.edit();
        JsonObject o = new JsonObject();
        o.addProperty("op", e.op().key());
        o.addProperty("vector", e.vector().name());
        o.addProperty("sha256", a.sha256());
        if (e.second() != null) {
            o.addProperty("second", e.second().name());
            o.addProperty("second_sha256", e.second().sha256());
            o.addProperty("degrees", e.degrees());
        }
        if (e.reference() != null) {
            o.addProperty("reference", e.reference().name());
            o.addProperty("reference_sha256", e.reference().sha256());
        }
        JsonArray blocks = new JsonArray();
        a.blocks().forEach(blocks::add);
        o.add("blocks", blocks);
        JsonArray sites = new JsonArray();
        e.sites().forEach(s -> sites.add(s.key()));
        o.add("sites", sites);
        numbers(a, o);
        o.add("span", span(e.span()));
        o.addProperty("positions", a.positions());
        if (e.schedule() != null) {
            o.add("schedule", schedule(e.schedule()));
        }
        if (e.preserveNorm()) {
            o.addProperty("preserve_norm", true);
        }
        if (e.when() != null) {
            o.add("when", when(a, e.when()));
        }
        return o;
    }

    private static void numbers(AppliedEdit a, JsonObject o) {
        Edit e = a.edit();
        switch (e.op()) {
            case ADD -> {
                if (e.amount().unit() == Amount.Unit.VECTOR) {
                    o.addProperty("coefficient", e.amount().value());
                } else {
                    JsonObject unit = new JsonObject();
                    unit.addProperty(e.amount().unit().key(), e.amount().value());
                    o.add("coefficient", unit);
                }
                JsonArray resolved = new JsonArray();
                a.coefficients().forEach(resolved::add);
                o.add("coefficients", resolved);
            }
            case CLAMP -> {
                o.add("min", bound(e.low()));
                o.add("max", bound(e.high()));
                o.addProperty("strength", e.strength());
            }
            case SET -> {
                o.addProperty("value", e.low());
                o.addProperty("strength", e.strength());
            }
            case REPLACE_MEAN -> {
                if (!Float.isNaN(e.low())) {
                    o.addProperty("value", e.low());
                } else if (!e.isIdle()) {
                    JsonArray values = new JsonArray();
                    a.blocks()
                            .forEach(b ->
                                    values.add(PointItems.restored(e, e.sites().getFirst(), b)));
                    o.add("values", values);
                }
                o.addProperty("strength", e.strength());
            }
            case ABLATE -> o.addProperty("strength", e.strength());
            case ROTATE -> {}
        }
    }

    private static com.google.gson.JsonElement bound(float x) {
        return Float.isInfinite(x) ? JsonNull.INSTANCE : new JsonPrimitive(x);
    }

    private static com.google.gson.JsonElement span(Span span) {
        JsonObject o = new JsonObject();
        return switch (span) {
            case Span.Range r -> {
                o.addProperty("from", r.from());
                o.addProperty("to", r.to());
                yield o;
            }
            case Span.OfRole r -> {
                o.addProperty("role", r.role().key());
                yield o;
            }
            default -> new JsonPrimitive(span.toString());
        };
    }

    private static JsonObject schedule(Schedule s) {
        JsonObject o = new JsonObject();
        switch (s) {
            case Schedule.Decay d -> o.addProperty("decay", d.factor());
            case Schedule.Ramp r -> o.addProperty("ramp", r.tokens());
            case Schedule.First f -> o.addProperty("first", f.tokens());
            case Schedule.After f -> o.addProperty("after", f.tokens());
        }
        return o;
    }

    private static JsonObject when(AppliedEdit a, Condition c) {
        JsonObject o = new JsonObject();
        o.addProperty("probe", c.probe().name());
        o.addProperty("probe_sha256", c.probe().sha256());
        o.addProperty("block", c.block());
        o.addProperty("site", c.site().key());
        o.addProperty(c.above() ? "above" : "below", c.threshold());
        o.addProperty("measure", c.measure().key());
        if (c.measure() != Condition.Measure.TOKEN) {
            o.add("measured", Double.isFinite(a.measured()) ? new JsonPrimitive(a.measured()) : JsonNull.INSTANCE);
            o.addProperty("fired", a.fired());
        }
        return o;
    }
}
