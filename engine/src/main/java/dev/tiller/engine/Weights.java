package dev.tiller.engine;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.Matrix;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.cpu.WarmUp;
import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.WeightNames;
import dev.tiller.loader.WeightRole;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * The parameters of a model on a backend. Optional parts are null.
 *
 * @param embed [V, d]
 * @param head [V, d], the same object as embed if tied
 * @param finalNorm norm before the head
 * @param blocks one entry per block
 */
record Weights(Matrix embed, Matrix head, Norm finalNorm, List<Block> blocks) {
    /**
     * @param attnNorm before attention
     * @param qkv [(h + 2g) k, d]: query, key, value rows stacked
     * @param qkvBias [1, (h + 2g) k] or null
     * @param out [d, h k]
     * @param outBias [1, d] or null
     * @param mlpNorm before the MLP
     * @param gateUp [2f, d]: gate rows, then up rows
     * @param gateUpBias [1, 2f] or null
     * @param down [d, f]
     * @param downBias [1, d] or null
     */
    record Block(
            Norm attnNorm,
            Matrix qkv,
            Buffer qkvBias,
            Matrix out,
            Buffer outBias,
            Norm mlpNorm,
            Matrix gateUp,
            Buffer gateUpBias,
            Matrix down,
            Buffer downBias) {}

    static Weights load(Checkpoint checkpoint, ModelSpec spec, Backend backend, WeightFormat format) {
        return new Loading(checkpoint, spec, backend, format).run();
    }

    /** The formats that the matrices will have, as far as the first block tells: for the warm-up of kernels. */
    static WarmUp.Formats formats(Checkpoint checkpoint, Backend backend, WeightFormat format) {
        Loading loading = new Loading(checkpoint, null, backend, format);
        WeightNames names = WeightNames.of(checkpoint.config().modelType());
        Set<WeightFormat> formats = new LinkedHashSet<>();
        for (WeightRole role : List.of(WeightRole.GATE, WeightRole.DOWN, WeightRole.O, WeightRole.Q)) {
            checkpoint.find(names.name(role, 0)).ifPresent(view -> formats.add(loading.format(List.of(view))));
        }
        Set<WeightFormat> tables = new LinkedHashSet<>();
        for (WeightRole role : List.of(WeightRole.EMBED, WeightRole.LM_HEAD)) {
            checkpoint.find(names.name(role)).ifPresent(view -> tables.add(loading.tableFormat(view)));
        }
        return new WarmUp.Formats(formats, tables);
    }

    /** Bytes of all matrices. */
    long bytes() {
        long n = embed.bytes() + (head == embed ? 0 : head.bytes());
        for (Block b : blocks) {
            n += b.qkv.bytes() + b.out.bytes() + b.gateUp.bytes() + b.down.bytes();
        }
        return n;
    }

    /** The format that all matrices of the blocks have, F32 if they differ. */
    WeightFormat operandFormat() {
        Set<WeightFormat> formats = EnumSet.noneOf(WeightFormat.class);
        for (Block b : blocks) {
            formats.addAll(List.of(b.qkv.format(), b.out.format(), b.gateUp.format(), b.down.format()));
        }
        return formats.size() == 1 ? formats.iterator().next() : WeightFormat.F32;
    }

    /** Formats of all matrices, those of the blocks first. */
    Set<WeightFormat> formats() {
        Set<WeightFormat> formats = new LinkedHashSet<>();
        for (Block b : blocks) {
            formats.addAll(List.of(b.qkv.format(), b.out.format(), b.gateUp.format(), b.down.format()));
        }
        formats.add(embed.format());
        formats.add(head.format());
        return formats;
    }

    private record Loading(Checkpoint checkpoint, ModelSpec spec, Backend backend, WeightFormat format) {
        Weights run() {
            checkpoint.checkShapes();
            WeightNames names = WeightNames.of(checkpoint.config().modelType());
            Matrix embed = table(names.name(WeightRole.EMBED));
            String headName = names.name(WeightRole.LM_HEAD);
            boolean tied = checkpoint.config().tiedEmbeddings();
            Matrix head = tied ? embed : table(headName);
            List<Block> blocks = new ArrayList<>();
            for (int b = 0; b < spec.blocks(); b++) {
                blocks.add(block(names, b));
            }
            return new Weights(embed, head, norm(names.name(WeightRole.FINAL_NORM)), blocks);
        }

        private Block block(WeightNames names, int b) {
            return new Block(
                    norm(names.name(WeightRole.ATTN_NORM, b)),
                    matrix(names.name(WeightRole.Q, b), names.name(WeightRole.K, b), names.name(WeightRole.V, b)),
                    bias(names, b, WeightRole.Q_BIAS, WeightRole.K_BIAS, WeightRole.V_BIAS),
                    matrix(names.name(WeightRole.O, b)),
                    bias(names, b, WeightRole.O_BIAS),
                    norm(names.name(WeightRole.MLP_NORM, b)),
                    matrix(names.name(WeightRole.GATE, b), names.name(WeightRole.UP, b)),
                    bias(names, b, WeightRole.GATE_BIAS, WeightRole.UP_BIAS),
                    matrix(names.name(WeightRole.DOWN, b)),
                    bias(names, b, WeightRole.DOWN_BIAS));
        }

        private Matrix table(String name) {
            TensorView view = checkpoint.tensor(name);
            return backend.matrix(List.of(view), tableFormat(view));
        }

        /** Embedding or head: too few bits hurt most there, so Q4 stands for Q8 unless the file stores no more. */
        private WeightFormat tableFormat(TensorView view) {
            WeightFormat natural = backend.naturalFormat(view);
            boolean more = format == WeightFormat.Q4 && natural != WeightFormat.Q4;
            return format == null ? natural : more ? WeightFormat.Q8 : format;
        }

        private Matrix matrix(String... parts) {
            List<TensorView> views = new ArrayList<>();
            for (String name : parts) {
                views.add(checkpoint.tensor(name));
            }
            return backend.matrix(views, format(views));
        }

        /** Tensors stacked; those of different stored formats in F32, the only one that holds the numbers of both. */
        private WeightFormat format(List<TensorView> parts) {
            WeightFormat chosen = format;
            for (TensorView view : parts) {
                if (format == null) {
                    WeightFormat natural = backend.naturalFormat(view);
                    chosen = chosen == null || chosen == natural ? natural : WeightFormat.F32;
                }
            }
            return chosen;
        }

        private Norm norm(String name) {
            TensorView view = checkpoint.tensor(name);
            Buffer weight = backend.buffer(1, spec.width(), view.toFloats());
            return new Norm(spec.normKind(), weight, null, spec.normEps(), spec.normOffset());
        }

        /** Biases stacked like their matrices; null if the family or this checkpoint has none. */
        private Buffer bias(WeightNames names, int block, WeightRole... roles) {
            if (!names.expects(roles[0], checkpoint.config())) {
                return null;
            }
            List<TensorView> views = new ArrayList<>();
            int length = 0;
            for (WeightRole role : roles) {
                views.add(checkpoint.tensor(names.name(role, block)));
                length += views.getLast().columns();
            }
            float[] all = new float[length];
            int at = 0;
            for (TensorView view : views) {
                view.copyTo(0, all, at, view.columns());
                at += view.columns();
            }
            return backend.buffer(1, length, all);
        }
    }
}
