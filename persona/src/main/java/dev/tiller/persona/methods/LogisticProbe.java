package dev.tiller.persona.methods;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The direction of a logistic regression with quadratic penalty: minimises |w|^2 / 2 + C sum_k log(1 + exp(-y_k (w.z_k + b)))
 * with y = +1 for positive samples and -1 for negative ones; b is free. The samples are z_k = (x_k - mean x) / s with s the
 * root of their mean square distance from the mean, so that C means the same in every model and layer. The direction is
 * w / |w|.
 *
 * <p>The solution is a combination of the samples, w = Zᵀ a, so Newton's method runs over a [N] and b (Rasmussen and
 * Williams, Gaussian Processes for Machine Learning, algorithm 3.1, with a free constant): with p_k = sigmoid(f_k),
 * W = C p (1 - p), K = Z Zᵀ and the working response t = f + C (y01 - p) / W, each step solves
 * (K + W^-1) a + b 1 = t, 1.a = 0, through the well conditioned I + W^1/2 K W^1/2. Steps that do not go down are halved.
 * No random numbers: the same samples give the same direction.
 */
public final class LogisticProbe {
    private static final int MOST_STEPS = 200;
    private static final double TOLERANCE = 1e-10;

    private final double[][] k;
    private final double[] y;
    private final double c;
    private double[] a;
    private double b;
    private int steps;

    private LogisticProbe(double[][] k, double[] y, double c) {
        this.k = k;
        this.y = y;
        this.c = c;
        this.a = new double[y.length];
    }

    /**
     * @param pos [n][d]
     * @param neg [m][d]
     * @param c weight of the samples against the penalty, above 0; 1 is usual
     */
    public static Fit fit(double[][] pos, double[][] neg, double c) {
        double[][] x = new double[pos.length + neg.length][];
        System.arraycopy(pos, 0, x, 0, pos.length);
        System.arraycopy(neg, 0, x, pos.length, neg.length);
        double[] y = new double[x.length];
        for (int i = 0; i < y.length; i++) {
            y[i] = i < pos.length ? 1 : 0;
        }
        double[] mean = Dense.mean(x);
        double[][] z = Dense.shifted(x, mean);
        double square = 0;
        for (double[] r : z) {
            square += Dense.dot(r, r);
        }
        double s = Math.sqrt(square / z.length);
        Map<String, Double> details = new LinkedHashMap<>();
        if (s == 0) {
            details.put("newton_steps", 0.0);
            details.put("gradient", 0.0);
            return new Fit(new double[mean.length], 0, details);
        }
        double[][] k = Dense.gram(z);
        for (double[] row : k) {
            for (int j = 0; j < row.length; j++) {
                row[j] /= s * s;
            }
        }
        LogisticProbe probe = new LogisticProbe(k, y, c);
        probe.minimise();
        double[] w = Dense.combine(z, probe.a); // s times the w of the formula
        double length = Dense.norm(w) / s;
        double[] u = Dense.unit(w);
        details.put("newton_steps", (double) probe.steps);
        details.put("gradient", probe.gradient());
        double bias = length > 0 ? probe.b * s / length - Dense.dot(u, mean) : 0;
        return new Fit(u, bias, details);
    }

    private void minimise() {
        while (steps < MOST_STEPS && gradient() > TOLERANCE * c) {
            double[] oldA = a;
            double oldB = b;
            double before = loss();
            newton();
            steps++;
            double[] fullA = a;
            double fullB = b;
            double share = 1;
            while (!(loss() <= before) && share > 1e-10) {
                share /= 2;
                a = oldA.clone();
                for (int i = 0; i < a.length; i++) {
                    a[i] += share * (fullA[i] - oldA[i]);
                }
                b = oldB + share * (fullB - oldB);
            }
            if (share <= 1e-10) { // nothing but rounding is left
                a = oldA;
                b = oldB;
                return;
            }
        }
    }

    private double[] f() {
        double[] f = Dense.times(k, a);
        for (int i = 0; i < f.length; i++) {
            f[i] += b;
        }
        return f;
    }

    private double loss() {
        double[] f = f();
        double sum = 0;
        for (int i = 0; i < f.length; i++) {
            double margin = y[i] > 0 ? f[i] : -f[i];
            sum += c * (Math.max(0, -margin) + Math.log1p(Math.exp(-Math.abs(margin)))) + a[i] * (f[i] - b) / 2;
        }
        return sum;
    }

    /** Length of the gradient over w and b: at the minimum a = C (y01 - p) and the sum of y01 - p is zero. */
    private double gradient() {
        double[] f = f();
        double[] g = new double[f.length];
        double sum = 0;
        for (int i = 0; i < f.length; i++) {
            double residual = c * (y[i] - sigmoid(f[i]));
            g[i] = a[i] - residual;
            sum += residual;
        }
        return Math.sqrt(Math.max(0, Dense.dot(g, Dense.times(k, g))) + sum * sum);
    }

    private static double sigmoid(double x) {
        return 1 / (1 + Math.exp(-x));
    }

    private void newton() {
        int n = y.length;
        double[] f = f();
        double[] root = new double[n];
        double[] rootT = new double[n];
        for (int i = 0; i < n; i++) {
            double p = sigmoid(f[i]);
            root[i] = Math.sqrt(Math.max(c * p * (1 - p), 1e-200));
            rootT[i] = root[i] * f[i] + c * (y[i] - p) / root[i];
        }
        double[][] inner = new double[n][n];
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                inner[i][j] = root[i] * k[i][j] * root[j];
            }
            inner[i][i] += 1;
        }
        Dense.cholesky(inner);
        double[] u = scaled(root, Dense.solve(inner, rootT));
        double[] v = scaled(root, Dense.solve(inner, root));
        double[] ones = new double[n];
        java.util.Arrays.fill(ones, 1);
        b = Dense.dot(ones, u) / Dense.dot(ones, v);
        Dense.addTo(u, -b, v);
        a = u;
    }

    private static double[] scaled(double[] root, double[] x) {
        for (int i = 0; i < x.length; i++) {
            x[i] *= root[i];
        }
        return x;
    }
}
