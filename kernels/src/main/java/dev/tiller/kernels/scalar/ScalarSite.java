package dev.tiller.kernels.scalar;

import static dev.tiller.kernels.HeapBuffer.array;

import dev.tiller.kernels.EditTable;
import dev.tiller.kernels.EditTable.Kind;
import dev.tiller.kernels.ModuleOutput;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.SiteTaps;

/** What happens to one row at a residual site. */
final class ScalarSite {
    private ScalarSite() {}

    /** Applies the edits of row t to x[t], in the order of its list. */
    static void edit(float[] x, int d, int t, EditTable edits) {
        if (edits.isEmpty()) {
            return;
        }
        boolean counts = true;
        float kept = 0;
        for (int i = edits.rowStart()[t]; i < edits.rowStart()[t + 1]; i++) {
            int e = edits.edit()[i];
            Kind kind = edits.kinds()[e];
            if (kind == Kind.ALWAYS || kind == Kind.WHEN) {
                counts = kind == Kind.ALWAYS || holds(edits, e, t);
            } else if (counts && kind == Kind.KEEP_NORM) {
                kept = norm(x, t * d, d);
            } else if (counts && kind == Kind.RESTORE_NORM) {
                restore(x, t * d, d, kept);
            } else if (counts && kind == Kind.PROBE) {
                array(edits.gates())[gate(edits, e, t)] = project(x, t, d, edits, e);
            } else if (counts && kind == Kind.ROTATE) {
                rotate(x, t, d, edits, e, edits.coefficient()[i]);
            } else if (counts) {
                direct(x, t, d, edits, e, edits.coefficient()[i]);
            }
        }
    }

    /** ADD, ABLATE and CLAMP: a factor times the direction. */
    private static void direct(float[] x, int t, int d, EditTable edits, int e, float c) {
        float factor = c;
        if (edits.kinds()[e] != Kind.ADD) {
            float p = project(x, t, d, edits, e);
            boolean ablate = edits.kinds()[e] == Kind.ABLATE;
            factor *= ablate ? -p : Math.min(Math.max(p, edits.low()[e]), edits.high()[e]) - p;
        }
        addScaled(x, t * d, d, factor, array(edits.directions()), edits.direction()[e] * d);
    }

    private static void rotate(float[] x, int t, int d, EditTable edits, int e, float c) {
        float[] v = array(edits.directions());
        int first = edits.direction()[e] * d;
        int second = edits.second()[e] * d;
        float p = dot(x, t * d, v, first, d);
        float q = dot(x, t * d, v, second, d);
        double r = Math.hypot(p, q);
        double toP = (1 - (double) c) * p + c * r * edits.low()[e];
        double toQ = (1 - (double) c) * q + c * r * edits.high()[e];
        double length = Math.hypot(toP, toQ);
        if (r > 0 && length > 0) {
            addScaled(x, t * d, d, (float) (toP / length * r - p), v, first);
            addScaled(x, t * d, d, (float) (toQ / length * r - q), v, second);
        }
    }

    private static void restore(float[] x, int at, int d, float norm) {
        float now = norm(x, at, d);
        if (now > 0 && now != norm) {
            for (int j = at; j < at + d; j++) {
                x[j] *= norm / now;
            }
        }
    }

    private static boolean holds(EditTable edits, int e, int t) {
        float p = array(edits.gates())[gate(edits, e, t)];
        return edits.low()[e] < p && p < edits.high()[e];
    }

    private static int gate(EditTable edits, int e, int t) {
        return t * edits.gates().columns() + edits.second()[e];
    }

    private static float project(float[] x, int t, int d, EditTable edits, int e) {
        return dot(x, t * d, array(edits.directions()), edits.direction()[e] * d, d);
    }

    private static void addScaled(float[] x, int at, int d, float factor, float[] v, int from) {
        for (int j = 0; j < d && factor != 0; j++) {
            x[at + j] += factor * v[from + j];
        }
    }

    private static float norm(float[] x, int at, int d) {
        return (float) Math.sqrt(dot(x, at, x, at, d));
    }

    /** x[t] += what the module writes. */
    static void add(float[] x, int d, int t, ModuleOutput delta) {
        float[] values = array(delta.values());
        edit(values, d, t, delta.edits());
        if (delta.norm() != null) {
            norm(values, t * d, delta.norm(), values);
        }
        for (int i = t * d; i < (t + 1) * d && delta.scale() != 1; i++) {
            values[i] *= delta.scale();
        }
        edit(values, d, t, delta.writeEdits());
        for (int i = t * d; i < (t + 1) * d; i++) {
            x[i] += values[i];
        }
    }

    /** Copies, projects and sums row t. */
    static void tap(float[] x, int d, int t, SiteTaps taps) {
        if (taps.rows() != null) {
            System.arraycopy(x, t * d, array(taps.rows()), t * d, d);
        }
        if (taps.probes() != null) {
            int probes = taps.probes().rows();
            for (int p = 0; p < probes; p++) {
                array(taps.projections())[t * probes + p] = dot(x, t * d, array(taps.probes()), p * d, d);
            }
        }
        if (taps.sums() != null) {
            for (int i = taps.sumStart()[t]; i < taps.sumStart()[t + 1]; i++) {
                int at = taps.sumSlot()[i] * d;
                for (int j = 0; j < d; j++) {
                    array(taps.sums())[at + j] += x[t * d + j];
                }
            }
        }
    }

    private static float dot(float[] a, int from, float[] b, int at, int n) {
        float sum = 0;
        for (int i = 0; i < n; i++) {
            sum += a[from + i] * b[at + i];
        }
        return sum;
    }

    /** out[at ..] = norm(x[at ..]) over the width of the norm's weight. */
    static void norm(float[] x, int at, Norm norm, float[] out) {
        norm(x, at, norm.weight().columns(), norm, 0, out);
    }

    /** out[at ..] = norm(x[at ..]) over d elements, with the norm's weights from {@code from} on. */
    static void norm(float[] x, int at, int d, Norm norm, int from, float[] out) {
        double mean = 0;
        for (int i = 0; i < d && norm.kind() == Norm.Kind.LAYER; i++) {
            mean += x[at + i] / (double) d;
        }
        double square = 0;
        for (int i = 0; i < d; i++) {
            square += (x[at + i] - mean) * (x[at + i] - mean);
        }
        double inverse = 1 / Math.sqrt(square / d + norm.eps());
        for (int i = 0; i < d; i++) {
            double bias = norm.bias() == null ? 0 : array(norm.bias())[from + i];
            out[at + i] =
                    (float) ((x[at + i] - mean) * inverse * (array(norm.weight())[from + i] + norm.offset()) + bias);
        }
    }
}
