package dev.tiller.kernels.cpu;

import dev.tiller.kernels.Expert;
import dev.tiller.kernels.Mixture;
import java.util.Arrays;

/**
 * A mixture of experts, one expert after the other in ascending order: its rows side by side, gate and up, activation,
 * down, and what comes out added to the rows. Only experts that some row goes through are read. A matmul gives a row the
 * same whatever rows come with it, and each row meets its experts in the same order, so it does not depend on the others.
 */
final class MixtureTask {
    private final WorkerPool pool;
    private final MatmulTask matmul;
    private final RowTasks.Gated gated;
    private final Routing routing;
    private final WorkerPool.Task gather = this::gather;
    private final WorkerPool.Task add = this::add;
    private float[] x;
    private int d;
    private int expert;
    private float[] out;

    /** Rows of the expert at hand: input, gate and up, what the activation leaves, result. */
    private float[] input = new float[0];

    private float[] gateUp = new float[0];
    private float[] inner = new float[0];
    private float[] result = new float[0];

    MixtureTask(WorkerPool pool, MatmulTask matmul, RowTasks.Gated gated) {
        this.pool = pool;
        this.matmul = matmul;
        this.gated = gated;
        this.routing = new Routing(pool);
    }

    /** x and out [rows, d], scores [rows, experts]. */
    void run(float[] x, int d, int rows, float[] scores, Mixture mixture, float[] out) {
        this.x = x;
        this.d = d;
        this.out = out;
        int experts = mixture.experts().size();
        int f = mixture.experts().getFirst().down().columns();
        routing.run(scores, rows, experts, mixture.chosen(), mixture.normalised());
        grow(rows, f);
        Arrays.fill(out, 0, rows * d, 0);
        gated.f = f;
        gated.activation = mixture.activation();
        for (expert = 0; expert < experts; expert++) {
            int n = routing.count(expert);
            if (n > 0) {
                run(mixture.experts().get(expert), n, n == rows, f);
            }
        }
    }

    private void grow(int rows, int f) {
        int wide = Math.multiplyExact(rows, 2 * f);
        if (input.length < rows * d || gateUp.length < wide) {
            input = new float[rows * d];
            gateUp = new float[wide];
            inner = new float[rows * f];
            result = new float[rows * d];
        }
    }

    private void run(Expert e, int n, boolean all, int f) {
        if (!all) {
            pool.run(gather, n, RowTasks.portion(d));
        }
        matmul.run(all ? x : input, n, (PanelMatrix) e.gateUp(), null, gateUp);
        gated.x = gateUp;
        gated.out = inner;
        pool.run(gated, n, RowTasks.portion(4 * f));
        matmul.run(inner, n, (PanelMatrix) e.down(), null, result);
        pool.run(add, n, RowTasks.portion(2 * d));
    }

    private void gather(int from, int to, int worker) {
        for (int i = from; i < to; i++) {
            System.arraycopy(x, routing.row(expert, i) * d, input, i * d, d);
        }
    }

    private void add(int from, int to, int worker) {
        for (int i = from; i < to; i++) {
            RowKernels.addScaled(out, routing.row(expert, i) * d, routing.weight(expert, i), result, i * d, d);
        }
    }
}
