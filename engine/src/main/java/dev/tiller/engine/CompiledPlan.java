package dev.tiller.engine;

import dev.tiller.kernels.EditTable;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.Supplier;

/**
 * A plan checked against a model and laid out by point (site and block): what to do, in which order, on which spans.
 * Idle edits (coefficient or strength 0) are left out, so they cost nothing and change nothing, bit for bit.
 */
final class CompiledPlan {
    /**
     * One edit of one direction at one point.
     *
     * @param direction [d] as stored for ADD, unit length otherwise
     * @param span bit number in {@link CompiledPlan#mask}
     */
    record Item(EditTable.Kind kind, float[] direction, float coefficient, float low, float high, int span) {}

    static final CompiledPlan NONE = new CompiledPlan(SteeringPlan.NONE, List.of(), List.of());

    private final SteeringPlan plan;
    private final List<List<Item>> points;
    private final List<Span> spans;

    private CompiledPlan(SteeringPlan plan, List<List<Item>> points, List<Span> spans) {
        this.plan = plan;
        this.points = points;
        this.spans = spans;
    }

    /** Index of a site and block in the list of points. */
    static int point(Site site, int block) {
        return block * Site.values().length + site.ordinal();
    }

    /**
     * Checks blocks, widths and origin, normalises, and orders.
     *
     * @param blocks blocks L of the model
     * @param width model width d
     * @param maxPositions longest context
     * @param fingerprint of the model, asked for only if a vector has one
     */
    static CompiledPlan compile(
            SteeringPlan plan, int blocks, int width, int maxPositions, Supplier<String> fingerprint) {
        if (plan.edits().isEmpty()) {
            return NONE;
        }
        List<List<Edit>> byPoint = new ArrayList<>();
        for (int i = 0; i < blocks * Site.values().length; i++) {
            byPoint.add(new ArrayList<>());
        }
        List<Span> spans = new ArrayList<>();
        for (Edit edit : plan.edits()) {
            check(edit, blocks, width, fingerprint);
            checkSpan(edit, maxPositions);
            if (edit.isIdle()) {
                continue;
            }
            if (!spans.contains(edit.span())) {
                spans.add(edit.span());
            }
            for (int block : blocksOf(edit, blocks)) {
                for (Site site : edit.sites()) {
                    byPoint.get(point(site, block)).add(edit);
                }
            }
        }
        if (spans.size() > Long.SIZE) {
            throw new TillerException("steering plan: " + spans.size() + " different spans, at most 64 are possible");
        }
        List<List<Item>> points = new ArrayList<>();
        for (int i = 0; i < byPoint.size(); i++) {
            Site site = Site.values()[i % Site.values().length];
            points.add(items(byPoint.get(i), site, i / Site.values().length, spans));
        }
        return new CompiledPlan(plan, points, spans);
    }

    private static List<Integer> blocksOf(Edit edit, int blocks) {
        return edit.blocks() != null
                ? edit.blocks()
                : java.util.stream.IntStream.range(0, blocks).boxed().toList();
    }

    private static void check(Edit edit, int blocks, int width, Supplier<String> fingerprint) {
        SteeringVector v = edit.vector();
        if (v.modelFingerprint() != null && !v.modelFingerprint().equals(fingerprint.get())) {
            throw new TillerException("vector \"" + v.name() + "\": was found in another model (fingerprint "
                    + brief(v.modelFingerprint()) + "), this one is " + brief(fingerprint.get()));
        }
        for (int block : blocksOf(edit, blocks)) {
            if (block < 0 || block >= blocks) {
                throw new TillerException("steering plan: block " + block + " of vector \"" + v.name()
                        + "\" is out of range; the model has blocks 0.." + (blocks - 1));
            }
            for (Site site : edit.sites()) {
                float[] direction = v.at(site, block);
                if (direction.length != width) {
                    throw new TillerException("vector \"" + v.name() + "\": width " + direction.length
                            + ", the model's residual stream has width " + width);
                }
                double norm = Vectors.norm(direction);
                if (!(norm > 0) || Double.isInfinite(norm)) {
                    throw new TillerException("vector \"" + v.name() + "\": norm at block " + block + " is " + norm
                            + "; a direction is needed");
                }
            }
        }
    }

    private static void checkSpan(Edit edit, int maxPositions) {
        if (edit.span() instanceof Span.Range r && r.from() >= maxPositions) {
            throw new TillerException("steering plan: span " + r + " of vector \""
                    + edit.vector().name() + "\" begins beyond the model's context of " + maxPositions + " positions");
        }
    }

    private static String brief(String fingerprint) {
        return fingerprint == null ? "unknown" : fingerprint.substring(0, Math.min(12, fingerprint.length()));
    }

    private static List<Item> items(List<Edit> edits, Site site, int block, List<Span> spans) {
        if (edits.isEmpty()) {
            return List.of();
        }
        List<Item> out = new ArrayList<>(orthonormal(edits, site, block, spans));
        List<Edit> rest = new ArrayList<>(edits);
        rest.removeIf(e -> e.op() == Op.ABLATE);
        rest.sort(Comparator.comparing(Edit::op));
        for (Edit e : rest) {
            float[] v = e.vector().at(site, block);
            int span = spans.indexOf(e.span());
            out.add(
                    e.op() == Op.ADD
                            ? new Item(EditTable.Kind.ADD, v, e.coefficient(), 0, 0, span)
                            : new Item(
                                    EditTable.Kind.CLAMP,
                                    Vectors.unit(v, e.vector().name()),
                                    e.strength(),
                                    e.low(),
                                    e.high(),
                                    span));
        }
        return List.copyOf(out);
    }

    /**
     * Ablated directions of one point, orthonormalised together (modified Gram-Schmidt in double), so that removing
     * them one after the other removes their whole span whatever the order.
     */
    private static List<Item> orthonormal(List<Edit> edits, Site site, int block, List<Span> spans) {
        List<Item> out = new ArrayList<>();
        List<double[]> basis = new ArrayList<>();
        Edit first = null;
        for (Edit e : edits) {
            if (e.op() != Op.ABLATE) {
                continue;
            }
            if (first == null) {
                first = e;
            } else if (e.strength() != first.strength() || !e.span().equals(first.span())) {
                throw new TillerException("steering plan: \"" + first.vector().name() + "\" and \""
                        + e.vector().name()
                        + "\" are ablated together at " + site.key() + " of block " + block
                        + ", but with different strengths or spans; make them equal");
            }
            double[] u =
                    toDouble(Vectors.unit(e.vector().at(site, block), e.vector().name()));
            for (double[] b : basis) {
                double dot = dot(u, b);
                for (int i = 0; i < u.length; i++) {
                    u[i] -= dot * b[i];
                }
            }
            double norm = Math.sqrt(dot(u, u));
            if (norm < 1e-6) {
                continue; // already removed by the others
            }
            float[] direction = new float[u.length];
            for (int i = 0; i < u.length; i++) {
                u[i] /= norm;
                direction[i] = (float) u[i];
            }
            basis.add(u);
            out.add(new Item(EditTable.Kind.ABLATE, direction, e.strength(), 0, 0, spans.indexOf(e.span())));
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

    SteeringPlan plan() {
        return plan;
    }

    boolean isEmpty() {
        return spans.isEmpty();
    }

    List<Item> items(int point) {
        return points.isEmpty() ? List.of() : points.get(point);
    }

    /** Which of the plan's spans hold that position: bit i stands for span i. */
    long mask(int position, int promptLength) {
        long mask = 0;
        for (int i = 0; i < spans.size(); i++) {
            if (spans.get(i).contains(position, promptLength)) {
                mask |= 1L << i;
            }
        }
        return mask;
    }

    /** True if this plan does to a position of its text what the other one does to the same position of its own. */
    boolean actsLike(CompiledPlan other, int position, int promptLength, int otherPromptLength) {
        long mine = mask(position, promptLength);
        long its = other.mask(position, otherPromptLength);
        return this == other ? mine == its : (mine | its) == 0;
    }
}
