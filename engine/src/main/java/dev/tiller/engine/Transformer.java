package dev.tiller.engine;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.EditTable;
import dev.tiller.kernels.ModuleOutput;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.RopeTable;
import dev.tiller.kernels.Rows;
import dev.tiller.kernels.SiteTaps;
import dev.tiller.kernels.StepShape;
import dev.tiller.kernels.WeightFormat;

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
    private final WeightFormat operand;
    private final ModuleOutput[] attentionOutputs;
    private final ModuleOutput[] mlpOutputs;
    private Scratch scratch;
    private Buffer logits;
    private Buffer selected;

    /** Buffers of one step, grown to the largest number of rows seen. */
    private record Scratch(
            int rows,
            Buffer x,
            Buffer normed,
            Buffer qkv,
            Buffer attn,
            Buffer delta,
            Buffer gateUp,
            Buffer act,
            Buffer finalNormed) {}

    Transformer(ModelSpec spec, Weights weights, Backend backend, KvCache cache) {
        this.spec = spec;
        this.weights = weights;
        this.backend = backend;
        this.cache = cache;
        this.rope = new RopeTables(spec.rope(), spec.maxPositions());
        this.operand = backend.operandFormat(weights.operandFormat());
        this.edits = new StepEdits(backend, spec.blocks(), spec.width());
        this.attentionOutputs = new ModuleOutput[spec.blocks()];
        this.mlpOutputs = new ModuleOutput[spec.blocks()];
        this.scratch = scratch(64);
    }

    /**
     * Runs the rows of a step through the model. This is where an interrupt of the thread ends a run, before anything of
     * the step is computed; the thread stays interrupted.
     *
     * @return logits [outputs, V] of the rows that asked for them, in order; valid until the next call; null if none
     */
    Buffer forward(Step step, Taps taps) {
        if (Thread.currentThread().isInterrupted()) {
            throw new StoppedException();
        }
        int rows = step.size();
        if (rows > scratch.rows) {
            scratch = scratch(Math.max(rows, 2 * scratch.rows));
        }
        Rows where = step.rows();
        RopeTable angles = rope.upTo(maxPosition(where) + 1);
        edits.prepare(step);
        growLogits(step.outputs());
        StepShape shape =
                new StepShape(rows, step.outputs(), rows == step.sequences().size(), maxPosition(where) + 1);
        backend.step(shape, () -> run(step, taps, where, angles));
        return step.outputs() == 0 ? null : logits;
    }

    private void run(Step step, Taps taps, Rows where, RopeTable angles) {
        Scratch s = scratch;
        int rows = where.count();
        backend.embed(weights.embed(), step.ids(), rows, spec.embedScale(), s.x);
        EditTable firstEdits = edits.at(Site.RESID_PRE, 0);
        Buffer normed = spec.blocks() == 0 ? s.finalNormed : s.normed;
        backend.site(s.x, null, rows, EditTable.NONE, taps.level(0), firstEdits, normBefore(0), normed);
        for (int b = 0; b < spec.blocks(); b++) {
            Weights.Block w = weights.blocks().get(b);
            attention(s, w, where, angles, b);
            EditTable mid = edits.at(Site.RESID_MID, b);
            ModuleOutput attention = output(attentionOutputs, s.delta, b, Site.ATTN_OUT, Site.ATTN_WRITE);
            backend.site(s.x, attention, rows, mid, taps.mid(b), EditTable.NONE, w.mlpNorm(), s.normed);
            mlp(s, w, rows);
            EditTable post = edits.at(Site.RESID_POST, b);
            boolean last = b + 1 == spec.blocks();
            EditTable next = last ? EditTable.NONE : edits.at(Site.RESID_PRE, b + 1);
            ModuleOutput mlp = output(mlpOutputs, s.delta, b, Site.MLP_OUT, Site.MLP_WRITE);
            normed = last ? s.finalNormed : s.normed;
            backend.site(s.x, mlp, rows, post, taps.level(b + 1), next, normBefore(b + 1), normed);
        }
        if (taps.finalNorm() != SiteTaps.NONE) {
            backend.site(s.finalNormed, null, rows, EditTable.NONE, taps.finalNorm(), EditTable.NONE, null, null);
        }
        head(step, s);
    }

    private void attention(Scratch s, Weights.Block w, Rows rows, RopeTable angles, int b) {
        backend.matmul(s.normed, rows.count(), w.qkv(), w.qkvBias(), s.qkv);
        backend.prepareAttention(s.qkv, rows, spec.attention(), angles, cache.pages(), b);
        backend.attend(s.qkv, rows, 0, cache.pages(), b, spec.attention(), s.attn);
        backend.matmul(s.attn, rows.count(), w.out(), w.outBias(), s.delta);
    }

    private void mlp(Scratch s, Weights.Block w, int rows) {
        backend.matmul(s.normed, rows, w.gateUp(), w.gateUpBias(), s.gateUp);
        backend.gatedActivation(s.gateUp, rows, spec.activation(), s.act);
        backend.matmul(s.act, rows, w.down(), w.downBias(), s.delta);
    }

    /** Made anew only when the edits have changed. */
    private ModuleOutput output(ModuleOutput[] known, Buffer delta, int block, Site out, Site write) {
        EditTable edited = edits.at(out, block);
        EditTable written = edits.at(write, block);
        ModuleOutput m = known[block];
        if (m == null || m.values() != delta || m.edits() != edited || m.writeEdits() != written) {
            m = new ModuleOutput(delta, edited, null, written);
            known[block] = m;
        }
        return m;
    }

    private Norm normBefore(int block) {
        return block < spec.blocks() ? weights.blocks().get(block).attnNorm() : weights.finalNorm();
    }

    private void growLogits(int outputs) {
        if (outputs > 0 && (logits == null || logits.rows() < outputs)) {
            logits = backend.buffer(outputs, spec.vocabulary());
            selected = backend.buffer(outputs, spec.width(), operand);
        }
    }

    private void head(Step step, Scratch s) {
        int n = step.outputs();
        if (n > 0) {
            backend.gather(s.finalNormed, step.outputRows(), n, selected);
            backend.matmul(selected, n, weights.head(), null, logits);
        }
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
                backend.buffer(rows, spec.width(), operand),
                backend.buffer(rows, qkv),
                backend.buffer(rows, spec.queryWidth(), operand),
                backend.buffer(rows, spec.width()),
                backend.buffer(rows, 2 * spec.ffn()),
                backend.buffer(rows, spec.ffn(), operand),
                backend.buffer(rows, spec.width()));
    }
}
