package dev.tiller.kernels;

import dev.tiller.loader.TensorView;
import java.util.List;

/**
 * Arithmetic on row-major float32 buffers; knows nothing of models. Shape letters: T rows of the batch, d model width,
 * h heads, g key/value heads, k head width, f FFN width, V vocabulary, E edits.
 *
 * <p>A backend is used by one thread at a time. For a given backend the result of a row never depends on the other rows
 * of the call nor on how many there are (same order of float operations per output element whatever T is), so a
 * sequence gives the same tokens alone and inside a batch.
 *
 * <p>Buffers may be larger than the rows in use: every operation takes the number of rows. Arguments that do not fit
 * are refused with {@link IllegalArgumentException}, before anything is written.
 */
public interface Backend extends AutoCloseable {
    /** One line for people, e.g. "simd, 512-bit vectors, 2 threads (widest this processor prefers)". */
    String description();

    /** A new zeroed buffer. */
    Buffer buffer(int rows, int columns);

    /** A new buffer with the rows given, e.g. norm weights, biases [1, n] or directions [E, d]. */
    default Buffer buffer(int rows, int columns, float[] values) {
        Buffer b = buffer(rows, columns);
        write(values, 0, b, 0, rows);
        return b;
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

    /** Keys and values of {@code blocks} blocks, each [g, k] per position. */
    KvPages kvPages(int blocks, int kvHeads, int headDim);

    /** out[t] = table[ids[t]] * scale; out [T, d], table [V, d]. */
    void embed(Matrix table, int[] ids, int rows, float scale, Buffer out);

    /** out[t, n] = sum over k of x[t, k] w[n, k] (+ bias[n]); x [T, k], w [n, k], bias [1, n] or null, out [T, n]. */
    void matmul(Buffer x, int rows, Matrix w, Buffer bias, Buffer out);

    /** out[t] = norm(x[t]); x, out [T, d], may be the same buffer. */
    void norm(Buffer x, int rows, Norm norm, Buffer out);

    /** Rotates {@code heads} consecutive heads of width k that begin at {@code column}, in place, each row by its position. */
    void rope(Buffer x, Rows rows, int column, int heads, int headDim, RopeTable table);

    /** Stores keys (from {@code kColumn}) and values (from {@code vColumn}), each [T, g*k], at the rows' positions. */
    void appendKv(Buffer x, Rows rows, int kColumn, int vColumn, KvPages kv, int block);

    /**
     * Causal attention of each row over positions 0..p of its own sequence (already stored, its own row included):
     * out[t] [h*k] = softmax(scale * q.K) V. Queries [T, h*k] begin at {@code qColumn} of x.
     */
    void attend(Buffer x, Rows rows, int qColumn, KvPages kv, int block, AttentionSpec spec, Buffer out);

    /** out[t, i] = act(x[t, i]) * x[t, f + i]; x [T, 2f] (gate | up), out [T, f]. */
    void gatedActivation(Buffer x, int rows, Activation activation, Buffer out);

    /**
     * The residual site, one pass over each row: x += delta; edits; taps; then {@code after}; then normed = norm(x).
     * {@code after} holds the edits that belong to the next site of the same residual (block input), which taps must not
     * see. With no edits it is the same call with {@link EditTable#NONE}: steered and unsteered runs take one path.
     *
     * @param x [T, d] residual, updated in place
     * @param delta [T, d] what a module writes, or null
     * @param norm the norm that follows, or null
     * @param normed [T, d], or null if norm is null
     */
    void site(
            Buffer x,
            Buffer delta,
            int rows,
            EditTable edits,
            SiteTaps taps,
            EditTable after,
            Norm norm,
            Buffer normed);

    /** Applies edits to rows that are not the residual, e.g. a module's output. x [T, d]. */
    void edit(Buffer x, int rows, EditTable edits);

    /** out[i] = x[index[i]] for i below {@code count}. */
    void gather(Buffer x, int[] index, int count, Buffer out);

    /** out[t] = index of the largest element of row t (the first on ties). */
    void argmax(Buffer x, int rows, int[] out);

    /** Stops worker threads and gives memory back. */
    @Override
    void close();
}
