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
import dev.tiller.loader.ModelConfig;
import dev.tiller.loader.RopeConfig;
import java.util.stream.IntStream;

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
    private final RopeTables localRope;
    private final StepEdits edits;
    private final WeightFormat operand;
    private final ModuleOutput[] attentionOutputs;
    private final ModuleOutput[] mlpOutputs;
    private Scratch scratch;
    private Buffer logits;
    private Buffer selected;

    /** Buffers of one step, grown to the largest number of rows seen; null if the model has no use for one. */
    private record Scratch(
            int rows,
            Buffer x,
            Buffer normed,
            Buffer mlpNormed,
            Buffer qkv,
            Buffer attn,
            Buffer delta,
            Buffer up,
            Buffer act,
            Buffer scores,
            Buffer finalNormed,
            int[] all) {}

    /** Rotary angles of a step. */
    private record Angles(RopeTable global, RopeTable local) {
        RopeTable of(ModelConfig.Rotation rotation) {
            return switch (rotation) {
                case NONE -> null;
                case GLOBAL -> global;
                case LOCAL -> local;
            };
        }
    }

    Transformer(ModelSpec spec, Weights weights, Backend backend, KvCache cache) {
        this.spec = spec;
        this.weights = weights;
        this.backend = backend;
        this.cache = cache;
        this.rope = tables(spec.rope(), spec);
        this.localRope = tables(spec.localRope(), spec);
        this.operand = backend.operandFormat(weights.operandFormat());
        this.edits = new StepEdits(backend, spec.blocks(), spec.width());
        this.attentionOutputs = new ModuleOutput[spec.blocks()];
        this.mlpOutputs = new ModuleOutput[spec.blocks()];
        this.scratch = scratch(64);
    }

    private static RopeTables tables(RopeConfig rope, ModelSpec spec) {
        return rope == null ? null : new RopeTables(rope, spec.maxPositions());
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
        int positions = maxPosition(where) + 1;
        Angles angles = new Angles(
                rope == null ? null : rope.upTo(positions), localRope == null ? null : localRope.upTo(positions));
        edits.prepare(step);
        growLogits(step.outputs());
        StepShape shape =
                new StepShape(rows, step.outputs(), rows == step.sequences().size(), positions);
        backend.step(shape, () -> run(step, taps, where, angles));
        return step.outputs() == 0 ? null : logits;
    }

    private void run(Step step, Taps taps, Rows where, Angles angles) {
        Scratch s = scratch;
        int rows = where.count();
        backend.embed(weights.embed(), step.ids(), rows, spec.scales().embedding(), s.x);
        ModuleOutput positions = null;
        if (weights.positions() != null) {
            backend.embed(weights.positions(), where.position(), rows, 1, s.delta);
            positions = ModuleOutput.of(s.delta);
        }
        EditTable firstEdits = edits.at(Site.RESID_PRE, 0);
        site(positions, rows, EditTable.NONE, taps.level(0), firstEdits, 0);
        for (int b = 0; b < spec.blocks(); b++) {
            Weights.Block w = weights.blocks().get(b);
            Buffer input = input(w.attnNorm(), s, rows);
            Buffer mlpInput = input;
            if (spec.parallel() && w.mlpNorm() != null) {
                backend.norm(s.x, rows, w.mlpNorm(), s.mlpNormed);
                mlpInput = s.mlpNormed;
            }
            attention(s, input, w, where, angles, b);
            ModuleOutput attention =
                    output(attentionOutputs, s.delta, w.attnPostNorm(), b, Site.ATTN_OUT, Site.ATTN_WRITE);
            EditTable mid = edits.at(Site.RESID_MID, b);
            Norm before = spec.parallel() ? null : w.mlpNorm();
            backend.site(
                    s.x, attention, rows, mid, taps.mid(b), EditTable.NONE, before, before == null ? null : s.normed);
            if (!spec.parallel()) {
                mlpInput = input(w.mlpNorm(), s, rows);
            }
            mlp(s, mlpInput, w, rows);
            ModuleOutput mlp = output(mlpOutputs, s.delta, w.mlpPostNorm(), b, Site.MLP_OUT, Site.MLP_WRITE);
            EditTable post = edits.at(Site.RESID_POST, b);
            boolean last = b + 1 == spec.blocks();
            EditTable next = last ? EditTable.NONE : edits.at(Site.RESID_PRE, b + 1);
            site(mlp, rows, post, taps.level(b + 1), next, b + 1);
        }
        if (taps.finalNorm() != SiteTaps.NONE) {
            backend.site(s.finalNormed, null, rows, EditTable.NONE, taps.finalNorm(), EditTable.NONE, null, null);
        }
        head(step, s);
    }

    /** The site between two blocks (or before the first, behind the last), with the norm that follows it, if any. */
    private void site(ModuleOutput delta, int rows, EditTable edits, SiteTaps taps, EditTable next, int block) {
        boolean end = block == spec.blocks();
        Norm norm = end ? weights.finalNorm() : weights.blocks().get(block).attnNorm();
        Buffer normed = norm == null ? null : end ? scratch.finalNormed : scratch.normed;
        backend.site(scratch.x, delta, rows, edits, taps, next, norm, normed);
    }

    /** What a module reads: the residual behind its norm, or the residual itself where there is none. */
    private Buffer input(Norm norm, Scratch s, int rows) {
        if (norm != null) {
            return s.normed;
        }
        if (operand == WeightFormat.F32) {
            return s.x;
        }
        backend.gather(s.x, s.all, rows, s.normed); // to the type that matmuls take
        return s.normed;
    }

    private void attention(Scratch s, Buffer input, Weights.Block w, Rows rows, Angles angles, int b) {
        ModelSpec.Block block = spec.perBlock().get(b);
        backend.matmul(input, rows.count(), w.qkv(), w.qkvBias(), s.qkv);
        backend.prepareAttention(
                s.qkv, rows, block.attention(), w.headNorms(), angles.of(block.rotation()), cache.pages(), b);
        backend.attend(s.qkv, rows, 0, cache.pages(), b, block.attention(), s.attn);
        backend.matmul(s.attn, rows.count(), w.out(), w.outBias(), s.delta);
    }

    private void mlp(Scratch s, Buffer input, Weights.Block w, int rows) {
        if (w.experts() != null) {
            backend.matmul(input, rows, w.experts().router(), null, s.scores);
            backend.mixture(input, rows, s.scores, w.experts().mixture(), s.delta);
            return;
        }
        Weights.Mlp mlp = w.mlp();
        backend.matmul(input, rows, mlp.up(), mlp.upBias(), s.up);
        if (spec.gated()) {
            backend.gatedActivation(s.up, rows, spec.activation(), s.act);
        } else {
            backend.activation(s.up, rows, spec.activation(), s.act);
        }
        backend.matmul(s.act, rows, mlp.down(), mlp.downBias(), s.delta);
    }

    /** Made anew only when the edits have changed. */
    private ModuleOutput output(ModuleOutput[] known, Buffer delta, Norm norm, int block, Site out, Site write) {
        EditTable edited = edits.at(out, block);
        EditTable written = edits.at(write, block);
        ModuleOutput m = known[block];
        if (m == null || m.values() != delta || m.edits() != edited || m.writeEdits() != written) {
            m = new ModuleOutput(delta, edited, norm, spec.scales().residual(), written);
            known[block] = m;
        }
        return m;
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
            backend.matmul(selected, n, weights.head(), weights.headBias(), logits);
            ModelConfig.Scales scales = spec.scales();
            if (scales.logits() != 1 || scales.logitCap() > 0) {
                backend.scaleAndCap(logits, n, scales.logits(), scales.logitCap());
            }
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
        boolean ownNorm = spec.parallel() && weights.blocks().stream().anyMatch(b -> b.mlpNorm() != null);
        boolean dense = spec.hasDense();
        int experts = weights.blocks().stream()
                .filter(b -> b.experts() != null)
                .mapToInt(b -> b.experts().mixture().experts().size())
                .max()
                .orElse(0);
        return new Scratch(
                rows,
                backend.buffer(rows, spec.width()),
                backend.buffer(rows, spec.width(), operand),
                ownNorm ? backend.buffer(rows, spec.width(), operand) : null,
                backend.buffer(rows, qkv),
                backend.buffer(rows, spec.queryWidth(), operand),
                backend.buffer(rows, spec.width()),
                dense ? backend.buffer(rows, (spec.gated() ? 2 : 1) * spec.ffn()) : null,
                dense ? backend.buffer(rows, spec.ffn(), operand) : null,
                experts > 0 ? backend.buffer(rows, experts) : null,
                backend.buffer(rows, spec.width()),
                IntStream.range(0, rows).toArray());
    }
}
