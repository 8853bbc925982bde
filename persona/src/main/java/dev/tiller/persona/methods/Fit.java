package dev.tiller.persona.methods;

import java.util.Map;

/**
 * A direction that tells positive samples from negative ones, and what was found with it. Its sign is such that positive
 * samples lie higher.
 *
 * @param direction [d]; zeros if the samples have none
 * @param bias places the border between the groups: a sample x is taken for positive where direction . x + bias &gt;= 0
 * @param details numbers worth keeping, by name
 */
public record Fit(double[] direction, double bias, Map<String, Double> details) {
    /** With the border halfway between the means of the projections. */
    static Fit halfway(double[] direction, double[] meanPos, double[] meanNeg, Map<String, Double> details) {
        double middle = (Dense.dot(direction, meanPos) + Dense.dot(direction, meanNeg)) / 2;
        return new Fit(direction, -middle, details);
    }
}
