package dev.tiller.kernels.lab;

import dev.tiller.kernels.Activation;
import dev.tiller.kernels.AttentionSpec;
import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.Draws;
import dev.tiller.kernels.EditTable;
import dev.tiller.kernels.HeadNorms;
import dev.tiller.kernels.KvPages;
import dev.tiller.kernels.Matrix;
import dev.tiller.kernels.Mixture;
import dev.tiller.kernels.ModuleOutput;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.RopeTable;
import dev.tiller.kernels.Rows;
import dev.tiller.kernels.SiteTaps;
import dev.tiller.kernels.StepShape;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.loader.TensorView;
import java.util.List;

/**
 * A backend in which one operation is replaced: everything goes to the backend underneath but for the methods that a
 * subclass overrides. The numbers of its buffers are reached through {@link dev.tiller.kernels.HeapBuffer#array}.
 */
public abstract class Variant implements Backend {
    /** What does the rest. */
    protected final Backend base;

    protected Variant(Backend base) {
        this.base = base;
    }

    @Override
    public String description() {
        return getClass().getSimpleName() + " on " + base.description();
    }

    @Override
    public Buffer buffer(int rows, int columns) {
        return base.buffer(rows, columns);
    }

    @Override
    public Buffer buffer(int rows, int columns, WeightFormat format) {
        return base.buffer(rows, columns, format);
    }

    @Override
    public void write(float[] source, int from, Buffer target, int row, int rows) {
        base.write(source, from, target, row, rows);
    }

    @Override
    public void read(Buffer source, int row, int rows, float[] target, int at) {
        base.read(source, row, rows, target, at);
    }

    @Override
    public void clear(Buffer buffer) {
        base.clear(buffer);
    }

    @Override
    public WeightFormat naturalFormat(TensorView weight) {
        return base.naturalFormat(weight);
    }

    @Override
    public WeightFormat operandFormat(WeightFormat weights) {
        return base.operandFormat(weights);
    }

    @Override
    public Matrix matrix(List<TensorView> parts, WeightFormat format) {
        return base.matrix(parts, format);
    }

    @Override
    public KvPages kvPages(int blocks, int kvHeads, int headDim, WeightFormat format) {
        return base.kvPages(blocks, kvHeads, headDim, format);
    }

    @Override
    public List<WeightFormat> kvFormats(WeightFormat weights) {
        return base.kvFormats(weights);
    }

    @Override
    public long kvMemory() {
        return base.kvMemory();
    }

    @Override
    public long mostKvMemory() {
        return base.mostKvMemory();
    }

    @Override
    public int rowsPerStep() {
        return base.rowsPerStep();
    }

    @Override
    public int textsPerStep() {
        return base.textsPerStep();
    }

    @Override
    public void step(StepShape shape, Runnable operations) {
        base.step(shape, operations);
    }

    @Override
    public void embed(Matrix table, int[] ids, int rows, float scale, Buffer out) {
        base.embed(table, ids, rows, scale, out);
    }

    @Override
    public void matmul(Buffer x, int rows, Matrix w, Buffer bias, Buffer out) {
        base.matmul(x, rows, w, bias, out);
    }

    @Override
    public void norm(Buffer x, int rows, Norm norm, Buffer out) {
        base.norm(x, rows, norm, out);
    }

    @Override
    public void rope(Buffer x, Rows rows, int column, int heads, int headDim, RopeTable table) {
        base.rope(x, rows, column, heads, headDim, table);
    }

    @Override
    public void appendKv(Buffer x, Rows rows, int kColumn, int vColumn, KvPages kv, int block) {
        base.appendKv(x, rows, kColumn, vColumn, kv, block);
    }

    /** Where it is no more than rotation and storing it goes by those two, so that a variant of either takes part. */
    @Override
    public void prepareAttention(
            Buffer qkv, Rows rows, AttentionSpec spec, HeadNorms norms, RopeTable table, KvPages kv, int block) {
        if (norms != null || table == null) {
            base.prepareAttention(qkv, rows, spec, norms, table, kv, block);
            return;
        }
        int k = spec.headDim();
        int keys = spec.heads() * k;
        rope(qkv, rows, 0, spec.heads() + spec.kvHeads(), k, table);
        appendKv(qkv, rows, keys, keys + spec.kvHeads() * k, kv, block);
    }

    @Override
    public void attend(Buffer x, Rows rows, int qColumn, KvPages kv, int block, AttentionSpec spec, Buffer out) {
        base.attend(x, rows, qColumn, kv, block, spec, out);
    }

    @Override
    public void gatedActivation(Buffer x, int rows, Activation activation, Buffer out) {
        base.gatedActivation(x, rows, activation, out);
    }

    @Override
    public void activation(Buffer x, int rows, Activation activation, Buffer out) {
        base.activation(x, rows, activation, out);
    }

    @Override
    public void scaleAndCap(Buffer x, int rows, float scale, float cap) {
        base.scaleAndCap(x, rows, scale, cap);
    }

    @Override
    public boolean supportsMixture() {
        return base.supportsMixture();
    }

    @Override
    public void mixture(Buffer x, int rows, Buffer scores, Mixture mixture, Buffer out) {
        base.mixture(x, rows, scores, mixture, out);
    }

    @Override
    public void site(
            Buffer x,
            ModuleOutput delta,
            int rows,
            EditTable edits,
            SiteTaps taps,
            EditTable after,
            Norm norm,
            Buffer normed) {
        base.site(x, delta, rows, edits, taps, after, norm, normed);
    }

    @Override
    public void gather(Buffer x, int[] index, int count, Buffer out) {
        base.gather(x, index, count, out);
    }

    @Override
    public void argmax(Buffer x, int rows, int[] out) {
        base.argmax(x, rows, out);
    }

    @Override
    public boolean canSample() {
        return base.canSample();
    }

    @Override
    public void sample(Buffer logits, int rows, Draws draws, int[] out) {
        base.sample(logits, rows, draws, out);
    }

    @Override
    public void close() {
        base.close();
    }
}
