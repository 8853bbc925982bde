package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.F;
import static dev.tiller.kernels.cpu.Lanes.L;

import dev.tiller.kernels.HeapBuffer;
import dev.tiller.kernels.Norm;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/** Operations on single rows of n elements; what is left after the whole vectors is done under a mask. */
final class RowKernels {
    private RowKernels() {}

    /** x[at ..] += y[from ..]. */
    static void add(float[] x, int at, float[] y, int from, int n) {
        int i = 0;
        for (; i <= n - L; i += L) {
            FloatVector.fromArray(F, x, at + i)
                    .add(FloatVector.fromArray(F, y, from + i))
                    .intoArray(x, at + i);
        }
        if (i < n) {
            VectorMask<Float> m = F.indexInRange(i, n);
            FloatVector.fromArray(F, x, at + i, m)
                    .add(FloatVector.fromArray(F, y, from + i, m))
                    .intoArray(x, at + i, m);
        }
    }

    /** x[at ..] += factor * v[from ..]. */
    static void addScaled(float[] x, int at, float factor, float[] v, int from, int n) {
        FloatVector f = FloatVector.broadcast(F, factor);
        int i = 0;
        for (; i <= n - L; i += L) {
            FloatVector.fromArray(F, v, from + i)
                    .fma(f, FloatVector.fromArray(F, x, at + i))
                    .intoArray(x, at + i);
        }
        if (i < n) {
            VectorMask<Float> m = F.indexInRange(i, n);
            FloatVector.fromArray(F, v, from + i, m)
                    .fma(f, FloatVector.fromArray(F, x, at + i, m))
                    .intoArray(x, at + i, m);
        }
    }

    /** x[at ..] . y[from ..]. */
    static float dot(float[] x, int at, float[] y, int from, int n) {
        FloatVector a = FloatVector.zero(F);
        FloatVector b = FloatVector.zero(F);
        int i = 0;
        for (; i <= n - 2 * L; i += 2 * L) {
            a = FloatVector.fromArray(F, x, at + i).fma(FloatVector.fromArray(F, y, from + i), a);
            b = FloatVector.fromArray(F, x, at + i + L).fma(FloatVector.fromArray(F, y, from + i + L), b);
        }
        for (; i < n; i += L) {
            VectorMask<Float> m = F.indexInRange(i, n);
            a = FloatVector.fromArray(F, x, at + i, m).fma(FloatVector.fromArray(F, y, from + i, m), a);
        }
        return Lanes.sum(a.add(b));
    }

    /** Sum of x[at ..]. */
    private static float sum(float[] x, int at, int n) {
        FloatVector a = FloatVector.zero(F);
        int i = 0;
        for (; i <= n - L; i += L) {
            a = a.add(FloatVector.fromArray(F, x, at + i));
        }
        if (i < n) {
            a = a.add(FloatVector.fromArray(F, x, at + i, F.indexInRange(i, n)));
        }
        return Lanes.sum(a);
    }

    /** out[to ..] = norm(x[at ..]). */
    static void norm(float[] x, int at, Norm norm, float[] out, int to) {
        int d = norm.weight().columns();
        float[] centred = x;
        int from = at;
        if (norm.kind() == Norm.Kind.LAYER) {
            subtract(x, at, sum(x, at, d) / d, out, to, d);
            centred = out;
            from = to;
        }
        float inverse = (float) (1 / Math.sqrt((double) dot(centred, from, centred, from, d) / d + norm.eps()));
        float[] weight = HeapBuffer.array(norm.weight());
        scale(centred, from, inverse, weight, norm.offset(), out, to, d);
        if (norm.bias() != null) {
            add(out, to, HeapBuffer.array(norm.bias()), 0, d);
        }
    }

    /** In place, over d elements: x[at ..] = norm(x[at ..]) with the weights from {@code first} on and without a bias. */
    static void norm(float[] x, int at, int d, Norm norm, float[] weight, int first) {
        if (norm.kind() == Norm.Kind.LAYER) {
            subtract(x, at, sum(x, at, d) / d, x, at, d);
        }
        float inverse = (float) (1 / Math.sqrt((double) dot(x, at, x, at, d) / d + norm.eps()));
        scaleHead(x, at, inverse, weight, first, norm.offset(), d);
    }

    private static void subtract(float[] x, int at, float mean, float[] out, int to, int n) {
        FloatVector centre = FloatVector.broadcast(F, mean);
        int i = 0;
        for (; i <= n - L; i += L) {
            FloatVector.fromArray(F, x, at + i).sub(centre).intoArray(out, to + i);
        }
        if (i < n) {
            VectorMask<Float> m = F.indexInRange(i, n);
            FloatVector.fromArray(F, x, at + i, m).sub(centre).intoArray(out, to + i, m);
        }
    }

    /** out = x * factor * (weight + offset). */
    private static void scale(
            float[] x, int at, float factor, float[] weight, float offset, float[] out, int to, int n) {
        FloatVector f = FloatVector.broadcast(F, factor);
        FloatVector o = FloatVector.broadcast(F, offset);
        int i = 0;
        for (; i <= n - L; i += L) {
            FloatVector w = FloatVector.fromArray(F, weight, i).add(o);
            FloatVector.fromArray(F, x, at + i).mul(f).mul(w).intoArray(out, to + i);
        }
        if (i < n) {
            VectorMask<Float> m = F.indexInRange(i, n);
            FloatVector w = FloatVector.fromArray(F, weight, i, m).add(o);
            FloatVector.fromArray(F, x, at + i, m).mul(f).mul(w).intoArray(out, to + i, m);
        }
    }

    /** x = x * factor * (weight from {@code first} on + offset). */
    private static void scaleHead(float[] x, int at, float factor, float[] weight, int first, float offset, int n) {
        FloatVector f = FloatVector.broadcast(F, factor);
        FloatVector o = FloatVector.broadcast(F, offset);
        int i = 0;
        for (; i <= n - L; i += L) {
            FloatVector w = FloatVector.fromArray(F, weight, first + i).add(o);
            FloatVector.fromArray(F, x, at + i).mul(f).mul(w).intoArray(x, at + i);
        }
        if (i < n) {
            VectorMask<Float> m = F.indexInRange(i, n);
            FloatVector w = FloatVector.fromArray(F, weight, first + i, m).add(o);
            FloatVector.fromArray(F, x, at + i, m).mul(f).mul(w).intoArray(x, at + i, m);
        }
    }

    /** x[at ..] *= factor. */
    static void scale(float[] x, int at, float factor, int n) {
        FloatVector f = FloatVector.broadcast(F, factor);
        int i = 0;
        for (; i <= n - L; i += L) {
            FloatVector.fromArray(F, x, at + i).mul(f).intoArray(x, at + i);
        }
        if (i < n) {
            VectorMask<Float> m = F.indexInRange(i, n);
            FloatVector.fromArray(F, x, at + i, m).mul(f).intoArray(x, at + i, m);
        }
    }

    /** Index of the largest of x[at ..], the first on ties; not-a-number is never the largest. */
    static int argmax(float[] x, int at, int n) {
        FloatVector best = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
        IntVector where = IntVector.zero(Lanes.I);
        IntVector here = IntVector.zero(Lanes.I).addIndex(1);
        for (int i = 0; i < n; i += L, here = here.add(L)) {
            VectorMask<Float> m = F.indexInRange(i, n);
            FloatVector v = FloatVector.fromArray(F, x, at + i, m);
            VectorMask<Float> larger = v.compare(VectorOperators.GT, best, m);
            best = best.blend(v, larger);
            where = where.blend(here, larger.cast(Lanes.I));
        }
        int lane = 0;
        for (int l = 1; l < L; l++) {
            if (best.lane(l) > best.lane(lane) || best.lane(l) == best.lane(lane) && where.lane(l) < where.lane(lane)) {
                lane = l;
            }
        }
        return where.lane(lane);
    }
}
