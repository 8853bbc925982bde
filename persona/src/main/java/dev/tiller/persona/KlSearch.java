package dev.tiller.persona;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Finds the coefficients at which a divergence that grows with the coefficient reaches given targets. It says which
 * coefficients to measure next, all at once, and learns what came out: first a coarse geometric grid, then for each target
 * points inside the bracket around it, until one is within {@link #TOLERANCE} of it. Where the points show that the divergence
 * reaches a target more than once, the smallest coefficient counts.
 */
final class KlSearch {
    /** Share of a target by which the divergence found may miss it. */
    static final double TOLERANCE = 0.01;

    /** Rounds after which the search takes what it has. */
    private static final int ROUNDS = 12;

    /** The coarse grid, in units of the scale; the last is also how far beyond it the search goes, in the same steps. */
    private static final double[] GRID = {1. / 64, 1. / 32, 1. / 16, 1. / 8, 1. / 4, 1. / 2, 1, 2, 4};

    private static final double LARGEST = 64;

    private final double scale;
    private final List<Double> targets;
    private final TreeMap<Double, Double> points = new TreeMap<>();
    private int rounds;

    /**
     * @param scale coefficient at which the vector added is as long as the residual
     * @param targets divergences above 0
     */
    KlSearch(double scale, List<Double> targets) {
        this.scale = scale;
        this.targets = List.copyOf(targets);
    }

    /** Coefficients to measure next, above 0 and rising; empty if the search is over. */
    List<Double> next() {
        TreeSet<Double> out = new TreeSet<>();
        if (rounds == 0) {
            for (double g : GRID) {
                out.add(round(g * scale));
            }
        } else if (rounds < ROUNDS) {
            targets.stream().filter(t -> !reached(t)).forEach(t -> refine(t, out));
        }
        out.removeAll(points.keySet());
        rounds++;
        return List.copyOf(out);
    }

    private void refine(double target, TreeSet<Double> out) {
        Map.Entry<Double, Double> above = above(target);
        if (above == null) {
            for (double c = 2 * points.lastKey(); c <= LARGEST * scale * 1.001; c *= 2) {
                out.add(round(c));
            }
            return;
        }
        double high = above.getKey();
        Map.Entry<Double, Double> below = points.lowerEntry(high);
        if (below == null || below.getValue() <= 0) {
            double low = below == null ? 0 : below.getKey();
            // Small divergences grow with the square of the coefficient.
            double guess = high * Math.sqrt(target / above.getValue());
            for (double c : new double[] {guess / 2, guess, (guess + high) / 2}) {
                out.add(round(Math.clamp(c, low, high)));
            }
            return;
        }
        double low = below.getKey();
        double share = Math.log(target / below.getValue()) / Math.log(above.getValue() / below.getValue());
        double guess = low * Math.pow(high / low, share);
        for (double part : new double[] {0.25, 0.5, 0.75}) {
            out.add(round(low * Math.pow(high / low, part)));
        }
        out.add(round(guess));
    }

    /** As a float32 number: that is what coefficients are. */
    private static double round(double c) {
        return (float) c;
    }

    /** What was measured. */
    void learn(double coefficient, double divergence) {
        points.put(coefficient, divergence);
    }

    /** The first point at or above the target, or null. */
    private Map.Entry<Double, Double> above(double target) {
        for (Map.Entry<Double, Double> e : points.entrySet()) {
            if (e.getValue() >= target) {
                return e;
            }
        }
        return null;
    }

    /** True if the bracket around the target is so narrow that either end will do. */
    private boolean reached(double target) {
        Map.Entry<Double, Double> above = above(target);
        if (above == null) {
            return points.lastKey() * 2 > LARGEST * scale * 1.001;
        }
        if (above.getValue() <= target * (1 + TOLERANCE)) {
            return true;
        }
        Map.Entry<Double, Double> below = points.lowerEntry(above.getKey());
        return below != null
                && (below.getValue() >= target * (1 - TOLERANCE)
                        || Math.nextUp((float) (double) below.getKey()) >= above.getKey());
    }

    /** Targets that no coefficient was found for. */
    List<Double> missed() {
        List<Double> out = new ArrayList<>();
        for (double t : targets) {
            if (above(t) == null) {
                out.add(t);
            }
        }
        return out;
    }

    /**
     * Divergence -> coefficient, both rising: every point that was measured up to the first beyond the largest target, but
     * for those where the divergence falls again.
     */
    SortedMap<Double, Double> table() {
        double largest = targets.stream().mapToDouble(Double::doubleValue).max().orElse(0);
        SortedMap<Double, Double> out = new TreeMap<>();
        double before = 1e-7; // below it is rounding
        for (Map.Entry<Double, Double> e : points.entrySet()) {
            if (e.getValue() > before) {
                before = e.getValue();
                out.put(before, e.getKey());
            }
            if (before >= largest) {
                break;
            }
        }
        return out;
    }
}
