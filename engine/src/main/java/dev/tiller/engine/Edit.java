package dev.tiller.engine;

import dev.tiller.loader.TillerException;
import java.util.List;

/**
 * One thing that a plan asks for.
 *
 * @param op operation
 * @param vector direction(s)
 * @param blocks 0-based block indices; null for all blocks of the model
 * @param sites where in each block
 * @param coefficient of ADD, in units of the stored vector
 * @param strength share of the full effect of ABLATE, CLAMP, SET, in [0, 1]
 * @param low lower bound of CLAMP, value of SET (a projection on the unit vector)
 * @param high upper bound of CLAMP, value of SET
 * @param span positions
 */
public record Edit(
        Op op,
        SteeringVector vector,
        List<Integer> blocks,
        List<Site> sites,
        float coefficient,
        float strength,
        float low,
        float high,
        Span span) {

    public Edit {
        if (op == null || vector == null || span == null) {
            throw new TillerException("edit: operation, vector and span are needed");
        }
        String what = "edit " + op.key() + " of \"" + vector.name() + "\": ";
        blocks = blocks == null ? null : List.copyOf(blocks);
        sites = List.copyOf(sites);
        if (blocks != null && blocks.isEmpty() || sites.isEmpty()) {
            throw new TillerException(what + "no " + (sites.isEmpty() ? "site" : "block") + " is named");
        }
        if (!Float.isFinite(coefficient)) {
            throw new TillerException(what + "coefficient " + coefficient + " is not a finite number");
        }
        if (!(strength >= 0 && strength <= 1)) {
            throw new TillerException(what + "strength " + strength + " is outside 0..1");
        }
        if (!(low <= high)) {
            throw new TillerException(what + "lower bound " + low + " is not at or below upper bound " + high);
        }
    }

    /** h += coefficient * v at the outputs of those blocks, generated positions. */
    public static Edit add(SteeringVector vector, float coefficient, int... blocks) {
        return new Edit(Op.ADD, vector, boxed(blocks), List.of(Site.RESID_POST), coefficient, 1, 0, 0, Span.GENERATION);
    }

    /** h -= (h.u) u at the outputs of those blocks (all blocks if none is named), generated positions. */
    public static Edit ablate(SteeringVector vector, int... blocks) {
        List<Integer> list = blocks.length == 0 ? null : boxed(blocks);
        return new Edit(Op.ABLATE, vector, list, List.of(Site.RESID_POST), 1, 1, 0, 0, Span.GENERATION);
    }

    /** Moves the projection h.u into [low, high] at the outputs of those blocks, generated positions. */
    public static Edit clamp(SteeringVector vector, float low, float high, int... blocks) {
        return new Edit(Op.CLAMP, vector, boxed(blocks), List.of(Site.RESID_POST), 1, 1, low, high, Span.GENERATION);
    }

    /** The same edit on other positions. */
    public Edit over(Span positions) {
        return new Edit(op, vector, blocks, sites, coefficient, strength, low, high, positions);
    }

    /** The same edit at other sites. */
    public Edit at(Site... where) {
        return new Edit(op, vector, blocks, List.of(where), coefficient, strength, low, high, span);
    }

    /** True if it changes nothing: coefficient or strength 0. */
    public boolean isIdle() {
        return op == Op.ADD ? coefficient == 0 : strength == 0;
    }

    private static List<Integer> boxed(int[] blocks) {
        return java.util.Arrays.stream(blocks).boxed().toList();
    }
}
