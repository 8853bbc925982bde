package dev.tiller.persona.methods;

/** Eigenvalues of small symmetric matrices by cyclic rotations (Golub and Van Loan, section 8.5). */
final class Jacobi {
    private static final int MOST_SWEEPS = 60;

    private Jacobi() {}

    /** The largest eigenvalue of a symmetric A [n][n], which is destroyed, and its eigenvector of length 1. */
    static TopEigen top(double[][] a) {
        int n = a.length;
        double[][] v = new double[n][n];
        for (int i = 0; i < n; i++) {
            v[i][i] = 1;
        }
        for (int sweep = 0; sweep < MOST_SWEEPS && rotateAll(a, v); sweep++) {
            // until a sweep finds nothing left to do
        }
        int best = 0;
        for (int i = 1; i < n; i++) {
            best = a[i][i] > a[best][best] ? i : best;
        }
        return new TopEigen(a[best][best], v[best]);
    }

    /** One sweep; rows of v become the eigenvectors. False if every entry beside the diagonal was negligible. */
    private static boolean rotateAll(double[][] a, double[][] v) {
        boolean any = false;
        for (int p = 0; p < a.length; p++) {
            for (int q = p + 1; q < a.length; q++) {
                if (Math.abs(a[p][q]) > 1e-18 * (Math.abs(a[p][p]) + Math.abs(a[q][q]))) {
                    rotate(a, v, p, q);
                    any = true;
                }
            }
        }
        return any;
    }

    private static void rotate(double[][] a, double[][] v, int p, int q) {
        double tau = (a[q][q] - a[p][p]) / (2 * a[p][q]);
        double t = Math.copySign(1, tau) / (Math.abs(tau) + Math.hypot(1, tau));
        double c = 1 / Math.hypot(1, t);
        double s = t * c;
        turn(a[p], a[q], c, s);
        turn(v[p], v[q], c, s);
        for (double[] row : a) {
            double x = row[p];
            row[p] = c * x - s * row[q];
            row[q] = s * x + c * row[q];
        }
        a[p][q] = 0;
        a[q][p] = 0;
    }

    private static void turn(double[] x, double[] y, double c, double s) {
        for (int i = 0; i < x.length; i++) {
            double old = x[i];
            x[i] = c * old - s * y[i];
            y[i] = s * old + c * y[i];
        }
    }
}
