package dev.tiller.engine;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.EditTable;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.RopeTable;
import dev.tiller.kernels.Rows;
import dev.tiller.kernels.SiteTaps;

/**
 * The forward pass: one layer loop for every family, driven by {@link ModelSpec} and by which weights are null. All rows
 * of a step go through each block together. Used by one thread at a time.
 */
final class Transformer {
    private final ModelSpec spec;
    private final Weights weights;
    private final Backend backend;
    private final KvCache cache;
    private final RopeTables rope;
    private final StepEdits edits;
    private Scratch scratch;
    private Buffer logits;
    private Buffer selected;

    /** Buffers of one step, grown to the largest number of rows seen. */
    private record Scratch(
            int rows, Buffer x, Buffer normed, Buffer qkv, Buffer attn, Buffer delta, Buffer gateUp, Buffer act) {}

    Transformer(ModelSpec spec, Weights weights, Backend backend, KvCache cache) {
        this.spec = spec;
        this.weights = weights;
        this.backend = backend;
        this.cache = cache;
        this.rope = new RopeTables(spec.rope(), spec.maxPositions());
        this.edits = new StepEdits(backend, spec.blocks(), spec.width());
        this.scratch = scratch(64);
    }

    /**
     * Runs the rows of a step through the model.
     *
     * @return logits [outputs, V] of the rows that asked for them, in order; valid until the next call; null if none
     */
    Buffer forward(Step step, Taps taps) {
        int rows = step.size();
        if (rows > scratch.rows) {
            scratch = scratch(Math.max(rows, 2 * scratch.rows));
        }
        Scratch s = scratch;
        Rows where = step.rows();
        RopeTable angles = rope.upTo(maxPosition(where) + 1);
        edits.prepare(step);
        backend.embed(weights.embed(), step.ids(), rows, spec.embedScale(), s.x);
        EditTable firstEdits = edits.at(Site.RESID_PRE, 0);
        backend.site(s.x, null, rows, EditTable.NONE, taps.level(0), firstEdits, normBefore(0), s.normed);
        for (int b = 0; b < spec.blocks(); b++) {
            Weights.Block w = weights.blocks().get(b);
            attention(s, w, where, angles, b);
            edit(s.delta, rows, b, Site.ATTN_OUT, Site.ATTN_WRITE);
            EditTable mid = edits.at(Site.RESID_MID, b);
            backend.site(s.x, s.delta, rows, mid, SiteTaps.NONE, EditTable.NONE, w.mlpNorm(), s.normed);
            mlp(s, w, rows);
            edit(s.delta, rows, b, Site.MLP_OUT, Site.MLP_WRITE);
            EditTable post = edits.at(Site.RESID_POST, b);
            EditTable next = b + 1 < spec.blocks() ? edits.at(Site.RESID_PRE, b + 1) : EditTable.NONE;
            backend.site(s.x, s.delta, rows, post, taps.level(b + 1), next, normBefore(b + 1), s.normed);
        }
        if (taps.finalNorm() != SiteTaps.NONE) {
            backend.site(s.normed, null, rows, EditTable.NONE, taps.finalNorm(), EditTable.NONE, null, null);
        }
        return head(step, s);
    }

    private void attention(Scratch s, Weights.Block w, Rows rows, RopeTable angles, int b) {
        int h = spec.attention().heads();
        int g = spec.attention().kvHeads();
        int k = spec.attention().headDim();
        int keys = spec.queryWidth();
        int values = keys + spec.kvWidth();
        backend.matmul(s.normed, rows.count(), w.qkv(), w.qkvBias(), s.qkv);
        backend.rope(s.qkv, rows, 0, h + g, k, angles); // query heads, then key heads
        backend.appendKv(s.qkv, rows, keys, values, cache.pages(), b);
        backend.attend(s.qkv, rows, 0, cache.pages(), b, spec.attention(), s.attn);
        backend.matmul(s.attn, rows.count(), w.out(), w.outBias(), s.delta);
    }

    private void mlp(Scratch s, Weights.Block w, int rows) {
        backend.matmul(s.normed, rows, w.gateUp(), w.gateUpBias(), s.gateUp);
        backend.gatedActivation(s.gateUp, rows, spec.activation(), s.act);
        backend.matmul(s.act, rows, w.down(), w.downBias(), s.delta);
    }

    private void edit(Buffer delta, int rows, int block, Site... sites) {
        for (Site site : sites) {
            EditTable table = edits.at(site, block);
            if (!table.isEmpty()) {
                backend.edit(delta, rows, table);
            }
        }
    }

    private Norm normBefore(int block) {
        return block < spec.blocks() ? weights.blocks().get(block).attnNorm() : weights.finalNorm();
    }

    private Buffer head(Step step, Scratch s) {
        int n = step.outputs();
        if (n == 0) {
            return null;
        }
        if (logits == null || logits.rows() < n) {
            logits = backend.buffer(n, spec.vocabulary());
            selected = backend.buffer(n, spec.width());
        }
        backend.gather(s.normed, step.outputRows(), n, selected);
        backend.matmul(selected, n, weights.head(), null, logits);
        return logits;
    }

    private static int maxPosition(Rows rows) {
        int max = 0;
        for (int t = 0; t < rows.count(); t++) {
            max = Math.max(max, rows.position()[t]);
        }
        return max;
    }

    private Scratch scratch(int rows) {
        int qkv = spec.queryWidth() + 2 * spec.kvWidth();
        return new Scratch(
                rows,
                backend.buffer(rows, spec.width()),
                backend.buffer(rows, spec.width()),
                backend.buffer(rows, qkv),
                backend.buffer(rows, spec.queryWidth()),
                backend.buffer(rows, spec.width()),
                backend.buffer(rows, 2 * spec.ffn()),
                backend.buffer(rows, spec.ffn()));
    }
}
