package dev.tiller.persona.methods;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * The largest eigenvalue of R Rᵀ for rows R [n][d] and its eigenvector, by the method of Lanczos with full
 * reorthogonalisation (Golub and Van Loan, Matrix Computations, chapter 10): exact to rounding even where the second
 * eigenvalue is close behind, which few steps of power iteration are not. Deterministic.
 *
 * @param value the eigenvalue: the square of the largest singular value of R
 * @param vector [n] of length 1; zeros if R is zero
 */
record TopEigen(double value, double[] vector) {
    private static final int MOST_STEPS = 160;
    private static final int RESTARTS = 20;
    private static final double TOLERANCE = 1e-14;

    static TopEigen ofGram(double[][] rows) {
        int n = rows.length;
        double[] start = new double[n];
        Random random = new Random(1); // any start that is not orthogonal to the answer will do
        for (int i = 0; i < n; i++) {
            start[i] = random.nextGaussian();
        }
        TopEigen best = null;
        for (int i = 0; i < RESTARTS; i++) {
            Run run = new Run(rows, start);
            best = run.result();
            if (run.converged) {
                break;
            }
            start = best.vector;
        }
        return best;
    }

    /** One build-up of a Krylov space. */
    private static final class Run {
        private final double[][] rows;
        private final List<double[]> basis = new ArrayList<>();
        private final double[] diagonal;
        private final double[] beside;
        private TopEigen small;
        private boolean converged;

        Run(double[][] rows, double[] start) {
            this.rows = rows;
            int most = Math.min(rows.length, MOST_STEPS);
            diagonal = new double[most];
            beside = new double[most];
            basis.add(Dense.unit(start));
            for (int m = 0; m < most && !converged; m++) {
                double[] next = expand(m);
                double length = Dense.norm(next);
                beside[m] = length;
                boolean last = m + 1 == most;
                if (last || m % 8 == 7 || length <= TOLERANCE * Math.abs(diagonal[0])) {
                    small = Jacobi.top(tridiagonal(m + 1));
                    converged = m + 1 == rows.length
                            || length * Math.abs(small.vector[m]) <= TOLERANCE * Math.abs(small.value);
                }
                if (!last && !converged) {
                    basis.add(Dense.unit(next));
                }
            }
        }

        /** The next direction, not yet of length 1: A q_m without its parts in the space so far. */
        private double[] expand(int m) {
            double[] q = basis.get(m);
            double[] next = Dense.times(rows, Dense.combine(rows, q));
            diagonal[m] = Dense.dot(q, next);
            for (int twice = 0; twice < 2; twice++) {
                for (double[] b : basis) {
                    Dense.addTo(next, -Dense.dot(b, next), b);
                }
            }
            return next;
        }

        private double[][] tridiagonal(int m) {
            double[][] t = new double[m][m];
            for (int i = 0; i < m; i++) {
                t[i][i] = diagonal[i];
                if (i > 0) {
                    t[i][i - 1] = beside[i - 1];
                    t[i - 1][i] = beside[i - 1];
                }
            }
            return t;
        }

        TopEigen result() {
            double[] v = new double[rows.length];
            for (int i = 0; i < small.vector.length; i++) {
                Dense.addTo(v, small.vector[i], basis.get(i));
            }
            return small.value > 0
                    ? new TopEigen(small.value, Dense.unit(v))
                    : new TopEigen(0, new double[rows.length]);
        }
    }
}
