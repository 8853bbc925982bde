package dev.tiller.kernels.scalar;

import static dev.tiller.kernels.HeapBuffer.array;

import dev.tiller.kernels.Activation;
import dev.tiller.kernels.Arguments;
import dev.tiller.kernels.AttentionSpec;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.Draws;
import dev.tiller.kernels.EditTable;
import dev.tiller.kernels.Expert;
import dev.tiller.kernels.FamilyArguments;
import dev.tiller.kernels.HeadNorms;
import dev.tiller.kernels.HeapBackend;
import dev.tiller.kernels.HeapKvPages;
import dev.tiller.kernels.KvPages;
import dev.tiller.kernels.Matrix;
import dev.tiller.kernels.Mixture;
import dev.tiller.kernels.ModuleOutput;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.RopeTable;
import dev.tiller.kernels.Rows;
import dev.tiller.kernels.SiteTaps;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.WeightRows;
import dev.tiller.loader.TensorView;
import java.util.List;

/**
 * The oracle: plain loops in one thread, to be read rather than to be fast. Inner sums of matmul, norm and attention run
 * in double precision from the first term to the last and are rounded once, so its results are nearer to the exact ones
 * than those of a float32 backend. Edits and taps are float32 throughout, as their contract says.
 */
public final class ScalarBackend extends HeapBackend {
    private final String description;

    public ScalarBackend(String reason) {
        this.description = "scalar, 1 thread (" + reason + ")";
    }

    @Override
    public String description() {
        return description;
    }

    @Override
    public Matrix matrix(List<TensorView> parts, WeightFormat format) {
        return ScalarMatrix.of(this, new WeightRows(parts, format));
    }

    private ScalarMatrix own(Matrix w) {
        if (w instanceof ScalarMatrix m && m.owner() == this) {
            return m;
        }
        throw new IllegalArgumentException("expected a matrix made by this backend");
    }

    @Override
    public void embed(Matrix table, int[] ids, int rows, float scale, Buffer out) {
        float[][] from = own(table).data();
        Arguments.embed(this, table, ids, rows, out);
        int d = table.columns();
        for (int t = 0; t < rows; t++) {
            for (int i = 0; i < d; i++) {
                array(out)[t * d + i] = from[ids[t]][i] * scale;
            }
        }
    }

    @Override
    public void matmul(Buffer x, int rows, Matrix w, Buffer bias, Buffer out) {
        float[][] weight = own(w).data();
        Arguments.matmul(this, x, rows, w, bias, out);
        int k = w.columns();
        int n = w.rows();
        for (int t = 0; t < rows; t++) {
            for (int o = 0; o < n; o++) {
                double sum = bias == null ? 0 : array(bias)[o];
                for (int i = 0; i < k; i++) {
                    sum += (double) array(x)[t * k + i] * weight[o][i];
                }
                array(out)[t * n + o] = (float) sum;
            }
        }
    }

    @Override
    public void norm(Buffer x, int rows, Norm norm, Buffer out) {
        Arguments.norm(this, x, rows, norm, out);
        for (int t = 0; t < rows; t++) {
            ScalarSite.norm(array(x), t * x.columns(), norm, array(out));
        }
    }

    @Override
    public void rope(Buffer x, Rows rows, int column, int heads, int headDim, RopeTable table) {
        Arguments.rope(this, x, rows, column, heads, headDim, table);
        float[] data = array(x);
        int half = table.half();
        for (int t = 0; t < rows.count(); t++) {
            int angle = rows.angles()[t] * half;
            for (int head = 0; head < heads; head++) {
                int at = t * x.columns() + column + head * headDim;
                for (int i = 0; i < half; i++) {
                    float a = data[at + i];
                    float b = data[at + half + i];
                    float cos = table.cos()[angle + i];
                    float sin = table.sin()[angle + i];
                    data[at + i] = a * cos - b * sin;
                    data[at + half + i] = b * cos + a * sin;
                }
            }
        }
    }

    @Override
    public void appendKv(Buffer x, Rows rows, int kColumn, int vColumn, KvPages kv, int block) {
        Arguments.appendKv(this, x, rows, kColumn, vColumn, kv, block);
        HeapKvPages pages = (HeapKvPages) kv;
        int k = pages.headDim();
        for (int t = 0; t < rows.count(); t++) {
            int p = rows.position()[t];
            int number = rows.pages()[rows.sequence()[t]][p / KvPages.PAGE];
            int[] page = pages.page(number);
            int slot = p % KvPages.PAGE * pages.words();
            pages.checkRange("keys", array(x), t * x.columns() + kColumn, block, p);
            pages.checkRange("values", array(x), t * x.columns() + vColumn, block, p);
            for (int g = 0; g < pages.kvHeads(); g++) {
                int from = t * x.columns() + g * k;
                for (int i = 0; i < pages.words(); i++) {
                    page[pages.keys(number, block, g) + slot + i] = pages.word(array(x), from + kColumn, i);
                    page[pages.values(number, block, g) + slot + i] = pages.word(array(x), from + vColumn, i);
                }
            }
        }
    }

    @Override
    public void prepareAttention(
            Buffer qkv, Rows rows, AttentionSpec spec, HeadNorms norms, RopeTable table, KvPages kv, int block) {
        FamilyArguments.prepareAttention(this, qkv, rows, spec, norms, table, kv, block);
        int k = spec.headDim();
        int keys = spec.heads() * k;
        for (int t = 0; t < rows.count() && norms != null; t++) {
            int at = t * qkv.columns();
            ScalarFamilies.normHeads(array(qkv), at, spec.heads(), k, norms.query(), norms.span());
            ScalarFamilies.normHeads(array(qkv), at + keys, spec.kvHeads(), k, norms.key(), norms.span());
        }
        if (table != null) {
            rope(qkv, rows, 0, spec.heads() + spec.kvHeads(), k, table);
        }
        appendKv(qkv, rows, keys, keys + spec.kvHeads() * k, kv, block);
    }

    @Override
    public void attend(Buffer x, Rows rows, int qColumn, KvPages kv, int block, AttentionSpec spec, Buffer out) {
        Arguments.attend(this, x, rows, qColumn, kv, block, spec, out);
        ScalarAttention attention = new ScalarAttention((HeapKvPages) kv, block, spec);
        for (int t = 0; t < rows.count(); t++) {
            int[] pages = rows.pages()[rows.sequence()[t]];
            for (int head = 0; head < spec.heads(); head++) {
                int q = t * x.columns() + qColumn + head * spec.headDim();
                int o = (t * spec.heads() + head) * spec.headDim();
                attention.head(head, array(x), q, rows.position()[t], pages, array(out), o);
            }
        }
    }

    @Override
    public void gatedActivation(Buffer x, int rows, Activation activation, Buffer out) {
        Arguments.gatedActivation(this, x, rows, activation, out);
        int f = out.columns();
        for (int t = 0; t < rows; t++) {
            for (int i = 0; i < f; i++) {
                double gate = array(x)[t * 2 * f + i];
                float up = array(x)[t * 2 * f + f + i];
                array(out)[t * f + i] = (float) (Functions.activate(activation, gate) * up);
            }
        }
    }

    @Override
    public void activation(Buffer x, int rows, Activation activation, Buffer out) {
        FamilyArguments.activation(this, x, rows, activation, out);
        for (int i = 0; i < rows * x.columns(); i++) {
            array(out)[i] = (float) Functions.activate(activation, array(x)[i]);
        }
    }

    @Override
    public void scaleAndCap(Buffer x, int rows, float scale, float cap) {
        FamilyArguments.scaleAndCap(this, x, rows, scale, cap);
        for (int i = 0; i < rows * x.columns(); i++) {
            double v = (double) scale * array(x)[i];
            array(x)[i] = (float) (cap > 0 ? cap * Math.tanh(v / cap) : v);
        }
    }

    @Override
    public boolean supportsMixture() {
        return true;
    }

    @Override
    public void mixture(Buffer x, int rows, Buffer scores, Mixture mixture, Buffer out) {
        for (Expert e : mixture.experts()) {
            own(e.gateUp());
            own(e.down());
        }
        FamilyArguments.mixture(this, x, rows, scores, mixture, out);
        for (int t = 0; t < rows; t++) {
            ScalarFamilies.mixture(array(x), array(scores), mixture, t, array(out));
        }
    }

    @Override
    public void site(
            Buffer x,
            ModuleOutput delta,
            int rows,
            EditTable edits,
            SiteTaps taps,
            EditTable after,
            Norm norm,
            Buffer normed) {
        Arguments.site(this, x, delta, rows, edits, taps, after, norm, normed);
        int d = x.columns();
        for (int t = 0; t < rows; t++) {
            if (delta != null) {
                ScalarSite.add(array(x), d, t, delta);
            }
            ScalarSite.edit(array(x), d, t, edits);
            ScalarSite.tap(array(x), d, t, taps);
            ScalarSite.edit(array(x), d, t, after);
            if (norm != null) {
                ScalarSite.norm(array(x), t * d, norm, array(normed));
            }
        }
    }

    @Override
    public void argmax(Buffer x, int rows, int[] out) {
        Arguments.argmax(this, x, rows, out);
        int n = x.columns();
        for (int t = 0; t < rows; t++) {
            out[t] = 0;
            float best = Float.NEGATIVE_INFINITY;
            for (int i = 0; i < n; i++) {
                if (array(x)[t * n + i] > best) {
                    best = array(x)[t * n + i];
                    out[t] = i;
                }
            }
        }
    }

    /** Here for comparison; who samples from heap buffers does so faster by itself. */
    @Override
    public void sample(Buffer logits, int rows, Draws draws, int[] out) {
        Arguments.sample(this, logits, rows, draws, out);
        for (int t = 0; t < rows; t++) {
            out[t] = ScalarSampling.draw(array(logits), t * logits.columns(), logits.columns(), draws, t);
        }
    }

    @Override
    public void close() {}
}
