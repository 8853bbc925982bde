package dev.tiller.persona;

/**
 * How well projections tell positive from negative answers.
 *
 * @param auc probability that a positive answer projects higher than a negative one, ties half; 0.5 is chance
 * @param cohenD difference of the means over the pooled standard deviation; NaN if there is no spread to compare with
 */
public record Separation(double auc, double cohenD) {

    /** Of two samples of projections. */
    static Separation of(double[] pos, double[] neg) {
        double higher = 0;
        for (double p : pos) {
            for (double n : neg) {
                higher += p > n ? 1 : p == n ? 0.5 : 0;
            }
        }
        double meanPos = mean(pos);
        double meanNeg = mean(neg);
        int freedom = pos.length + neg.length - 2;
        double variance = (squares(pos, meanPos) + squares(neg, meanNeg)) / freedom;
        double d = freedom > 0 && variance > 0 ? (meanPos - meanNeg) / Math.sqrt(variance) : Double.NaN;
        return new Separation(higher / ((double) pos.length * neg.length), d);
    }

    private static double mean(double[] x) {
        double sum = 0;
        for (double v : x) {
            sum += v;
        }
        return sum / x.length;
    }

    private static double squares(double[] x, double mean) {
        double sum = 0;
        for (double v : x) {
            sum += (v - mean) * (v - mean);
        }
        return sum;
    }
}
