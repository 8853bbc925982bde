package dev.tiller.kernels.scalar;

import dev.tiller.kernels.Arguments;
import dev.tiller.kernels.AttentionSpec;
import dev.tiller.kernels.HeapKvPages;
import dev.tiller.kernels.KvPages;

/** Softmax attention of one query over the stored positions; pages hold keys and values as [PAGE, words]. */
final class ScalarAttention {
    private final HeapKvPages kv;
    private final int block;
    private final AttentionSpec spec;

    ScalarAttention(HeapKvPages kv, int block, AttentionSpec spec) {
        this.kv = kv;
        this.block = block;
        this.spec = spec;
    }

    /** out[o ..] = softmax(scale * q.K) V for the query x[q ..] of a query head at position p. */
    void head(int head, float[] x, int q, int p, int[] pages, float[] out, int o) {
        int k = spec.headDim();
        int group = head / (spec.heads() / spec.kvHeads());
        int first = Arguments.first(p, spec.window());
        double[] weight = new double[p - first + 1];
        double max = Double.NEGATIVE_INFINITY;
        for (int s = first; s <= p; s++) {
            int page = pages[s / KvPages.PAGE];
            weight[s - first] = score(x, q, kv.page(page), kv.keys(page, block, group) + s % KvPages.PAGE * kv.words());
            max = Math.max(max, weight[s - first]);
        }
        double total = 0;
        double[] sum = new double[k];
        for (int s = first; s <= p; s++) {
            double w = Math.exp(weight[s - first] - max);
            int[] page = kv.page(pages[s / KvPages.PAGE]);
            int at = kv.values(pages[s / KvPages.PAGE], block, group) + s % KvPages.PAGE * kv.words();
            total += w;
            for (int i = 0; i < k; i++) {
                sum[i] += w * kv.number(page, at, i);
            }
        }
        for (int i = 0; i < k; i++) {
            out[o + i] = (float) (sum[i] / total);
        }
    }

    private double score(float[] x, int q, int[] page, int at) {
        double dot = 0;
        for (int i = 0; i < spec.headDim(); i++) {
            dot += (double) x[q + i] * kv.number(page, at, i);
        }
        double score = spec.scale() * dot;
        return spec.softCap() == 0 ? score : spec.softCap() * Math.tanh(score / spec.softCap());
    }
}
