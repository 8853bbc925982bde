package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.HeapBuffer.array;

import dev.tiller.kernels.EditTable;
import dev.tiller.kernels.ModuleOutput;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.SiteTaps;

/**
 * The residual site; a unit is a row. Only if sums over rows are wanted does it run in two halves, before and after the
 * summation, which goes by columns so that each accumulator sees the rows in their order.
 */
final class SiteTask implements WorkerPool.Task {
    private final WorkerPool pool;
    private final SumTask sumTask = new SumTask();
    private float[] x;
    private int d;
    private ModuleOutput delta;
    private EditTable edits;
    private SiteTaps taps;
    private EditTable after;
    private Norm norm;
    private float[] normed;
    private boolean beforeSums;
    private boolean afterSums;

    SiteTask(WorkerPool pool) {
        this.pool = pool;
    }

    /** The arguments of {@link dev.tiller.kernels.Backend#site}; d is the row width. */
    void run(
            float[] x,
            int d,
            ModuleOutput delta,
            int rows,
            EditTable edits,
            SiteTaps taps,
            EditTable after,
            Norm norm,
            float[] normed) {
        this.x = x;
        this.d = d;
        this.delta = delta;
        this.edits = edits;
        this.taps = taps;
        this.after = after;
        this.norm = norm;
        this.normed = normed;
        boolean sums = taps.sums() != null;
        int portion = RowTasks.portion(d);
        beforeSums = true;
        afterSums = !sums;
        pool.run(this, rows, portion);
        if (sums) {
            sumTask.run(rows);
            beforeSums = false;
            afterSums = true;
            pool.run(this, rows, portion);
        }
    }

    @Override
    public void run(int from, int to, int worker) {
        for (int t = from; t < to; t++) {
            if (beforeSums) {
                if (delta != null) {
                    add(t);
                }
                edit(x, t, edits);
                tap(t);
            }
            if (afterSums) {
                edit(x, t, after);
                if (norm != null) {
                    RowKernels.norm(x, t * d, norm, normed, t * d);
                }
            }
        }
    }

    private void add(int t) {
        float[] values = array(delta.values());
        edit(values, t, delta.edits());
        if (delta.norm() != null) {
            RowKernels.norm(values, t * d, delta.norm(), values, t * d);
        }
        if (delta.scale() != 1) {
            RowKernels.scale(values, t * d, delta.scale(), d);
        }
        edit(values, t, delta.writeEdits());
        RowKernels.add(x, t * d, values, t * d, d);
    }

    private void edit(float[] x, int t, EditTable table) {
        if (!table.isEmpty()) {
            RowEdits.apply(x, t, d, table);
        }
    }

    private void tap(int t) {
        if (taps.rows() != null) {
            System.arraycopy(x, t * d, array(taps.rows()), t * d, d);
        }
        if (taps.probes() != null) {
            int probes = taps.probes().rows();
            float[] out = array(taps.projections());
            for (int p = 0; p < probes; p++) {
                out[t * probes + p] = RowKernels.dot(x, t * d, array(taps.probes()), p * d, d);
            }
        }
    }

    /** Adds the rows to their accumulators; a unit is a column range. */
    private final class SumTask implements WorkerPool.Task {
        private static final int RANGE = 256;
        private int rows;

        void run(int rows) {
            this.rows = rows;
            pool.run(this, Math.ceilDiv(d, RANGE), RowTasks.portion(RANGE * rows));
        }

        @Override
        public void run(int from, int to, int worker) {
            int column = from * RANGE;
            int n = Math.min(d, to * RANGE) - column;
            float[] sums = array(taps.sums());
            for (int t = 0; t < rows; t++) {
                for (int i = taps.sumStart()[t]; i < taps.sumStart()[t + 1]; i++) {
                    RowKernels.add(sums, taps.sumSlot()[i] * d + column, x, t * d + column, n);
                }
            }
        }
    }
}
