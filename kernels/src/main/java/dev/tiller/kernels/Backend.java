package dev.tiller.kernels;

import dev.tiller.loader.TensorView;
import java.util.List;

/**
 * Arithmetic on row-major float32 buffers; knows nothing of models. Shape letters: T rows of the batch, d model width,
 * h heads, g key/value heads, k head width, f FFN width, V vocabulary, E edits.
 *
 * <p>A backend is used by one thread at a time. On the CPU the result of a row never depends on the other rows of the
 * call nor on how many there are (same order of float operations per output element whatever T is), so a sequence gives
 * the same tokens alone and inside a batch. On a GPU this holds for all operations but {@link #matmul}, whose library
 * chooses its order of summation by T, and for {@link #attend} as long as keys are float32: with shorter ones, single
 * rows and chunks go to different kernels.
 *
 * <p>Buffers may be larger than the rows in use: every operation takes the number of rows. Arguments that do not fit
 * are refused with {@link IllegalArgumentException}, before anything is written.
 */
public interface Backend extends AutoCloseable {
    /** One line for people, e.g. "simd, 512-bit vectors (the widest this processor prefers), 2 threads (asked for)". */
    String description();

    /** A new zeroed buffer. */
    Buffer buffer(int rows, int columns);

    /** A new buffer with the rows given, e.g. norm weights, biases [1, n] or directions [E, d]. */
    default Buffer buffer(int rows, int columns, float[] values) {
        Buffer b = buffer(rows, columns);
        write(values, 0, b, 0, rows);
        return b;
    }

    /** A new zeroed buffer for inputs of matmuls, of the type that {@link #operandFormat} names. */
    default Buffer buffer(int rows, int columns, WeightFormat format) {
        if (format != WeightFormat.F32) {
            throw new IllegalArgumentException("expected a buffer of F32, found " + format);
        }
        return buffer(rows, columns);
    }

    /** Copies {@code rows} rows from {@code source} (beginning at flat index {@code from}) to row {@code row}. */
    void write(float[] source, int from, Buffer target, int row, int rows);

    /** Copies {@code rows} rows, beginning at {@code row}, to {@code target} at flat index {@code at}. */
    void read(Buffer source, int row, int rows, float[] target, int at);

    /** Sets every element to zero. */
    void clear(Buffer buffer);

    /** The format in which this backend keeps a weight of that stored type if the user asks for none. */
    WeightFormat naturalFormat(TensorView weight);

    /**
     * Takes over a weight [n, k], or several with the same k stacked along n (fused q|k|v, gate|up). The views may be
     * unmapped afterwards.
     */
    Matrix matrix(List<TensorView> parts, WeightFormat format);

    /**
     * The type in which this backend keeps the inputs of a matmul with such weights, and the keys and values of such a
     * model: float32 where it computes with the full activations, a shorter one where its fast units take no other.
     */
    default WeightFormat operandFormat(WeightFormat weights) {
        return WeightFormat.F32;
    }

    /**
     * Keys and values of {@code blocks} blocks, each [g, k] per position. The processors' backends keep them in F32, BF16
     * or F16, whatever the weights are; a GPU keeps them in the operand type of the model.
     */
    KvPages kvPages(int blocks, int kvHeads, int headDim, WeightFormat format);

    /** Formats in which it can keep keys and values of a model with such weights; the first is the usual one. */
    default List<WeightFormat> kvFormats(WeightFormat weights) {
        return List.of(operandFormat(weights));
    }

    /** Bytes of keys and values to allow if the user says nothing; {@link Long#MAX_VALUE} if that shows only in use. */
    default long kvMemory() {
        return Long.MAX_VALUE;
    }

    /** Bytes of keys and values that it can have at most, as far as it knows. */
    default long mostKvMemory() {
        return Long.MAX_VALUE;
    }

    /** Rows that a step should have at most when there is a choice. */
    default int rowsPerStep() {
        return 512;
    }

    /** Texts that should run side by side at most when there is a choice. */
    default int textsPerStep() {
        return 64;
    }

    /**
     * Runs the operations of one forward pass, in one go and in their order. A backend may record them and replay the
     * record when a step of the same shape comes again, so the operations must be the same calls on the same buffers for
     * the same shape; ids, positions, pages, edits and taps may differ. They may be called more than once before they
     * take effect, so they must not do anything else. Rows of their outputs past those of the step may be overwritten.
     */
    default void step(StepShape shape, Runnable operations) {
        operations.run();
    }

    /** out[t] = table[ids[t]] * scale; out [T, d], table [V, d]. */
    void embed(Matrix table, int[] ids, int rows, float scale, Buffer out);

    /** out[t, n] = sum over k of x[t, k] w[n, k] (+ bias[n]); x [T, k], w [n, k], bias [1, n] or null, out [T, n]. */
    void matmul(Buffer x, int rows, Matrix w, Buffer bias, Buffer out);

    /** out[t] = norm(x[t]); x, out [T, d], may be the same buffer. */
    void norm(Buffer x, int rows, Norm norm, Buffer out);

    /**
     * Rotates {@code heads} consecutive heads of width k that begin at {@code column}, in place, each row by its place in
     * {@link Rows#angles}.
     */
    void rope(Buffer x, Rows rows, int column, int heads, int headDim, RopeTable table);

    /**
     * Stores keys (from {@code kColumn}) and values (from {@code vColumn}), each [T, g*k], at the rows' positions, rounded
     * to the nearest numbers of the pages' format, on ties to even. What is beyond the range of F16 is refused on
     * processors with an error that names block and position; the rows of that call are then in no defined state.
     */
    void appendKv(Buffer x, Rows rows, int kColumn, int vColumn, KvPages kv, int block);

    /**
     * All that comes before attention, on qkv [T, (h + 2g) k] (queries, keys, values side by side): norms of query and key
     * heads, rotation, storing of keys and values. Query heads stay in qkv; its keys are used up.
     *
     * @param norms or null for none
     * @param table or null if the heads are not rotated
     */
    void prepareAttention(
            Buffer qkv, Rows rows, AttentionSpec spec, HeadNorms norms, RopeTable table, KvPages kv, int block);

    /**
     * Causal attention of each row over positions 0..p of its own sequence (already stored, its own row included):
     * out[t] [h*k] = softmax(scale * q.K) V. Queries [T, h*k] begin at {@code qColumn} of x.
     */
    void attend(Buffer x, Rows rows, int qColumn, KvPages kv, int block, AttentionSpec spec, Buffer out);

    /** out[t, i] = act(x[t, i]) * x[t, f + i]; x [T, 2f] (gate | up), out [T, f]. */
    void gatedActivation(Buffer x, int rows, Activation activation, Buffer out);

    /** out[t, i] = act(x[t, i]); x and out [T, f], two buffers. */
    void activation(Buffer x, int rows, Activation activation, Buffer out);

    /** In place x = scale * x, then x = cap * tanh(x / cap) if cap is above 0; x [T, n]. */
    void scaleAndCap(Buffer x, int rows, float scale, float cap);

    /** True if {@link #mixture} can be used. */
    default boolean supportsMixture() {
        return false;
    }

    /**
     * A mixture of experts. The weights of a row are the softmax of its scores over all E experts; the {@code chosen}
     * largest count (on ties the lower index, not-a-number last), divided by their sum if the mixture is normalised:
     * out[t] = sum over the chosen e, in ascending order, of weight[e] * down_e(act(gate_e(x[t])) * up_e(x[t])).
     *
     * @param x [T, d]
     * @param scores [T, E] logits of the router
     * @param out [T, d], another buffer
     */
    default void mixture(Buffer x, int rows, Buffer scores, Mixture mixture, Buffer out) {
        throw new UnsupportedOperationException("this backend runs no mixtures of experts");
    }

    /**
     * The residual site, one pass over each row: x += delta; edits; taps; then {@code after}; then normed = norm(x).
     * {@code after} holds the edits that belong to the next site of the same residual (block input), which taps must not
     * see. With no edits it is the same call with {@link EditTable#NONE}: steered and unsteered runs take one path.
     *
     * @param x [T, d] residual, updated in place
     * @param delta what a module adds, or null
     * @param norm the norm that follows, or null
     * @param normed [T, d], or null if norm is null
     */
    void site(
            Buffer x,
            ModuleOutput delta,
            int rows,
            EditTable edits,
            SiteTaps taps,
            EditTable after,
            Norm norm,
            Buffer normed);

    /** Applies edits to the rows of x [T, d] and does nothing else. */
    default void edit(Buffer x, int rows, EditTable edits) {
        site(x, null, rows, edits, SiteTaps.NONE, EditTable.NONE, null, null);
    }

    /** out[i] = x[index[i]] for i below {@code count}. */
    void gather(Buffer x, int[] index, int count, Buffer out);

    /** out[t] = index of the largest element of row t (the first on ties). */
    void argmax(Buffer x, int rows, int[] out);

    /** True if {@link #sample} can be used; logits need not be read then. */
    default boolean canSample() {
        return false;
    }

    /** out[t] = a token drawn from the logits of row t [V]; -1 if the largest of them is not a finite number. */
    default void sample(Buffer logits, int rows, Draws draws, int[] out) {
        throw new UnsupportedOperationException("this backend leaves sampling to its caller");
    }

    /** Stops worker threads and gives memory back. */
    @Override
    void close();
}
