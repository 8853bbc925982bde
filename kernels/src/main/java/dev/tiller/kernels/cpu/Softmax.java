package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.F;
import static dev.tiller.kernels.cpu.Lanes.L;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The weights of attention from the products of a query with the keys. Whole vectors only: behind the n numbers there
 * must be room for less than {@link #SLACK} more, which are overwritten.
 */
final class Softmax {
    /** Room needed behind the numbers of a query. */
    static final int SLACK = 16;

    private Softmax() {}

    /**
     * Turns n products into weights: s = e^(y - max y) with y = scale * s, capped if {@code cap} is not 0.
     *
     * @param max the largest y goes to {@code max[j]}
     * @return the sum of the weights
     */
    static float weights(float[] s, int at, int n, float scale, float cap, float[] max, int j) {
        int end = at + Math.ceilDiv(n, L) * L;
        scale(s, at, end, scale);
        if (cap != 0) {
            cap(s, at, end, cap);
        }
        Arrays.fill(s, at + n, end, Float.NEGATIVE_INFINITY);
        max[j] = max(s, at, end);
        return exponentials(s, at, end, max[j]);
    }

    private static void scale(float[] s, int from, int to, float scale) {
        FloatVector factor = FloatVector.broadcast(F, scale);
        for (int i = from; i < to; i += L) {
            FloatVector.fromArray(F, s, i).mul(factor).intoArray(s, i);
        }
    }

    private static void cap(float[] s, int from, int to, float cap) {
        FloatVector c = FloatVector.broadcast(F, cap);
        for (int i = from; i < to; i += L) {
            VectorMath.tanh(FloatVector.fromArray(F, s, i).div(c)).mul(c).intoArray(s, i);
        }
    }

    private static float max(float[] s, int from, int to) {
        FloatVector max = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
        for (int i = from; i < to; i += L) {
            FloatVector v = FloatVector.fromArray(F, s, i);
            max = max.blend(v, v.compare(VectorOperators.GT, max));
        }
        return max.reduceLanes(VectorOperators.MAX);
    }

    private static float exponentials(float[] s, int from, int to, float max) {
        FloatVector highest = FloatVector.broadcast(F, max);
        FloatVector total = FloatVector.zero(F);
        for (int i = from; i < to; i += L) {
            FloatVector e = VectorMath.exp(FloatVector.fromArray(F, s, i).sub(highest));
            e.intoArray(s, i);
            total = total.add(e);
        }
        return Lanes.sum(total);
    }
}
