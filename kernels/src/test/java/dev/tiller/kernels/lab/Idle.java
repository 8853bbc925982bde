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

/** A backend whose operations do nothing. */
final class Idle extends Variant {
    Idle(Backend base) {
        super(base);
    }

    @Override
    public void embed(Matrix table, int[] ids, int rows, float scale, Buffer out) {}

    @Override
    public void matmul(Buffer x, int rows, Matrix w, Buffer bias, Buffer out) {}

    @Override
    public void norm(Buffer x, int rows, Norm norm, Buffer out) {}

    @Override
    public void rope(Buffer x, Rows rows, int column, int heads, int headDim, RopeTable table) {}

    @Override
    public void appendKv(Buffer x, Rows rows, int kColumn, int vColumn, KvPages kv, int block) {}

    @Override
    public void attend(Buffer x, Rows rows, int qColumn, KvPages kv, int block, AttentionSpec spec, Buffer out) {}

    @Override
    public void gatedActivation(Buffer x, int rows, Activation activation, Buffer out) {}

    @Override
    public void activation(Buffer x, int rows, Activation activation, Buffer out) {}

    @Override
    public void scaleAndCap(Buffer x, int rows, float scale, float cap) {}

    @Override
    public void mixture(Buffer x, int rows, Buffer scores, Mixture mixture, Buffer out) {}

    @Override
    public void prepareAttention(
            Buffer qkv, Rows rows, AttentionSpec spec, HeadNorms norms, RopeTable table, KvPages kv, int block) {}

    @Override
    public void site(
            Buffer x,
            ModuleOutput delta,
            int rows,
            EditTable edits,
            SiteTaps taps,
            EditTable after,
            Norm norm,
            Buffer normed) {}

    @Override
    public void gather(Buffer x, int[] index, int count, Buffer out) {}

    @Override
    public void argmax(Buffer x, int rows, int[] out) {}

    @Override
    public void sample(Buffer logits, int rows, Draws draws, int[] out) {}
}
