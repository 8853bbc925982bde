package dev.tiller.loader;

import dev.tiller.loader.WeightNames.Stored;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * Brings tensors to the layout that the forward pass works with: matrices [outputs, inputs]; of a fused projection first
 * the query rows of all heads, then the key rows, then the value rows; rows of a head that are rotated together half a
 * head apart. What lies so already stays a view of the file, the rest are copies, made once.
 */
public final class Relayout {
    private final ModelConfig config;
    private final Set<Stored> stored;

    public Relayout(ModelConfig config) {
        this.config = config;
        this.stored = WeightNames.of(config.modelType()).stored();
    }

    /** The tensor of that role in the usual layout. */
    public TensorView usual(TensorView tensor, WeightRole role) {
        return switch (role) {
            case QKV, O, UP, DOWN -> stored.contains(Stored.TRANSPOSED) ? transposed(tensor) : byHead(tensor, role);
            case QKV_BIAS -> byHead(tensor, role);
            case Q, Q_BIAS -> halves(tensor, config.heads());
            case K, K_BIAS -> halves(tensor, config.kvHeads());
            case Q_NORM, K_NORM -> halves(tensor, Math.toIntExact(tensor.elements() / config.headDim()));
            default -> tensor;
        };
    }

    private TensorView byHead(TensorView tensor, WeightRole role) {
        boolean fused = role == WeightRole.QKV || role == WeightRole.QKV_BIAS;
        if (!fused || !stored.contains(Stored.QKV_BY_HEAD)) {
            return tensor;
        }
        int k = config.headDim();
        int heads = config.heads();
        int[] order = new int[3 * heads * k];
        for (int part = 0; part < 3; part++) {
            for (int h = 0; h < heads; h++) {
                for (int i = 0; i < k; i++) {
                    order[(part * heads + h) * k + i] = (h * 3 + part) * k + i;
                }
            }
        }
        return inOrder(tensor, order);
    }

    private TensorView halves(TensorView tensor, int heads) {
        if (!stored.contains(Stored.ROTARY_PAIRS)) {
            return tensor;
        }
        int k = config.headDim();
        int rotary = config.rope().rotaryDim();
        int[] order = new int[heads * k];
        for (int h = 0; h < heads; h++) {
            for (int i = 0; i < k; i++) {
                int from = i >= rotary ? i : i < rotary / 2 ? 2 * i : 2 * (i - rotary / 2) + 1;
                order[h * k + i] = h * k + from;
            }
        }
        return inOrder(tensor, order);
    }

    /** The same shape; row i of the result is row {@code order[i]}. A tensor is taken for as many rows as there are. */
    private static TensorView inOrder(TensorView tensor, int[] order) {
        MemorySegment from = tensor.data();
        long row = from.byteSize() / order.length;
        MemorySegment to = Arena.ofAuto().allocate(from.byteSize(), Long.BYTES);
        for (int i = 0; i < order.length; i++) {
            MemorySegment.copy(from, order[i] * row, to, i * row, row);
        }
        return new TensorView(tensor.name(), tensor.dtype(), tensor.shape(), to, tensor.source());
    }

    private static TensorView transposed(TensorView tensor) {
        int rows = tensor.rows();
        int columns = tensor.columns();
        int width = tensor.dtype().bits() / Byte.SIZE;
        MemorySegment from = tensor.data();
        MemorySegment to = Arena.ofAuto().allocate(from.byteSize(), Long.BYTES);
        IntStream.range(0, columns).parallel().forEach(c -> {
            for (int r = 0; r < rows; r++) {
                long source = ((long) r * columns + c) * width;
                MemorySegment.copy(from, source, to, ((long) c * rows + r) * width, width);
            }
        });
        return new TensorView(tensor.name(), tensor.dtype(), new long[] {columns, rows}, to, tensor.source());
    }
}
