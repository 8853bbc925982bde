package dev.tiller.engine;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.HeadNorms;
import dev.tiller.kernels.Matrix;
import dev.tiller.kernels.Mixture;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.cpu.WarmUp;
import dev.tiller.loader.Checkpoint;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * The parameters of a model on a backend. Optional parts are null.
 *
 * @param embed [V, d]
 * @param positions [P, d], added to the embeddings, or null
 * @param head [V, d], the same object as embed if tied
 * @param headBias [1, V] or null
 * @param finalNorm norm before the head
 * @param blocks one entry per block
 */
record Weights(Matrix embed, Matrix positions, Matrix head, Buffer headBias, Norm finalNorm, List<Block> blocks) {
    /**
     * @param attnNorm before attention, or null
     * @param qkv [(h + 2g) k, d]: query, key, value rows stacked
     * @param qkvBias [1, (h + 2g) k] or null
     * @param headNorms of queries and keys, or null
     * @param out [d, h k]
     * @param outBias [1, d] or null
     * @param attnPostNorm of what attention adds, or null
     * @param mlpNorm before the MLP; null if the MLP reads the residual itself, or in parallel blocks what attention reads
     * @param mlp dense, or null
     * @param experts in place of a dense MLP, or null
     * @param mlpPostNorm of what the MLP adds, or null
     */
    record Block(
            Norm attnNorm,
            Matrix qkv,
            Buffer qkvBias,
            HeadNorms headNorms,
            Matrix out,
            Buffer outBias,
            Norm attnPostNorm,
            Norm mlpNorm,
            Mlp mlp,
            Experts experts,
            Norm mlpPostNorm) {

        /** What the block multiplies with; a router does not count. */
        List<Matrix> matrices() {
            List<Matrix> all = new ArrayList<>(List.of(qkv, out));
            if (mlp != null) {
                all.add(mlp.up);
                all.add(mlp.down);
            } else {
                experts.mixture.experts().forEach(e -> all.addAll(List.of(e.gateUp(), e.down())));
            }
            return all;
        }

        private long bytes() {
            return matrices().stream().mapToLong(Matrix::bytes).sum() + (experts == null ? 0 : experts.router.bytes());
        }

        /** Bytes of the experts that a single row does not go through. */
        private long idleBytes() {
            if (experts == null) {
                return 0;
            }
            List<dev.tiller.kernels.Expert> all = experts.mixture.experts();
            long one = all.getFirst().gateUp().bytes() + all.getFirst().down().bytes();
            return one * (all.size() - experts.mixture.chosen());
        }
    }

    /**
     * @param up [2f, d]: gate rows, then up rows; [f, d] without a gate
     * @param upBias [1, 2f] or [1, f], or null
     * @param down [d, f]
     * @param downBias [1, d] or null
     */
    record Mlp(Matrix up, Buffer upBias, Matrix down, Buffer downBias) {}

    /**
     * @param router [E, d]
     * @param mixture the experts
     */
    record Experts(Matrix router, Mixture mixture) {}

    static Weights load(Checkpoint checkpoint, ModelSpec spec, Backend backend, WeightFormat format) {
        return new WeightLoading(checkpoint, spec, backend, format).run();
    }

    /** For the warm-up of kernels: the formats that the matrices will have, as far as the first block tells, and the kinds. */
    static WarmUp.Formats formats(Checkpoint checkpoint, Backend backend, WeightFormat format) {
        ModelSpec spec = ModelSpec.of(checkpoint.config());
        WarmUp.Kinds kinds = new WarmUp.Kinds(
                spec.normKind(), spec.activation(), spec.gated(), spec.scales().logitCap() > 0);
        return new WeightLoading(checkpoint, null, backend, format).formats().with(kinds);
    }

    /** Bytes of all matrices. */
    long bytes() {
        long n = tableBytes() + (head == embed ? 0 : head.bytes());
        for (Block b : blocks) {
            n += b.bytes();
        }
        return n;
    }

    /** Bytes of the matrices that a step must read whatever its rows are: no tables of its own, experts as one row needs. */
    long bytesPerStep() {
        long idle = blocks.stream().mapToLong(Block::idleBytes).sum();
        return bytes() - tableBytes() + (head == embed ? embed.bytes() : 0) - idle;
    }

    private long tableBytes() {
        return embed.bytes() + (positions == null ? 0 : positions.bytes());
    }

    /** The format that all matrices of the blocks have, F32 if they differ. */
    WeightFormat operandFormat() {
        Set<WeightFormat> formats = EnumSet.noneOf(WeightFormat.class);
        blocks.forEach(b -> b.matrices().forEach(m -> formats.add(m.format())));
        return formats.size() == 1 ? formats.iterator().next() : WeightFormat.F32;
    }

    /** Formats of all matrices, those of the blocks first. */
    Set<WeightFormat> formats() {
        Set<WeightFormat> formats = new LinkedHashSet<>();
        blocks.forEach(b -> b.matrices().forEach(m -> formats.add(m.format())));
        formats.add(embed.format());
        formats.add(head.format());
        return formats;
    }
}
