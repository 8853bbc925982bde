package dev.tiller.engine;

import dev.tiller.kernels.Draws;
import dev.tiller.loader.TillerException;
import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * Draws tokens for one sequence from its own seeded generator, so that its tokens do not depend on what else runs.
 * Probabilities follow transformers' logits processors, in their order.
 */
final class Sampler {
    /** 1.5 * 2^23: adding and subtracting it rounds to the nearest whole number. */
    private static final float ROUND = 12582912f;

    /** 2^(i - 127) for i from 0 to 127; 0 instead of the first, which is subnormal. */
    private static final float[] POWERS = new float[128];

    static {
        for (int i = 1; i < POWERS.length; i++) {
            POWERS[i] = Math.scalb(1f, i - 127);
        }
    }

    private final SamplingOptions options;
    private final SplittableRandom random;
    private final Scratch scratch;

    /** Work space that the samplers of one run share. */
    static final class Scratch {
        private float[] weight = new float[0];
        private long[] order = new long[0];
        private int[] exponents = new int[0];
        private boolean[] seen = new boolean[0];

        private void grow(int vocabulary) {
            if (weight.length < vocabulary) {
                weight = new float[vocabulary];
                order = new long[vocabulary];
                exponents = new int[vocabulary];
                seen = new boolean[vocabulary];
            }
        }
    }

    Sampler(SamplingOptions options, long seed, Scratch scratch) {
        this.scratch = scratch;
        this.options = options;
        this.random = new SplittableRandom(seed);
    }

    /**
     * Draws a token.
     *
     * @param logits [V]; overwritten
     * @param seen ids of prompt and answer so far, for the repetition penalty
     * @param seenCount how many of them
     */
    int next(float[] logits, int vocabulary, int[] seen, int seenCount) {
        scratch.grow(vocabulary);
        penalise(logits, vocabulary, seen, seenCount);
        int best = argmax(logits, vocabulary);
        if (!Float.isFinite(logits[best])) {
            throw notFinite(String.valueOf(logits[best]));
        }
        if (options.temperature() == 0) {
            return best;
        }
        probabilities(logits, vocabulary);
        return draw(logits, vocabulary);
    }

    static TillerException notFinite(String largest) {
        return new TillerException("the logits of a text are not finite numbers (largest: " + largest
                + "): broken weights, or a steering coefficient that is far too large");
    }

    /** True if earlier tokens play no part: then a backend can draw where the logits are. */
    boolean drawsFromLogitsAlone() {
        return options.repetitionPenalty() == 1;
    }

    /** What a backend needs to draw as {@link #next} would. */
    void fillDraw(Draws draws, int row, boolean idle) {
        draws.temperature()[row] = (float) options.temperature();
        draws.topK()[row] = options.topK();
        draws.topP()[row] = options.topP();
        draws.minP()[row] = options.minP();
        draws.u()[row] = idle || options.temperature() == 0 ? 0 : random.nextDouble();
    }

    /** The probabilities that {@link #next} draws from, in place of the logits. */
    void distribution(float[] logits, int vocabulary, int[] seen, int seenCount) {
        scratch.grow(vocabulary);
        penalise(logits, vocabulary, seen, seenCount);
        probabilities(logits, vocabulary);
    }

    private void penalise(float[] logits, int vocabulary, int[] seen, int seenCount) {
        if (options.repetitionPenalty() == 1) {
            return;
        }
        float penalty = (float) options.repetitionPenalty();
        boolean[] done = scratch.seen;
        for (int i = 0; i < seenCount; i++) {
            int id = seen[i];
            if (!done[id]) {
                done[id] = true;
                logits[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty;
            }
        }
        for (int i = 0; i < seenCount; i++) {
            done[seen[i]] = false;
        }
    }

    static int argmax(float[] x, int n) {
        int best = 0;
        for (int i = 1; i < n; i++) {
            if (x[i] > x[best]) {
                best = i;
            }
        }
        return best;
    }

    /** Turns logits into the probabilities of the options, in place; dropped tokens get 0. */
    private void probabilities(float[] x, int n) {
        float t = (float) options.temperature();
        if (t != 1) {
            // from the largest down, so that no division by a tiny temperature overflows
            float max = t < 1e-3f ? x[argmax(x, n)] : 0;
            for (int i = 0; i < n; i++) {
                x[i] = (x[i] - max) / t;
            }
        }
        if (options.topK() > 0 && options.topK() < n) {
            keepTopK(x, n);
        }
        if (options.topP() < 1) {
            keepTopP(x, n);
        }
        softmax(x, n);
        if (options.minP() > 0) {
            keepMinP(x, n);
        }
    }

    private void keepTopK(float[] x, int n) {
        float kth = kthLargest(x, n, options.topK());
        for (int i = 0; i < n; i++) {
            if (x[i] < kth) {
                x[i] = Float.NEGATIVE_INFINITY;
            }
        }
    }

    /** The k-th largest value: a heap of the k largest so far, the smallest of them on top. */
    private float kthLargest(float[] x, int n, int k) {
        float[] heap = scratch.weight;
        System.arraycopy(x, 0, heap, 0, k);
        for (int i = k / 2 - 1; i >= 0; i--) {
            sink(heap, i, k);
        }
        for (int i = k; i < n; i++) {
            if (x[i] > heap[0]) {
                heap[0] = x[i];
                sink(heap, 0, k);
            }
        }
        return heap[0];
    }

    /** Restores the order of a heap whose entry {@code at} may be larger than those below it. */
    private static void sink(float[] heap, int at, int size) {
        float value = heap[at];
        int hole = at;
        for (int child = 2 * hole + 1; child < size; child = 2 * hole + 1) {
            if (child + 1 < size && heap[child + 1] < heap[child]) {
                child++;
            }
            if (heap[child] >= value) {
                break;
            }
            heap[hole] = heap[child];
            hole = child;
        }
        heap[hole] = value;
    }

    /**
     * Ascending by value, the tail whose cumulative probability is at most 1 - topP goes; one token always stays. What is
     * below (1 - topP) / n belongs to that tail whatever its order, so only the others are sorted.
     */
    private void keepTopP(float[] x, int n) {
        float[] weight = scratch.weight;
        long[] order = scratch.order;
        System.arraycopy(x, 0, weight, 0, n);
        double tail = (1 - options.topP()) * exponentials(weight, n);
        double surelyTail = tail / n;
        int sorted = 0;
        double cumulative = 0;
        for (int i = 0; i < n; i++) {
            if (weight[i] < surelyTail) {
                cumulative += weight[i];
                x[i] = Float.NEGATIVE_INFINITY;
            } else {
                // exponentials are not negative, so their bits sort like the numbers
                order[sorted++] = (long) Float.floatToRawIntBits(weight[i]) << 32 | i;
            }
        }
        Arrays.sort(order, 0, sorted);
        for (int i = 0; i < sorted - 1; i++) {
            int id = (int) order[i];
            cumulative += weight[id];
            if (cumulative > tail) {
                break;
            }
            x[id] = Float.NEGATIVE_INFINITY;
        }
    }

    private void keepMinP(float[] p, int n) {
        float threshold = (float) options.minP() * p[argmax(p, n)];
        double sum = 0;
        for (int i = 0; i < n; i++) {
            if (p[i] < threshold) {
                p[i] = 0;
            }
            sum += p[i];
        }
        for (int i = 0; i < n; i++) {
            p[i] = (float) (p[i] / sum);
        }
    }

    private void softmax(float[] x, int n) {
        float inverse = (float) (1 / exponentials(x, n));
        for (int i = 0; i < n; i++) {
            x[i] *= inverse;
        }
    }

    /** x = exp(x - max x), in place; returns their sum. */
    private double exponentials(float[] x, int n) {
        float max = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < n; i++) {
            max = Math.max(max, x[i]);
        }
        exp(x, n, max, scratch.exponents);
        return sum(x, n);
    }

    /**
     * x = exp(x - max) for x up to max: 2^k times a polynomial on [-ln2/2, ln2/2] (Cephes coefficients; relative error
     * below 2e-7). Results under 1e-38 become 0. Two loops, because the compiler makes vector code of the first only
     * without the step from the bits of an int to a float.
     */
    private static void exp(float[] x, int n, float max, int[] exponents) {
        for (int i = 0; i < n; i++) {
            float v = Math.max(x[i] - max, -88f);
            float k = (v * 1.44269504f + ROUND) - ROUND;
            float r = v - k * 0.693359375f + k * 2.12194440e-4f;
            float p = 1.9875691500e-4f;
            p = p * r + 1.3981999507e-3f;
            p = p * r + 8.3334519073e-3f;
            p = p * r + 4.1665795894e-2f;
            p = p * r + 1.6666665459e-1f;
            p = p * r + 5.0000001201e-1f;
            x[i] = p * r * r + r + 1f;
            exponents[i] = (int) k + 127;
        }
        for (int i = 0; i < n; i++) {
            x[i] *= POWERS[exponents[i]];
        }
    }

    /** Four sums side by side: one alone would wait for each addition. */
    private static double sum(float[] x, int n) {
        double a = 0;
        double b = 0;
        double c = 0;
        double d = 0;
        int i = 0;
        for (; i + 4 <= n; i += 4) {
            a += x[i];
            b += x[i + 1];
            c += x[i + 2];
            d += x[i + 3];
        }
        for (; i < n; i++) {
            a += x[i];
        }
        return (a + b) + (c + d);
    }

    private int draw(float[] p, int n) {
        double u = random.nextDouble() * sum(p, n);
        double cumulative = 0;
        int last = -1;
        for (int i = 0; i < n; i++) {
            if (p[i] > 0) {
                cumulative += p[i];
                last = i;
                if (cumulative > u) {
                    return i;
                }
            }
        }
        return last >= 0 ? last : argmax(p, n);
    }
}
