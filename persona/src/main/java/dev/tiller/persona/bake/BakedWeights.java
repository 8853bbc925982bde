package dev.tiller.persona.bake;

import dev.tiller.engine.Vectors;
import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.DType;
import dev.tiller.loader.ModelConfig;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.WeightNames;
import dev.tiller.loader.WeightRole;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The weights of a model that change when steering is baked in; matrices are [outputs, inputs], the embedding [V, d]. */
final class BakedWeights {
    /** Families whose modules write to the residual stream as they are, with one matrix each. */
    private static final List<String> FAMILIES = List.of("llama", "qwen2");

    private final Checkpoint checkpoint;
    private final ModelConfig config;
    private final WeightNames names;
    private final int d;

    BakedWeights(Checkpoint checkpoint) {
        this.checkpoint = checkpoint;
        this.config = checkpoint.config();
        if (!FAMILIES.contains(config.modelType())) {
            throw new TillerException(checkpoint.path() + ": steering is baked into models of the families " + FAMILIES
                    + ", found " + config.modelType() + "; steer it while it runs instead");
        }
        this.names = WeightNames.of(config.modelType());
        this.d = config.hiddenSize();
    }

    /** Names of the matrices that write to the residual stream, without the embedding. */
    List<String> writers() {
        return perBlock(WeightRole.O, WeightRole.DOWN);
    }

    String embedding() {
        return names.name(WeightRole.EMBED);
    }

    /** Biases of the writers that the model has. */
    List<String> writerBiases() {
        List<String> names = perBlock(WeightRole.O_BIAS, WeightRole.DOWN_BIAS);
        return names.stream().filter(name -> checkpoint.find(name).isPresent()).toList();
    }

    private List<String> perBlock(WeightRole... roles) {
        List<String> out = new ArrayList<>();
        for (WeightRole role : roles) {
            for (int b = 0; names.expects(role, config) && b < config.blocks(); b++) {
                out.add(names.name(role, b));
            }
        }
        return out;
    }

    /**
     * Everything that writes to the residual stream, made orthogonal to u: W - u uT W, e - (e.u) u for each row e of the
     * embedding, b - (b.u) u for biases (Arditi et al. 2024, section 2.4). A tied head keeps the old embedding.
     */
    Map<String, TensorView> orthogonal(float[] direction, DType dtype) {
        float[] u = Vectors.unit(direction, "direction");
        Map<String, TensorView> out = new TreeMap<>();
        for (String name : writers()) {
            TensorView t = checkpoint.tensor(name);
            out.put(name, view(t, columnsOff(t.toFloats(), u), dtype));
        }
        for (String name : writerBiases()) {
            TensorView t = checkpoint.tensor(name);
            out.put(name, view(t, rowsOff(t.toFloats(), u), dtype));
        }
        TensorView embedding = checkpoint.tensor(embedding());
        out.put(embedding(), view(embedding, rowsOff(embedding.toFloats(), u), dtype));
        if (config.tiedEmbeddings()) {
            String head = names.name(WeightRole.LM_HEAD);
            out.put(
                    head,
                    new TensorView(head, embedding.dtype(), embedding.shape(), embedding.data(), embedding.source()));
        }
        return out;
    }

    /** h + c v at a block's output is c v on the bias of its MLP's last matrix; the other biases of the MLP are zero. */
    Map<String, TensorView> biased(Map<Integer, float[]> shifts, DType dtype) {
        if (!names.has(WeightRole.DOWN_BIAS)) {
            throw new TillerException("models of type " + config.modelType()
                    + " have no bias behind their MLP, so an addition has no place in their weights");
        }
        Map<String, TensorView> out = new TreeMap<>();
        DType stored = checkpoint.tensor(names.name(WeightRole.DOWN, 0)).dtype();
        for (int b = 0; b < config.blocks(); b++) {
            for (WeightRole role : List.of(WeightRole.GATE_BIAS, WeightRole.UP_BIAS, WeightRole.DOWN_BIAS)) {
                String name = names.name(role, b);
                TensorView t = config.mlpBias() ? checkpoint.tensor(name) : zeros(name, role.shape(config), stored);
                float[] shift = role == WeightRole.DOWN_BIAS ? shifts.get(b) : null;
                if (shift != null) {
                    float[] bias = t.toFloats();
                    for (int i = 0; i < d; i++) {
                        bias[i] += shift[i];
                    }
                    t = view(t, bias, dtype);
                }
                out.put(name, t);
            }
        }
        return out;
    }

    /** uT W [inputs] of a writer, or E u [V] of the embedding: the rank-1 factor beside u. */
    float[] factor(String name, float[] u) {
        TensorView t = checkpoint.tensor(name);
        float[] w = t.toFloats();
        boolean embedding = name.equals(embedding());
        int columns = t.columns();
        float[] out = new float[embedding ? t.rows() : columns];
        double[] sums = new double[out.length];
        for (int r = 0; r < t.rows(); r++) {
            for (int c = 0; c < columns; c++) {
                double x = w[r * columns + c];
                if (embedding) {
                    sums[r] += x * u[c];
                } else {
                    sums[c] += x * u[r];
                }
            }
        }
        for (int i = 0; i < out.length; i++) {
            out[i] = (float) sums[i];
        }
        return out;
    }

    private float[] rowsOff(float[] rows, float[] u) {
        for (int at = 0; at < rows.length; at += d) {
            double dot = 0;
            for (int i = 0; i < d; i++) {
                dot += (double) rows[at + i] * u[i];
            }
            for (int i = 0; i < d; i++) {
                rows[at + i] -= (float) (dot * u[i]);
            }
        }
        return rows;
    }

    private float[] columnsOff(float[] matrix, float[] u) {
        int columns = matrix.length / d;
        double[] dots = new double[columns];
        for (int r = 0; r < d; r++) {
            for (int c = 0; c < columns; c++) {
                dots[c] += (double) matrix[r * columns + c] * u[r];
            }
        }
        for (int r = 0; r < d; r++) {
            for (int c = 0; c < columns; c++) {
                matrix[r * columns + c] -= (float) (dots[c] * u[r]);
            }
        }
        return matrix;
    }

    private static TensorView zeros(String name, long[] shape, DType dtype) {
        MemorySegment data = MemorySegment.ofArray(new byte[(int) (shape[0] * dtype.bits() / Byte.SIZE)]);
        return new TensorView(name, dtype, shape, data, "zeros");
    }

    /** New values for a tensor. @param dtype of the result: F32, or null for that of the tensor */
    private static TensorView view(TensorView like, float[] values, DType dtype) {
        DType type = dtype != null ? dtype : like.dtype();
        int width = type.bits() / Byte.SIZE;
        ByteBuffer bytes =
                ByteBuffer.allocate(Math.multiplyExact(values.length, width)).order(ByteOrder.LITTLE_ENDIAN);
        for (float v : values) {
            switch (type) {
                case F32 -> bytes.putFloat(v);
                case F16 -> bytes.putShort(Float.floatToFloat16(v));
                case BF16 -> bytes.putShort(bf16(v));
                default -> throw new TillerException("tensor " + like.describe() + ": expected F32, F16 or BF16");
            }
        }
        return new TensorView(like.name(), type, like.shape(), MemorySegment.ofArray(bytes.array()), like.source());
    }

    /** The upper half, rounded to even; NaN does not occur in weights that a model runs with. */
    private static short bf16(float v) {
        int bits = Float.floatToRawIntBits(v);
        return (short) (bits + 0x7FFF + (bits >>> 16 & 1) >>> 16);
    }
}
