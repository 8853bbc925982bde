package dev.tiller.persona.methods;

import java.util.Map;

/** The difference of means, v = mean p - mean n (persona vectors, arXiv 2507.21509, section 2). Raw length. */
public final class MeanDifference {
    private MeanDifference() {}

    /**
     * @param pos [n][d]
     * @param neg [m][d]
     */
    public static Fit fit(double[][] pos, double[][] neg) {
        double[] meanPos = Dense.mean(pos);
        double[] meanNeg = Dense.mean(neg);
        return Fit.halfway(Dense.minus(meanPos, meanNeg), meanPos, meanNeg, Map.of());
    }
}
