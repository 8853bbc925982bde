package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.F;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * Elementary functions on vectors. Coefficients are our own minimax fits (iteratively reweighted least squares) over the
 * intervals named; the truncation errors given are below the rounding of float32.
 *
 * <p>A function calls others early: the compiler inlines no more of our methods once a kernel has grown to 18,000 nodes, of
 * which one of these operations takes 500 to 900, and a vector given to a method that is not inlined goes to the heap.
 */
final class VectorMath {
    private static final float LOG2_E = 1.44269504f;
    /** ln 2 in two parts; a whole number below 2^10 times the first is exact. */
    private static final float LN2_HIGH = 0.693359375f;

    private static final float LN2_LOW = -2.12194440e-4f;
    private static final float MIN_ARGUMENT = -87.33654f;
    private static final float MAX_ARGUMENT = 88.37f;
    /** Twice a number whose tanh is 1 in float32. */
    private static final float TANH_IS_ONE = 40f;

    /** 1.5 * 2^23: adding it leaves the nearest whole number in the low bits. */
    private static final float ROUND = 12582912f;

    private VectorMath() {}

    /**
     * e^x within 2 ulp; exactly 1 at 0, exactly 0 below -87.34 (where the result would be subnormal), and no more than
     * 2.4e38 however large x is.
     */
    static FloatVector exp(FloatVector x) {
        VectorMask<Float> vanishes = x.lt(MIN_ARGUMENT);
        FloatVector clamped =
                x.blend(MIN_ARGUMENT, vanishes).blend(MAX_ARGUMENT, x.compare(VectorOperators.GT, MAX_ARGUMENT));
        return exponential(clamped).blend(0f, vanishes);
    }

    /** e^x within 2 ulp for x from -87.34 to 88.37 alone. */
    private static FloatVector exponential(FloatVector x) {
        FloatVector shifted = x.fma(FloatVector.broadcast(F, LOG2_E), FloatVector.broadcast(F, ROUND));
        FloatVector n = shifted.sub(ROUND);
        FloatVector r = n.fma(FloatVector.broadcast(F, -LN2_HIGH), x);
        r = n.fma(FloatVector.broadcast(F, -LN2_LOW), r);
        // (e^r - 1 - r) / r^2 for |r| <= 0.35, relative error of the whole 3.3e-9
        FloatVector q = r.fma(FloatVector.broadcast(F, 0.0013813142f), FloatVector.broadcast(F, 0.008369419f));
        q = q.fma(r, FloatVector.broadcast(F, 0.041668456f));
        q = q.fma(r, FloatVector.broadcast(F, 0.16666515f));
        q = q.fma(r, FloatVector.broadcast(F, 0.49999994f));
        FloatVector y = q.fma(r.mul(r), r).add(1f);
        // The low bits of shifted are n + 2^22; the shift drops all but n, and 127 makes it an exponent.
        IntVector exponent =
                shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).add(127 << 23);
        return y.mul(exponent.reinterpretAsFloats());
    }

    /** x / (1 + e^-x). */
    static FloatVector silu(FloatVector x) {
        return x.div(exp(x.neg()).add(1f));
    }

    /** tanh x within 2 ulp. */
    static FloatVector tanh(FloatVector x) {
        FloatVector a = x.abs();
        FloatVector large = FloatVector.broadcast(F, 1f)
                .sub(FloatVector.broadcast(F, 2f)
                        .div(exponential(a.add(a).min(TANH_IS_ONE)).add(1f)));
        FloatVector z = x.mul(x);
        // (tanh x / x - 1) / x^2 for |x| <= 0.625, error 4.1e-9
        FloatVector p = z.fma(FloatVector.broadcast(F, -0.0057170484f), FloatVector.broadcast(F, 0.020650592f));
        p = p.fma(z, FloatVector.broadcast(F, -0.0537435f));
        p = p.fma(z, FloatVector.broadcast(F, 0.1333149f));
        p = p.fma(z, FloatVector.broadcast(F, -0.33333284f));
        FloatVector small = p.mul(z).fma(x, x);
        return large.blend(large.neg(), x.lt(0f)).blend(small, a.lt(0.625f));
    }

    /** The error function, absolute error below 2e-7. */
    static FloatVector erf(FloatVector x) {
        FloatVector a = x.abs();
        // ln(1 - erf x) / x for 1 <= x <= 4, error of erf 2.4e-9; beyond 4, erf is 1
        FloatVector b = a.min(4f);
        FloatVector q = b.fma(FloatVector.broadcast(F, 2.1018313e-4f), FloatVector.broadcast(F, -0.0031831255f));
        q = q.fma(b, FloatVector.broadcast(F, 0.022786113f));
        q = q.fma(b, FloatVector.broadcast(F, -0.1050967f));
        q = q.fma(b, FloatVector.broadcast(F, -0.6358464f));
        q = q.fma(b, FloatVector.broadcast(F, -1.1284755f));
        FloatVector large = FloatVector.broadcast(F, 1f).sub(exponential(q.mul(b)));
        FloatVector z = x.mul(x);
        // erf x / x for |x| <= 1, error 1.2e-9
        FloatVector p = z.fma(FloatVector.broadcast(F, 7.889286e-5f), FloatVector.broadcast(F, -0.0008020895f));
        p = p.fma(z, FloatVector.broadcast(F, 0.0051895422f));
        p = p.fma(z, FloatVector.broadcast(F, -0.026854448f));
        p = p.fma(z, FloatVector.broadcast(F, 0.112836f));
        p = p.fma(z, FloatVector.broadcast(F, -0.37612626f));
        p = p.fma(z, FloatVector.broadcast(F, 1.1283791f));
        return large.blend(large.neg(), x.lt(0f)).blend(p.mul(x), a.lt(1f));
    }

    /** 0.5 x (1 + erf(x / sqrt 2)). */
    static FloatVector gelu(FloatVector x) {
        return x.mul(0.5f).mul(erf(x.mul(0.70710678f)).add(1f));
    }

    /** 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) = x / (1 + e^-2u), which keeps its precision for negative x. */
    static FloatVector geluTanh(FloatVector x) {
        FloatVector u = x.mul(x).mul(0.044715f).fma(x, x).mul(2 * 0.7978845608f);
        return x.div(exp(u.neg()).add(1f));
    }
}
