package dev.tiller.persona.vectors;

import dev.tiller.engine.Activations;
import dev.tiller.engine.Edit;
import dev.tiller.engine.Model;
import dev.tiller.engine.Site;
import dev.tiller.engine.Span;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.SteeringVector;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.VectorContent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Checks in the running model that the directions of a file act where the file says. For each block alone, the direction is
 * added at the claimed site over a whole text, and every residual H[0..L] is compared with that of an unsteered run: those
 * up to H[b] must be the same bit for bit, H[b+1] must have changed, and the next ones as well. At the output of a block
 * exactly c v must have been added (so slot and sign are right); what is added within a block is worked on by the rest of it,
 * so there only the place can be told. For a file whose directions are for ablation at the output, they are ablated as well,
 * and nothing may be left of them.
 */
public final class VectorVerification {
    /** Part of |v| (and of |h| at that place, which limits the precision of the sum) by which a response may be off. */
    private static final double TOLERANCE = 1e-4;

    /** Length of the perturbation as a share of the mean residual's. */
    private static final double SHARE = 0.5;

    /**
     * What one block's direction did.
     *
     * @param level l of the first residual H[l] that must respond; with {@code exact} by exactly the perturbation
     * @param first l of the first residual that did respond, -1 if none did
     * @param error |shift - c v| / |c v|, the worst of all positions; NaN where the sum is not exact by construction
     * @param projection mean shift along the direction in units of the perturbation: 1 if exactly it was added
     * @param problem what is wrong; null if nothing is
     */
    public record Line(int block, int level, int first, double error, double projection, String problem) {
        /** One line of the report. */
        public String text(Site site) {
            return String.format(
                    Locale.ROOT,
                    "block %3d  %s  first response at H[%s], expected H[%d]; shift along the direction %.6f, off by %s: %s",
                    block,
                    site.key(),
                    first < 0 ? "none" : Integer.toString(first),
                    level,
                    projection,
                    Double.isNaN(error) ? "-" : String.format(Locale.ROOT, "%.1e", error),
                    problem == null ? "ok" : problem);
        }
    }

    /** How an edit of one block's direction becomes a plan. */
    interface Plans {
        /** @param edit names that block, the claimed site, and all positions */
        SteeringPlan of(Edit edit);
    }

    private final Model model;
    private final VectorContent vector;
    private final int[] ids;
    private final Plans plans;
    private final Activations base;

    private VectorVerification(Model model, VectorContent vector, int[] ids, Plans plans) {
        this.model = model;
        this.vector = vector;
        this.ids = ids;
        this.plans = plans;
        this.base = model.residuals(ids, 1, SteeringPlan.NONE);
    }

    /**
     * A line per block of the vector.
     *
     * @param ids a short text
     */
    public static List<Line> run(Model model, VectorContent vector, int[] ids) {
        return run(model, vector, ids, SteeringPlan::of);
    }

    static List<Line> run(Model model, VectorContent vector, int[] ids, Plans plans) {
        int d = model.spec().width();
        if (vector.width() != d) {
            throw new TillerException("width " + vector.width() + ", the model's residual stream has width " + d);
        }
        VectorVerification v = new VectorVerification(model, vector, ids, plans);
        List<Line> out = new ArrayList<>();
        for (int block : vector.blocks()) {
            out.add(block < model.spec().blocks() ? v.line(block) : v.beyond(block));
        }
        return out;
    }

    private Line beyond(int block) {
        return new Line(
                block,
                block + 1,
                -1,
                Double.NaN,
                0,
                "the model has blocks 0.." + (model.spec().blocks() - 1));
    }

    private Line line(int block) {
        int level = block + 1; // H[b] is read before the edits of a block's input, so these too show first in H[b+1]
        for (float[] row : vector.directions().get(block)) {
            if (!(Vectors.norm(row) > 0)) {
                return new Line(block, level, -1, Double.NaN, 0, "the direction is zero");
            }
        }
        Line worst = null;
        for (float[] row : vector.directions().get(block)) {
            Line line = perturbed(block, level, row);
            worst = worst == null || line.problem != null ? line : worst;
        }
        return worst;
    }

    private Line perturbed(int block, int level, float[] direction) {
        Site site = vector.site();
        double c = SHARE * meanNorm(level(base, level)) / Vectors.norm(direction);
        SteeringVector v = new SteeringVector("direction", null, site, Map.of(block, direction), null);
        Activations steered = model.residuals(
                ids, 1, plans.of(Edit.add(v, (float) c, block).at(site).over(Span.ALL)));
        int levels = model.spec().blocks() + 1;
        int first = -1;
        for (int l = levels - 1; l >= 0; l--) {
            first = Arrays.equals(level(base, l), level(steered, l)) ? first : l;
        }
        boolean exact = site == Site.RESID_POST;
        Shift shift = shift(level(base, level), level(steered, level), direction, (float) c);
        String problem = problem(first, level, exact, shift, levels, steered);
        if (problem == null && vector.op().equals("ablate")) {
            problem = ablated(v, block, level, direction);
        }
        return new Line(block, level, first, exact ? shift.error : Double.NaN, shift.projection, problem);
    }

    private String problem(int first, int level, boolean exact, Shift shift, int levels, Activations steered) {
        if (first < 0) {
            return "nothing responds";
        }
        if (first != level) {
            return "MISMATCH: "
                    + (first < level ? "a residual before the claimed one responds" : "the claimed residual does not");
        }
        if (exact && !(shift.error <= TOLERANCE)) {
            return "MISMATCH: the claimed residual changes by something else than the direction";
        }
        boolean stops = level + 1 < levels && Arrays.equals(level(base, level + 1), level(steered, level + 1));
        return stops ? "MISMATCH: the next residual does not respond" : null;
    }

    /** What is left of the direction after its ablation, as a share of the residual. */
    private String ablated(SteeringVector v, int block, int level, float[] direction) {
        if (vector.site() != Site.RESID_POST) {
            return null;
        }
        Activations without = model.residuals(
                ids, 1, plans.of(Edit.ablate(v, block).at(vector.site()).over(Span.ALL)));
        float[] h = level(without, level);
        float[] u = Vectors.unit(direction, "direction");
        int d = u.length;
        for (int t = 0; t < ids.length; t++) {
            float[] row = Arrays.copyOfRange(h, t * d, (t + 1) * d);
            if (Math.abs(Vectors.dot(row, u)) > TOLERANCE * Vectors.norm(row)) {
                return "MISMATCH: ablation leaves a part of the direction";
            }
        }
        return null;
    }

    private record Shift(double error, double projection) {}

    /** By how much the difference of two residuals is another than c v, and how far it goes along v. */
    private Shift shift(float[] before, float[] after, float[] v, float c) {
        int d = v.length;
        double length = Math.abs(c) * Vectors.norm(v);
        double worst = 0;
        double along = 0;
        for (int t = 0; t < ids.length; t++) {
            double off = 0;
            double norm = 0;
            double dot = 0;
            for (int i = 0; i < d; i++) {
                double h = before[t * d + i];
                double diff = after[t * d + i] - h;
                double e = diff - (double) c * v[i];
                off += e * e;
                norm += h * h;
                dot += diff * v[i];
            }
            worst = Math.max(worst, Math.sqrt(off) / Math.max(length, Math.sqrt(norm)));
            along += dot / Vectors.norm(v) / length;
        }
        return new Shift(worst, along / ids.length);
    }

    private double meanNorm(float[] rows) {
        int d = model.spec().width();
        double sum = 0;
        for (int t = 0; t < ids.length; t++) {
            sum += Vectors.norm(Arrays.copyOfRange(rows, t * d, (t + 1) * d));
        }
        return sum / ids.length;
    }

    /** [T * d] H[l]. */
    private static float[] level(Activations a, int l) {
        return l == 0 ? a.embed() : a.residPost()[l - 1];
    }
}
