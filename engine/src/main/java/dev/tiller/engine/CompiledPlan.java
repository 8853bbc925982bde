package dev.tiller.engine;

import dev.tiller.kernels.EditTable;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;

/**
 * A plan checked against a model and laid out by point (site and block): what to do, in which order, on which spans.
 * Idle edits (coefficient or strength 0) are left out, so they cost nothing and change nothing, bit for bit.
 */
final class CompiledPlan {
    /**
     * One entry of a point's list.
     *
     * @param direction [d] as stored for ADD, unit length otherwise; null for kinds without one
     * @param second [d] the second direction of ROTATE, else null
     * @param gate index of its condition for PROBE and WHEN, else -1
     * @param span index of its term
     */
    record Item(
            EditTable.Kind kind,
            float[] direction,
            float[] second,
            int gate,
            float coefficient,
            float low,
            float high,
            int span) {}

    /**
     * An edit with its numbers for this model.
     *
     * @param coefficients for each of the blocks, at the first site; empty unless the operation adds
     */
    record Resolved(Edit edit, List<Integer> blocks, List<Float> coefficients) {
        static Resolved of(Edit e, List<Integer> blocks, Amounts amounts) {
            List<Float> coefficients = e.op() != Op.ADD
                    ? List.of()
                    : blocks.stream()
                            .map(b -> amounts.coefficient(e, e.sites().getFirst(), b))
                            .toList();
            return new Resolved(e, blocks, coefficients);
        }
    }

    static final CompiledPlan NONE = new CompiledPlan(SteeringPlan.NONE, List.of(), List.of(), List.of(), 0);

    private final SteeringPlan plan;
    private final List<List<Item>> points;
    private final List<Term> terms;
    private final List<Resolved> resolved;
    private final List<Condition> conditions;
    private final int[] conditionOf;
    private final long varying;
    private final int gates;

    /** Asking for all sites makes a copy of them, for each operation of a step. */
    private static final int SITES = Site.values().length;

    private CompiledPlan(
            SteeringPlan plan, List<List<Item>> points, List<Term> terms, List<Resolved> resolved, int gates) {
        this.gates = gates;
        this.resolved = resolved;
        this.plan = plan;
        this.points = points;
        this.terms = List.copyOf(terms);
        this.conditions = terms.stream()
                .map(Term::when)
                .filter(Objects::nonNull)
                .distinct()
                .toList();
        this.conditionOf =
                this.terms.stream().mapToInt(t -> conditions.indexOf(t.when())).toArray();
        long bits = 0;
        for (int i = 0; i < this.terms.size(); i++) {
            bits |= this.terms.get(i).varies() ? 1L << i : 0;
        }
        this.varying = bits;
    }

    /** Index of a site and block in the list of points. */
    static int point(Site site, int block) {
        return block * SITES + site.ordinal();
    }

    /** The same for vectors that say themselves how long residuals are. */
    static CompiledPlan compile(
            SteeringPlan plan, int blocks, int width, int maxPositions, Supplier<String> fingerprint) {
        return compile(plan, new PlanChecks(blocks, width, maxPositions, false, fingerprint), blocks, (site, block) -> {
            throw new TillerException("steering plan: the mean residual norm is not known");
        });
    }

    /**
     * Checks, normalises, and orders.
     *
     * @param blocks blocks L of the model
     * @param norms mean length of residuals, asked for only if a coefficient counts it and the vector does not say it
     */
    static CompiledPlan compile(SteeringPlan plan, PlanChecks checks, int blocks, Amounts.Norms norms) {
        if (plan.edits().isEmpty()) {
            return NONE;
        }
        Amounts amounts = new Amounts(norms);
        for (Edit edit : plan.edits()) {
            checks.check(edit);
            amounts.check(edit, checks.blocksOf(edit).size());
        }
        List<List<Edit>> byPoint = empty(blocks);
        List<List<Edit>> probing = empty(blocks);
        List<Condition> gates = new ArrayList<>();
        List<Term> terms = new ArrayList<>();
        for (Edit edit : checks.byPosition(plan.edits())) {
            if (edit.isIdle()) {
                continue;
            }
            if (!terms.contains(Term.of(edit))) {
                terms.add(Term.of(edit));
            }
            Condition c = edit.when();
            if (c != null && c.measure() == Condition.Measure.TOKEN) {
                probing.get(point(c.site(), c.block())).add(edit);
                if (!gates.contains(c)) {
                    gates.add(c);
                }
            }
            for (int block : checks.blocksOf(edit)) {
                for (Site site : edit.sites()) {
                    byPoint.get(point(site, block)).add(edit);
                }
            }
        }
        if (terms.size() > Long.SIZE) {
            throw new TillerException("steering plan: " + terms.size()
                    + " different spans, schedules, conditions and positions of matrices; at most 64 are possible");
        }
        List<List<Item>> points = new ArrayList<>();
        for (int i = 0; i < byPoint.size(); i++) {
            Site site = Site.values()[i % Site.values().length];
            PointItems items = new PointItems(site, i / Site.values().length, terms, gates, amounts);
            points.add(items.of(probing.get(i), byPoint.get(i)));
        }
        List<Resolved> resolved = plan.edits().stream()
                .map(e -> Resolved.of(e, checks.blocksOf(e), amounts))
                .toList();
        return new CompiledPlan(plan, points, terms, resolved, gates.size());
    }

    private static List<List<Edit>> empty(int blocks) {
        List<List<Edit>> out = new ArrayList<>();
        for (int i = 0; i < blocks * Site.values().length; i++) {
            out.add(new ArrayList<>());
        }
        return out;
    }

    SteeringPlan plan() {
        return plan;
    }

    /** The plan's edits with their numbers. */
    List<Resolved> resolved() {
        return resolved;
    }

    boolean isEmpty() {
        return terms.isEmpty();
    }

    List<Item> items(int point) {
        return points.isEmpty() ? List.of() : points.get(point);
    }

    /** How many conditions are measured on every token. */
    int gates() {
        return gates;
    }

    /** What the bits of {@link Treatment#mask} stand for. */
    List<Term> terms() {
        return terms;
    }

    /** Conditions that are decided once on the prompt. */
    List<Condition> conditions() {
        return conditions;
    }

    /** The condition of a term, or -1. */
    int conditionOf(int term) {
        return conditionOf[term];
    }

    /** Terms whose factor changes from position to position while they act. */
    long varying() {
        return varying;
    }

    /** True if a span asks where that role speaks. */
    boolean speaks(Role role) {
        return terms.stream().anyMatch(t -> t.span() instanceof Span.OfRole r && r.role() == role);
    }
}
