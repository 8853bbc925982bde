package dev.tiller.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.function.DoubleUnaryOperator;
import java.util.function.UnaryOperator;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;

class VectorMathTest {
    private static float apply(UnaryOperator<FloatVector> f, float x) {
        return f.apply(FloatVector.broadcast(Lanes.F, x)).lane(Lanes.L - 1);
    }

    /** Largest error in units in the last place over a fine grid. */
    private static double worst(UnaryOperator<FloatVector> f, DoubleUnaryOperator exact, float from, float to, int n) {
        double worst = 0;
        for (int i = 0; i <= n; i++) {
            float x = from + (to - from) * i / n;
            double e = exact.applyAsDouble(x);
            worst = Math.max(worst, Math.abs(apply(f, x) - e) / Math.ulp((float) e));
        }
        return worst;
    }

    @Test
    void expIsWithinTwoUlp() {
        assertTrue(worst(VectorMath::exp, Math::exp, -87.3f, 88.3f, 200_000) <= 2);
        assertTrue(worst(VectorMath::exp, Math::exp, -1f, 1f, 100_000) <= 2);
        assertEquals(1f, apply(VectorMath::exp, 0f));
        assertEquals(1f, apply(VectorMath::exp, -0f));
        assertEquals(0f, apply(VectorMath::exp, Float.NEGATIVE_INFINITY));
        assertEquals(0f, apply(VectorMath::exp, -100f));
        assertTrue(Float.isNaN(apply(VectorMath::exp, Float.NaN)));
        assertTrue(apply(VectorMath::exp, Float.POSITIVE_INFINITY) > 2e38f);
    }

    @Test
    void tanhIsWithinTwoUlp() {
        double w = worst(VectorMath::tanh, Math::tanh, -12f, 12f, 200_000);
        assertTrue(w <= 2, () -> "found " + w);
        assertTrue(worst(VectorMath::tanh, Math::tanh, -1e-3f, 1e-3f, 10_000) <= 2);
        assertEquals(1f, apply(VectorMath::tanh, 1e30f));
        assertEquals(-1f, apply(VectorMath::tanh, Float.NEGATIVE_INFINITY));
        assertTrue(Float.isNaN(apply(VectorMath::tanh, Float.NaN)));
    }

    @Test
    void erfIsWithinItsBound() {
        // values of the error function from tables
        float[][] known = {
            {0, 0},
            {0.1f, 0.1124629160f},
            {0.5f, 0.5204998778f},
            {0.99f, 0.8385080696f},
            {1, 0.8427007929f},
            {1.5f, 0.9661051465f},
            {2, 0.9953222650f},
            {3, 0.9999779095f},
            {5, 1},
            {100, 1}
        };
        for (float[] k : known) {
            assertEquals(k[1], apply(VectorMath::erf, k[0]), 2e-7f, "erf " + k[0]);
            assertEquals(-k[1], apply(VectorMath::erf, -k[0]), 2e-7f, "erf -" + k[0]);
        }
    }

    @Test
    void sumAddsAllLanes() {
        float[] lanes = new float[Lanes.L];
        float expected = 0;
        for (int i = 0; i < lanes.length; i++) {
            lanes[i] = 1 << i;
            expected += lanes[i];
        }
        assertEquals(expected, Lanes.sum(FloatVector.fromArray(Lanes.F, lanes, 0)));
    }
}
