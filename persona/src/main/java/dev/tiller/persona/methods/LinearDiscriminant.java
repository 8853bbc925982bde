package dev.tiller.persona.methods;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The whitened difference of means, which is Fisher's linear discriminant (Fisher 1936): w = S'^-1 (mean p - mean n), made
 * unit length, with S the covariance within the groups (over N = both groups, divided by N) drawn towards a multiple of the
 * identity, S' = (1 - g) S + g (tr S / d) I. There are fewer samples than dimensions, so S alone has no inverse.
 *
 * <p>Unless given, g is that of Ledoit and Wolf (Journal of Multivariate Analysis 88, 2004): with x_k the samples less the
 * mean of their group, m = tr S / d, delta = |S - m I|^2 / d and beta = min(delta, (sum_k |x_k|^4 / N - |S|^2) / (d N)),
 * g = beta / delta.
 *
 * <p>With X [N, d] of the x_k, a = g m and c = N a / (1 - g), Woodbury's identity gives
 * a S'^-1 y = y - Xᵀ (c I + X Xᵀ)^-1 X y: one system of N equations.
 */
public final class LinearDiscriminant {
    /** With no shrinkage at all there may be no inverse. */
    private static final double LEAST = 1e-6;

    private LinearDiscriminant() {}

    /**
     * @param pos [n][d]
     * @param neg [m][d]
     * @param shrinkage g, 0..1; NaN for that of Ledoit and Wolf. At least 1e-6 is used
     */
    public static Fit fit(double[][] pos, double[][] neg, double shrinkage) {
        double[] meanPos = Dense.mean(pos);
        double[] meanNeg = Dense.mean(neg);
        double[][] x = within(pos, meanPos, neg, meanNeg);
        int d = meanPos.length;
        double[][] k = Dense.gram(x);
        double m = trace(k) / x.length / d;
        double g = Math.clamp(Double.isNaN(shrinkage) ? ledoitWolf(k, d) : shrinkage, LEAST, 1);
        double[] y = Dense.minus(meanPos, meanNeg);
        double[] w = g < 1 && m > 0 ? solve(x, k, x.length * g * m / (1 - g), y) : y;
        Map<String, Double> details = new LinkedHashMap<>();
        details.put("shrinkage", g);
        return Fit.halfway(Dense.unit(w), meanPos, meanNeg, details);
    }

    private static double[][] within(double[][] pos, double[] meanPos, double[][] neg, double[] meanNeg) {
        double[][] x = new double[pos.length + neg.length][];
        System.arraycopy(Dense.shifted(pos, meanPos), 0, x, 0, pos.length);
        System.arraycopy(Dense.shifted(neg, meanNeg), 0, x, pos.length, neg.length);
        return x;
    }

    /** A multiple of S'^-1 y; k is destroyed. */
    private static double[] solve(double[][] x, double[][] k, double c, double[] y) {
        for (int i = 0; i < k.length; i++) {
            k[i][i] += c;
        }
        Dense.cholesky(k);
        double[] inside = Dense.combine(x, Dense.solve(k, Dense.times(x, y)));
        return Dense.minus(y, inside);
    }

    /** From k = X Xᵀ: tr S = tr k / N, |S|^2 = |k|^2 / N^2. */
    static double ledoitWolf(double[][] k, int d) {
        double n = k.length;
        double squares = 0;
        double fourth = 0;
        for (int i = 0; i < k.length; i++) {
            squares += Dense.dot(k[i], k[i]) / (n * n);
            fourth += k[i][i] * k[i][i];
        }
        double m = trace(k) / n / d;
        double delta = squares / d - m * m;
        double beta = Math.min(delta, (fourth / n - squares) / (d * n));
        return delta > 0 ? Math.max(0, beta / delta) : 1;
    }

    private static double trace(double[][] k) {
        double t = 0;
        for (int i = 0; i < k.length; i++) {
            t += k[i][i];
        }
        return t;
    }
}
