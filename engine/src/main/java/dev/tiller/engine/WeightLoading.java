package dev.tiller.engine;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.Expert;
import dev.tiller.kernels.HeadNorms;
import dev.tiller.kernels.Matrix;
import dev.tiller.kernels.Mixture;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.cpu.WarmUp;
import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.ModelConfig;
import dev.tiller.loader.Relayout;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.WeightNames;
import dev.tiller.loader.WeightRole;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Brings the tensors of a checkpoint to a backend: which there are and how they lie, the names' table says. */
final class WeightLoading {
    private final Checkpoint checkpoint;
    private final ModelConfig config;
    private final WeightNames names;
    private final ModelSpec spec;
    private final Backend backend;
    private final WeightFormat format;
    private final Relayout layout;

    /**
     * @param spec null if only formats are asked for
     * @param format of the matrices; null for that of the file
     */
    WeightLoading(Checkpoint checkpoint, ModelSpec spec, Backend backend, WeightFormat format) {
        this.checkpoint = checkpoint;
        this.config = checkpoint.config();
        this.names = WeightNames.of(config.modelType());
        this.spec = spec;
        this.backend = backend;
        this.format = format;
        this.layout = new Relayout(config);
    }

    Weights run() {
        if (config.hasMixture() && !backend.supportsMixture()) {
            throw new TillerException(checkpoint.path() + ": has mixtures of experts, which this backend does not run"
                    + " (--backend simd does); " + backend.description());
        }
        checkpoint.checkShapes();
        Matrix embed = table(WeightRole.EMBED);
        Matrix positions = names.has(WeightRole.POSITIONS) ? table(WeightRole.POSITIONS) : null;
        Matrix head = config.tiedEmbeddings() ? embed : table(WeightRole.LM_HEAD);
        List<Weights.Block> blocks = new ArrayList<>();
        for (int b = 0; b < spec.blocks(); b++) {
            blocks.add(block(b));
        }
        Norm finalNorm = norm(single(WeightRole.FINAL_NORM), single(WeightRole.FINAL_NORM_BIAS));
        float[] headBias = single(WeightRole.LM_HEAD_BIAS);
        return new Weights(embed, positions, head, headBias == null ? null : row(headBias), finalNorm, blocks);
    }

    /** A vector that exists once; null if the family has none. */
    private float[] single(WeightRole role) {
        if (names.isOnes(role)) {
            return ones();
        }
        return names.has(role) ? checkpoint.tensor(names.name(role)).toFloats() : null;
    }

    private float[] ones() {
        float[] ones = new float[spec.width()];
        Arrays.fill(ones, 1);
        return ones;
    }

    WarmUp.Formats formats() {
        Set<WeightFormat> formats = new LinkedHashSet<>();
        for (WeightRole role : List.of(
                WeightRole.GATE,
                WeightRole.GATE_UP,
                WeightRole.UP,
                WeightRole.DOWN,
                WeightRole.EXPERT_UP,
                WeightRole.EXPERT_DOWN,
                WeightRole.O,
                WeightRole.Q,
                WeightRole.QKV)) {
            if (names.has(role)) {
                checkpoint.find(names.name(role, 0, 0)).ifPresent(view -> formats.add(format(List.of(view))));
            }
        }
        Set<WeightFormat> tables = new LinkedHashSet<>();
        for (WeightRole role : List.of(WeightRole.EMBED, WeightRole.LM_HEAD)) {
            checkpoint.find(names.name(role)).ifPresent(view -> tables.add(tableFormat(view)));
        }
        return new WarmUp.Formats(formats, tables);
    }

    private Weights.Block block(int b) {
        boolean fused = names.has(WeightRole.QKV);
        return new Weights.Block(
                norm(WeightRole.ATTN_NORM, WeightRole.ATTN_NORM_BIAS, b),
                fused ? matrix(b, WeightRole.QKV) : matrix(b, WeightRole.Q, WeightRole.K, WeightRole.V),
                fused ? bias(b, WeightRole.QKV_BIAS) : bias(b, WeightRole.Q_BIAS, WeightRole.K_BIAS, WeightRole.V_BIAS),
                headNorms(b),
                matrix(b, WeightRole.O),
                bias(b, WeightRole.O_BIAS),
                norm(WeightRole.ATTN_POST_NORM, null, b),
                norm(WeightRole.MLP_NORM, WeightRole.MLP_NORM_BIAS, b),
                spec.perBlock().get(b).mixture() ? null : mlp(b),
                spec.perBlock().get(b).mixture() ? experts(b) : null,
                norm(WeightRole.MLP_POST_NORM, null, b));
    }

    private Weights.Mlp mlp(int b) {
        Matrix up;
        Buffer upBias;
        if (names.has(WeightRole.GATE_UP)) {
            up = matrix(b, WeightRole.GATE_UP);
            upBias = null;
        } else if (spec.gated()) {
            up = matrix(b, WeightRole.GATE, WeightRole.UP);
            upBias = bias(b, WeightRole.GATE_BIAS, WeightRole.UP_BIAS);
        } else {
            up = matrix(b, WeightRole.UP);
            upBias = bias(b, WeightRole.UP_BIAS);
        }
        return new Weights.Mlp(up, upBias, matrix(b, WeightRole.DOWN), bias(b, WeightRole.DOWN_BIAS));
    }

    private Weights.Experts experts(int b) {
        ModelConfig.Mixture m = config.mlp().mixture();
        List<Expert> all = new ArrayList<>();
        for (int e = 0; e < m.experts(); e++) {
            Matrix gateUp = matrix(List.of(
                    checkpoint.tensor(names.name(WeightRole.EXPERT_GATE, b, e)),
                    checkpoint.tensor(names.name(WeightRole.EXPERT_UP, b, e))));
            Matrix down = matrix(List.of(checkpoint.tensor(names.name(WeightRole.EXPERT_DOWN, b, e))));
            all.add(new Expert(gateUp, down));
        }
        TensorView router = tensor(WeightRole.ROUTER, b);
        // It is small and decides where a row goes: rounding it to a few bits would save nothing and cost much.
        boolean rounded = format != null && format.quantised();
        Matrix scores = backend.matrix(List.of(router), rounded ? WeightFormat.F32 : format(List.of(router)));
        return new Weights.Experts(scores, new Mixture(all, m.chosen(), m.normalised(), spec.activation()));
    }

    /** A tensor of a block, its rows in the order of the kernels. */
    private TensorView tensor(WeightRole role, int block) {
        return layout.usual(checkpoint.tensor(names.name(role, block)), role);
    }

    private Matrix table(WeightRole role) {
        TensorView view = checkpoint.tensor(names.name(role));
        return backend.matrix(List.of(view), tableFormat(view));
    }

    /** Embedding or head: too few bits hurt most there, so Q4 stands for Q8 unless the file stores no more. */
    private WeightFormat tableFormat(TensorView view) {
        WeightFormat natural = backend.naturalFormat(view);
        boolean more = format == WeightFormat.Q4 && natural != WeightFormat.Q4;
        return format == null ? natural : more ? WeightFormat.Q8 : format;
    }

    private Matrix matrix(int block, WeightRole... parts) {
        List<TensorView> views = new ArrayList<>();
        for (WeightRole role : parts) {
            views.add(tensor(role, block));
        }
        return matrix(views);
    }

    private Matrix matrix(List<TensorView> views) {
        return backend.matrix(views, format(views));
    }

    /** Tensors stacked; those of different stored formats in one that is near the numbers of all. */
    private WeightFormat format(List<TensorView> parts) {
        WeightFormat chosen = format;
        for (TensorView view : parts) {
            if (format == null) {
                WeightFormat natural = backend.naturalFormat(view);
                chosen = chosen == null ? natural : chosen.joined(natural);
            }
        }
        return chosen;
    }

    /** A norm of a block; null if the family has none there. */
    private Norm norm(WeightRole role, WeightRole bias, int block) {
        if (!names.has(role)) {
            return null;
        }
        boolean biased = bias != null && names.has(bias);
        return norm(
                names.isOnes(role) ? ones() : tensor(role, block).toFloats(),
                biased ? tensor(bias, block).toFloats() : null);
    }

    private Norm norm(float[] weight, float[] bias) {
        return new Norm(
                spec.normKind(), row(weight), bias == null ? null : row(bias), spec.normEps(), spec.normOffset());
    }

    private HeadNorms headNorms(int block) {
        if (!names.expects(WeightRole.Q_NORM, config, block)) {
            return null;
        }
        return new HeadNorms(
                norm(WeightRole.Q_NORM, null, block), norm(WeightRole.K_NORM, null, block), spec.headSpan());
    }

    /** Biases stacked like their matrices; null if the family or this checkpoint has none. */
    private Buffer bias(int block, WeightRole... roles) {
        boolean some = names.expects(roles[0], config)
                && checkpoint.find(names.name(roles[0], block)).isPresent();
        if (!some) {
            return null; // a checked checkpoint lacks only what may be missing
        }
        List<TensorView> views = new ArrayList<>();
        int length = 0;
        for (WeightRole role : roles) {
            views.add(tensor(role, block));
            length += views.getLast().columns();
        }
        float[] all = new float[length];
        int at = 0;
        for (TensorView view : views) {
            view.copyTo(0, all, at, view.columns());
            at += view.columns();
        }
        return row(all);
    }

    private Buffer row(float[] values) {
        return backend.buffer(1, values.length, values);
    }
}
