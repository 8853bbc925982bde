package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.HeapBuffer.array;

import dev.tiller.kernels.AttentionSpec;
import dev.tiller.kernels.HeadNorms;
import dev.tiller.kernels.Norm;

/** All that comes before attention, in one go: a row is normed, rotated and stored while it is at hand. */
final class PrepareTask implements WorkerPool.Task {
    private final RowTasks.Rope rope;
    private final RowTasks.Append append;
    float[] x;
    int columns;
    AttentionSpec spec;
    /** Null for none. */
    HeadNorms norms;

    boolean rotated;

    /** Both are set by the caller. */
    PrepareTask(RowTasks.Rope rope, RowTasks.Append append) {
        this.rope = rope;
        this.append = append;
    }

    @Override
    public void run(int from, int to, int worker) {
        int k = spec.headDim();
        for (int t = from; t < to; t++) {
            if (norms != null) {
                int at = t * columns;
                norm(x, at, spec.heads(), k, norms.query(), norms.span());
                norm(x, at + spec.heads() * k, spec.kvHeads(), k, norms.key(), norms.span());
            }
            if (rotated) {
                rope.run(t, t + 1, worker);
            }
            append.run(t, t + 1, worker);
        }
    }

    private static void norm(float[] x, int at, int heads, int k, Norm norm, HeadNorms.Span span) {
        if (span == HeadNorms.Span.ALL) {
            RowKernels.norm(x, at, norm, x, at);
            return;
        }
        int step = span == HeadNorms.Span.OWN ? k : 0;
        float[] weight = array(norm.weight());
        for (int h = 0; h < heads; h++) {
            RowKernels.norm(x, at + h * k, k, norm, weight, h * step);
        }
    }
}
