package dev.tiller.engine;

import dev.tiller.engine.CompiledPlan.Item;
import dev.tiller.kernels.EditTable.Kind;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;

/**
 * Lays out the edits of one point in the order in which the kernels apply them: probes, then ablate and replace_mean, add,
 * rotate, clamp, set; around each of them what keeps the norm and what waits for a gate.
 */
final class PointItems {
    /** Directions whose part outside the others is shorter than this (of unit vectors) say nothing of their own. */
    private static final double SAME = 1e-6;

    /** The same for the second direction of a plane, whose angle would be noise. */
    private static final double PARALLEL = 1e-4;

    private final Site site;
    private final int block;
    private final List<Term> terms;
    private final List<Condition> gates;
    private final Amounts amounts;
    private final List<Item> out = new ArrayList<>();

    /**
     * @param terms whose index an item carries
     * @param gates conditions on every token, whose index is the gate's
     */
    PointItems(Site site, int block, List<Term> terms, List<Condition> gates, Amounts amounts) {
        this.site = site;
        this.block = block;
        this.terms = terms;
        this.gates = gates;
        this.amounts = amounts;
    }

    /**
     * @param probing edits, of any point, whose condition on every token is read here
     * @param edits of this point
     */
    List<Item> of(List<Edit> probing, List<Edit> edits) {
        for (Edit e : probing) {
            Item item = new Item(Kind.PROBE, e.when().unit(), null, gates.indexOf(e.when()), 1, 0, 0, term(e));
            if (out.stream().noneMatch(i -> i.gate() == item.gate() && i.span() == item.span())) {
                out.add(item);
            }
        }
        List<Edit> removing = edits.stream().filter(PointItems::removes).toList();
        if (!removing.isEmpty()) {
            surrounded(removing.getFirst(), orthonormal(removing));
        }
        List<Edit> rest = new ArrayList<>(edits);
        rest.removeIf(PointItems::removes);
        rest.sort(Comparator.comparing(Edit::op));
        for (Edit e : rest) {
            Item item = item(e);
            if (item.coefficient() != 0) { // a unit may come to nothing here
                surrounded(e, List.of(item));
            }
        }
        return List.copyOf(out);
    }

    private static boolean removes(Edit e) {
        return e.op() == Op.ABLATE || e.op() == Op.REPLACE_MEAN;
    }

    private int term(Edit e) {
        return terms.indexOf(Term.of(e));
    }

    private static boolean waits(Edit e) {
        return e.when() != null && e.when().measure() == Condition.Measure.TOKEN;
    }

    /** Items that share the norm they keep and the gate they wait for. */
    private void surrounded(Edit e, List<Item> items) {
        boolean keeps = e.preserveNorm() && e.op() != Op.ROTATE; // turning keeps the norm anyway
        Condition c = e.when();
        if (waits(e)) {
            float low = c.above() ? c.threshold() : Float.NEGATIVE_INFINITY;
            float high = c.above() ? Float.POSITIVE_INFINITY : c.threshold();
            out.add(new Item(Kind.WHEN, null, null, gates.indexOf(c), 1, low, high, term(e)));
        }
        if (keeps) {
            out.add(mark(Kind.KEEP_NORM, e));
        }
        out.addAll(items);
        if (keeps) {
            out.add(mark(Kind.RESTORE_NORM, e));
        }
        if (waits(e)) {
            out.add(mark(Kind.ALWAYS, e));
        }
    }

    private Item mark(Kind kind, Edit e) {
        return new Item(kind, null, null, -1, 1, 0, 0, term(e));
    }

    private Item item(Edit e) {
        float[] v = e.vector().at(site, block);
        return switch (e.op()) {
            case ADD -> new Item(Kind.ADD, v, null, -1, amounts.coefficient(e, site, block), 0, 0, term(e));
            case ROTATE -> turn(e, v);
            default -> new Item(Kind.CLAMP, unit(e, v), null, -1, e.strength(), e.low(), e.high(), term(e));
        };
    }

    private static float[] unit(Edit e, float[] v) {
        return Vectors.unit(v, e.vector().name());
    }

    private Item turn(Edit e, float[] v) {
        float[] b1 = unit(e, v);
        double[] b2 =
                toDouble(Vectors.unit(e.second().at(site, block), e.second().name()));
        double dot = dot(b2, toDouble(b1));
        double length = without(b2, toDouble(b1), dot);
        if (length < PARALLEL) {
            throw new TillerException("steering plan: rotate: \"" + e.vector().name() + "\" and \""
                    + e.second().name() + "\" are parallel at " + site.key() + " of block " + block + " (cosine " + dot
                    + "); a plane needs two directions");
        }
        double angle = Math.toRadians(e.degrees());
        float cosine = (float) Math.cos(angle);
        float sine = (float) Math.sin(angle);
        return new Item(Kind.ROTATE, b1, scaled(b2, 1 / length), -1, e.strength(), cosine, sine, term(e));
    }

    /**
     * Removed directions of one point, orthonormalised together (modified Gram-Schmidt in double), so that removing them
     * one after the other removes their whole span whatever the order: h' = h - s Q Q^T h + s m with m in the span of Q
     * and m.u_i the component that is restored for direction i, 0 where it is ablated. What each q_i restores follows from
     * the same steps that make q_i of the u_i.
     */
    private List<Item> orthonormal(List<Edit> edits) {
        List<Item> items = new ArrayList<>();
        List<double[]> basis = new ArrayList<>();
        List<Double> restored = new ArrayList<>();
        for (Edit e : edits) {
            together(edits.getFirst(), e);
            double[] u = toDouble(unit(e, e.vector().at(site, block)));
            double target = restored(e, site, block);
            double size = Math.max(1, Math.abs(target));
            for (int i = 0; i < basis.size(); i++) {
                double dot = dot(u, basis.get(i));
                without(u, basis.get(i), dot);
                target -= dot * restored.get(i);
            }
            double norm = Math.sqrt(dot(u, u));
            if (norm < SAME) { // already removed by the others
                if (Math.abs(target) > 1e-4 * size) {
                    throw new TillerException("steering plan: \"" + e.vector().name() + "\" is a combination of the"
                            + " other directions removed at " + site.key() + " of block " + block
                            + ", but is to be restored to another projection than they are");
                }
                continue;
            }
            float[] q = scaled(u, 1 / norm);
            basis.add(toDouble(q));
            restored.add(target / norm);
            float value = (float) (target / norm);
            Kind kind = value == 0 ? Kind.ABLATE : Kind.CLAMP;
            items.add(new Item(kind, q, null, -1, e.strength(), value, value, term(e)));
        }
        return items;
    }

    /** The projection on the unit vector that an ABLATE or REPLACE_MEAN leaves at a place, at full strength. */
    static double restored(Edit e, Site site, int block) {
        if (e.op() == Op.ABLATE) {
            return 0;
        }
        if (e.reference() != null) {
            return Vectors.dot(
                    unit(e, e.vector().at(site, block)), e.reference().at(site, block));
        }
        if (!Float.isNaN(e.low())) {
            return e.low();
        }
        Calibration known = e.vector().calibration().get(block);
        if (known == null || !Double.isFinite(known.mean())) {
            throw new TillerException("vector \"" + e.vector().name() + "\": op replace_mean needs a projection to"
                    + " restore, and the vector file stores none for block " + block + "; give \"value\" or"
                    + " \"reference\", or run " + Calibration.COMMAND);
        }
        return known.mean();
    }

    private void together(Edit first, Edit e) {
        if (e.strength() != first.strength()
                || e.preserveNorm() != first.preserveNorm()
                || !Term.of(e).equals(Term.of(first))
                || !Objects.equals(e.when(), first.when())) {
            throw new TillerException("steering plan: \"" + first.vector().name() + "\" and \""
                    + e.vector().name() + "\" are ablated together at " + site.key() + " of block " + block
                    + ", but with different strengths or spans, schedules, conditions or preserve_norm; make them"
                    + " equal");
        }
    }

    /** u -= dot * b; the length of what is left. */
    private static double without(double[] u, double[] b, double dot) {
        for (int i = 0; i < u.length; i++) {
            u[i] -= dot * b[i];
        }
        return Math.sqrt(dot(u, u));
    }

    private static float[] scaled(double[] u, double factor) {
        float[] out = new float[u.length];
        for (int i = 0; i < u.length; i++) {
            out[i] = (float) (u[i] * factor);
        }
        return out;
    }

    private static double[] toDouble(float[] v) {
        double[] out = new double[v.length];
        for (int i = 0; i < v.length; i++) {
            out[i] = v[i];
        }
        return out;
    }

    private static double dot(double[] a, double[] b) {
        double s = 0;
        for (int i = 0; i < a.length; i++) {
            s += a[i] * b[i];
        }
        return s;
    }
}
