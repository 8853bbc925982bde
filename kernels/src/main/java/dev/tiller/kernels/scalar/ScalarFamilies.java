package dev.tiller.kernels.scalar;

import dev.tiller.kernels.Expert;
import dev.tiller.kernels.HeadNorms;
import dev.tiller.kernels.Mixture;
import dev.tiller.kernels.Norm;

/** What only some families of models do to one row. */
final class ScalarFamilies {
    private ScalarFamilies() {}

    /** Norms of so many heads of width k from x[at] on, in place. */
    static void normHeads(float[] x, int at, int heads, int k, Norm norm, HeadNorms.Span span) {
        switch (span) {
            case HEAD -> {
                for (int h = 0; h < heads; h++) {
                    ScalarSite.norm(x, at + h * k, k, norm, 0, x);
                }
            }
            case OWN -> {
                for (int h = 0; h < heads; h++) {
                    ScalarSite.norm(x, at + h * k, k, norm, h * k, x);
                }
            }
            case ALL -> ScalarSite.norm(x, at, heads * k, norm, 0, x);
        }
    }

    /** Row t of a mixture of experts. */
    static void mixture(float[] x, float[] scores, Mixture mixture, int t, float[] out) {
        int n = mixture.experts().size();
        boolean[] chosen = choose(scores, t * n, n, mixture.chosen());
        double max = Double.NEGATIVE_INFINITY;
        for (int e = 0; e < n; e++) {
            max = Math.max(max, scores[t * n + e]);
        }
        double all = 0;
        double sum = 0;
        for (int e = 0; e < n; e++) {
            double weight = Math.exp(scores[t * n + e] - max);
            all += weight;
            sum += chosen[e] ? weight : 0;
        }
        int d = mixture.experts().getFirst().down().rows();
        double[] result = new double[d];
        for (int e = 0; e < n; e++) {
            if (chosen[e]) {
                double weight = Math.exp(scores[t * n + e] - max) / (mixture.normalised() ? sum : all);
                add(x, t * d, mixture.experts().get(e), mixture, weight, result);
            }
        }
        for (int i = 0; i < d; i++) {
            out[t * d + i] = (float) result[i];
        }
    }

    /** The largest scores, the first ones on ties; not-a-number counts as less than anything. */
    private static boolean[] choose(float[] scores, int at, int n, int count) {
        boolean[] chosen = new boolean[n];
        for (int i = 0; i < count; i++) {
            int best = -1;
            for (int e = 0; e < n; e++) {
                boolean larger = best >= 0
                        && (scores[at + e] > scores[at + best]
                                || Float.isNaN(scores[at + best]) && !Float.isNaN(scores[at + e]));
                if (!chosen[e] && (best < 0 || larger)) {
                    best = e;
                }
            }
            chosen[best] = true;
        }
        return chosen;
    }

    /** result += weight * expert(x[at ..]). */
    private static void add(float[] x, int at, Expert expert, Mixture mixture, double weight, double[] result) {
        float[][] gateUp = ((ScalarMatrix) expert.gateUp()).data();
        float[][] down = ((ScalarMatrix) expert.down()).data();
        int f = gateUp.length / 2;
        float[] inner = new float[f];
        for (int j = 0; j < f; j++) {
            double gate = Functions.activate(mixture.activation(), dot(x, at, gateUp[j]));
            inner[j] = (float) (gate * dot(x, at, gateUp[f + j]));
        }
        for (int i = 0; i < result.length; i++) {
            result[i] += weight * dot(inner, 0, down[i]);
        }
    }

    private static double dot(float[] x, int at, float[] row) {
        double sum = 0;
        for (int i = 0; i < row.length; i++) {
            sum += (double) x[at + i] * row[i];
        }
        return sum;
    }
}
