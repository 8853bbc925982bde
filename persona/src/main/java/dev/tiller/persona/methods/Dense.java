package dev.tiller.persona.methods;

import dev.tiller.loader.TillerException;

/**
 * Small dense linear algebra in double. Activations are few and wide (n samples, d >> n), so everything works with the
 * products of samples with each other, [n, n], and never with a matrix [d, d].
 */
final class Dense {
    private Dense() {}

    static double dot(double[] a, double[] b) {
        double s = 0;
        for (int i = 0; i < a.length; i++) {
            s += a[i] * b[i];
        }
        return s;
    }

    static double norm(double[] a) {
        return Math.sqrt(dot(a, a));
    }

    /** y += s x. */
    static void addTo(double[] y, double s, double[] x) {
        for (int i = 0; i < y.length; i++) {
            y[i] += s * x[i];
        }
    }

    /** x / |x|; zeros stay zeros. */
    static double[] unit(double[] x) {
        double n = norm(x);
        double[] out = x.clone();
        for (int i = 0; n > 0 && i < out.length; i++) {
            out[i] /= n;
        }
        return out;
    }

    /** [d] mean of rows [n][d]. */
    static double[] mean(double[][] rows) {
        double[] m = new double[rows[0].length];
        for (double[] r : rows) {
            addTo(m, 1, r);
        }
        for (int i = 0; i < m.length; i++) {
            m[i] /= rows.length;
        }
        return m;
    }

    /** [n][d] a - b, row by row. */
    static double[][] minus(double[][] a, double[][] b) {
        double[][] out = new double[a.length][];
        for (int i = 0; i < out.length; i++) {
            out[i] = minus(a[i], b[i]);
        }
        return out;
    }

    static double[] minus(double[] a, double[] b) {
        double[] out = a.clone();
        addTo(out, -1, b);
        return out;
    }

    /** [n][d] rows less one vector. */
    static double[][] shifted(double[][] rows, double[] by) {
        double[][] out = new double[rows.length][];
        for (int i = 0; i < out.length; i++) {
            out[i] = minus(rows[i], by);
        }
        return out;
    }

    /** [n] R x for rows R [n][d]. */
    static double[] times(double[][] rows, double[] x) {
        double[] out = new double[rows.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = dot(rows[i], x);
        }
        return out;
    }

    /** [d] the combination of rows [n][d] with weights a [n]. */
    static double[] combine(double[][] rows, double[] a) {
        double[] out = new double[rows[0].length];
        for (int i = 0; i < rows.length; i++) {
            addTo(out, a[i], rows[i]);
        }
        return out;
    }

    /** [n][n] products of the rows with each other. */
    static double[][] gram(double[][] rows) {
        int n = rows.length;
        double[][] k = new double[n][n];
        for (int i = 0; i < n; i++) {
            for (int j = 0; j <= i; j++) {
                k[i][j] = dot(rows[i], rows[j]);
                k[j][i] = k[i][j];
            }
        }
        return k;
    }

    /** Replaces the lower triangle of a positive definite A [n][n] by L with A = L Lᵀ (Cholesky). */
    static void cholesky(double[][] a) {
        for (int j = 0; j < a.length; j++) {
            for (int i = j; i < a.length; i++) {
                double s = a[i][j];
                for (int k = 0; k < j; k++) {
                    s -= a[i][k] * a[j][k];
                }
                if (i > j) {
                    a[i][j] = s / a[j][j];
                } else if (s > 0) {
                    a[j][j] = Math.sqrt(s);
                } else {
                    throw new TillerException("the activations are too far from independent: pivot " + j + " is " + s);
                }
            }
        }
    }

    /** [n] x with L Lᵀ x = b, for the triangle that {@link #cholesky} left. */
    static double[] solve(double[][] lower, double[] b) {
        int n = b.length;
        double[] x = b.clone();
        for (int i = 0; i < n; i++) {
            for (int k = 0; k < i; k++) {
                x[i] -= lower[i][k] * x[k];
            }
            x[i] /= lower[i][i];
        }
        for (int i = n - 1; i >= 0; i--) {
            for (int k = i + 1; k < n; k++) {
                x[i] -= lower[k][i] * x[k];
            }
            x[i] /= lower[i][i];
        }
        return x;
    }
}
