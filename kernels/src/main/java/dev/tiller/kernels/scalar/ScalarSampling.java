package dev.tiller.kernels.scalar;

import dev.tiller.kernels.Draws;
import java.util.Comparator;
import java.util.stream.IntStream;

/** Drawing a token: temperature, top-k, top-p, min-p in this order, then by the cumulative probability in order of ids. */
final class ScalarSampling {
    private ScalarSampling() {}

    static int draw(float[] logits, int at, int n, Draws draws, int row) {
        int best = 0;
        for (int i = 1; i < n; i++) {
            if (logits[at + i] > logits[at + best]) {
                best = i;
            }
        }
        if (!Float.isFinite(logits[at + best])) {
            return -1;
        }
        float t = draws.temperature()[row];
        if (t == 0) {
            return best;
        }
        double[] weight = new double[n];
        for (int i = 0; i < n; i++) {
            weight[i] = Math.exp(((double) logits[at + i] - logits[at + best]) / t);
        }
        keepTopK(logits, at, weight, draws.topK()[row]);
        keepTopP(weight, draws.topP()[row]);
        double least = draws.minP()[row]; // of the largest weight, which is 1
        double total = 0;
        for (int i = 0; i < n; i++) {
            weight[i] = weight[i] < least ? 0 : weight[i];
            total += weight[i];
        }
        double cumulative = 0;
        int last = best;
        for (int i = 0; i < n; i++) {
            cumulative += weight[i];
            last = weight[i] > 0 ? i : last;
            if (weight[i] > 0 && cumulative > draws.u()[row] * total) {
                return i;
            }
        }
        return last;
    }

    private static void keepTopK(float[] logits, int at, double[] weight, int k) {
        int n = weight.length;
        if (k <= 0 || k >= n) {
            return;
        }
        double kth = IntStream.range(0, n)
                .mapToDouble(i -> -logits[at + i])
                .sorted()
                .skip(k - 1L)
                .findFirst()
                .orElseThrow();
        for (int i = 0; i < n; i++) {
            weight[i] = logits[at + i] < -kth ? 0 : weight[i];
        }
    }

    private static void keepTopP(double[] weight, double p) {
        if (p >= 1) {
            return;
        }
        double total = 0;
        for (double w : weight) {
            total += w;
        }
        int[] ascending = IntStream.range(0, weight.length)
                .boxed()
                .sorted(Comparator.comparingDouble(i -> weight[i]))
                .mapToInt(Integer::intValue)
                .toArray();
        double cumulative = 0;
        for (int i = 0; i < ascending.length - 1; i++) {
            cumulative += weight[ascending[i]];
            if (cumulative > (1 - p) * total) {
                break;
            }
            weight[ascending[i]] = 0;
        }
    }
}
