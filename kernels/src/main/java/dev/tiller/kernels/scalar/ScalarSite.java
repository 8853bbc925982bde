package dev.tiller.kernels.scalar;

import static dev.tiller.kernels.HeapBuffer.array;

import dev.tiller.kernels.EditTable;
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
        for (int i = edits.rowStart()[t]; i < edits.rowStart()[t + 1]; i++) {
            int e = edits.edit()[i];
            float c = edits.coefficient()[i];
            float[] v = array(edits.directions());
            float factor = switch (edits.kinds()[e]) {
                case ADD -> c;
                case ABLATE -> -c * dot(x, t * d, v, e * d, d);
                case CLAMP -> {
                    float p = dot(x, t * d, v, e * d, d);
                    yield c * (Math.min(Math.max(p, edits.low()[e]), edits.high()[e]) - p);
                }
            };
            for (int j = 0; j < d && factor != 0; j++) {
                x[t * d + j] += factor * v[e * d + j];
            }
        }
    }

    /** x[t] += what the module writes. */
    static void add(float[] x, int d, int t, ModuleOutput delta) {
        float[] values = array(delta.values());
        edit(values, d, t, delta.edits());
        if (delta.norm() != null) {
            norm(values, t * d, delta.norm(), values);
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
        int d = norm.weight().columns();
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
            double bias = norm.bias() == null ? 0 : array(norm.bias())[i];
            out[at + i] = (float) ((x[at + i] - mean) * inverse * (array(norm.weight())[i] + norm.offset()) + bias);
        }
    }
}
