package dev.tiller.kernels;

import static dev.tiller.kernels.Arguments.buffer;
import static dev.tiller.kernels.Arguments.columns;
import static dev.tiller.kernels.Arguments.distinct;
import static dev.tiller.kernels.Arguments.refuse;
import static dev.tiller.kernels.Arguments.rows;

/** The checks of {@link Arguments} for operations that only some families of models need. */
public final class FamilyArguments {
    private FamilyArguments() {}

    /** Arguments of {@link Backend#prepareAttention}. */
    public static void prepareAttention(
            Backend owner,
            Buffer qkv,
            Rows rows,
            AttentionSpec spec,
            HeadNorms norms,
            RopeTable table,
            KvPages kv,
            int block) {
        int k = spec.headDim();
        if (spec.heads() < 1 || k < 1 || spec.kvHeads() < 1) {
            throw refuse("heads of at least 1 element", spec);
        }
        columns("queries", qkv, 0, (long) spec.heads() * k);
        if (table != null) {
            Arguments.rope(owner, qkv, rows, 0, spec.heads() + spec.kvHeads(), k, table);
        }
        int keys = spec.heads() * k;
        Arguments.appendKv(owner, qkv, rows, keys, keys + spec.kvHeads() * k, kv, block);
        if (kv.kvHeads() != spec.kvHeads() || kv.headDim() != k) {
            throw refuse("pages of " + spec.kvHeads() + " heads of " + k, kv.kvHeads() + " of " + kv.headDim());
        }
        if (norms != null) {
            norms(owner, norms, spec);
        }
    }

    private static void norms(Backend owner, HeadNorms norms, AttentionSpec spec) {
        Norm q = norms.query();
        Norm k = norms.key();
        if (norms.span() == null || q == null || k == null) {
            throw refuse("norms of queries and keys, and their span", norms);
        }
        boolean alike = q.kind() == k.kind() && q.eps() == k.eps() && q.offset() == k.offset();
        if (!alike || q.bias() != null || k.bias() != null) {
            throw refuse("norms of queries and keys that differ in their weights alone, without a bias", norms);
        }
        boolean shared = norms.span() == HeadNorms.Span.HEAD;
        buffer(owner, "query norm", q.weight(), 1, (shared ? 1 : spec.heads()) * spec.headDim());
        buffer(owner, "key norm", k.weight(), 1, (shared ? 1 : spec.kvHeads()) * spec.headDim());
    }

    /** Arguments of {@link Backend#activation}. */
    public static void activation(Backend owner, Buffer x, int rows, Activation activation, Buffer out) {
        if (activation == null) {
            throw refuse("an activation", null);
        }
        rows(owner, "x", x, rows);
        buffer(owner, "out", out, rows, x.columns());
        distinct("x and out", x, out);
    }

    /** Arguments of {@link Backend#scaleAndCap}. */
    public static void scaleAndCap(Backend owner, Buffer x, int rows, float scale, float cap) {
        rows(owner, "x", x, rows);
        if (!Float.isFinite(scale) || !Float.isFinite(cap) || cap < 0) {
            throw refuse("a finite scale and a cap of at least 0", scale + " and " + cap);
        }
    }

    /** Arguments of {@link Backend#mixture}; the caller has made sure that the matrices are its own. */
    public static void mixture(Backend owner, Buffer x, int rows, Buffer scores, Mixture mixture, Buffer out) {
        int count = mixture.experts().size();
        if (count < 1 || mixture.chosen() < 1 || mixture.chosen() > count || mixture.activation() == null) {
            throw refuse("1 to " + count + " of the experts chosen, and an activation", mixture.chosen());
        }
        rows(owner, "x", x, rows);
        buffer(owner, "out", out, rows, x.columns());
        buffer(owner, "scores", scores, rows, count);
        distinct("x and out", x, out);
        distinct("scores and out", scores, out);
        int f = mixture.experts().getFirst().down().columns();
        for (Expert e : mixture.experts()) {
            shape("gate and up", e.gateUp(), 2L * f, x.columns());
            shape("down", e.down(), x.columns(), f);
        }
    }

    private static void shape(String name, Matrix w, long rows, int columns) {
        if (w.rows() != rows || w.columns() != columns) {
            throw refuse(name + " of [" + rows + ", " + columns + "]", "[" + w.rows() + ", " + w.columns() + "]");
        }
    }
}
