package dev.tiller.kernels.cuda;

import dev.tiller.kernels.Activation;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.WeightFormat;
import java.util.stream.IntStream;

/** Operations on single rows. */
final class RowOps {
    static final int BLOCK = 256;
    private static final int GATED_PER_BLOCK = 1024;

    private final Gpu gpu;
    private final Steps steps;

    RowOps(Gpu gpu) {
        this.gpu = gpu;
        this.steps = gpu.steps();
    }

    void embed(CudaMatrix table, int[] ids, int count, float scale, CudaBuffer out) {
        int rows = steps.padded(count);
        steps.call(Operation.EMBED).with(table).with(out).with(rows).with(scale);
        Slot slot = indices(ids, count, rows);
        if (slot != null && steps.launching()) {
            embed(
                    table.address(),
                    Gpu.operand(table.format()),
                    slot.address(),
                    rows,
                    scale,
                    out.address(),
                    out.columns());
        }
    }

    /** Indices of a call; those of dummy rows are 0. Null if the record does not hold. */
    private Slot indices(int[] index, int count, int rows) {
        Slot slot = steps.slot(4L * rows);
        if (slot != null) {
            slot.putInts(0, index, 0, count);
            for (int t = count; t < rows; t++) {
                slot.putInt(4L * t, 0);
            }
            steps.filled(slot);
        }
        return slot;
    }

    private void embed(long table, Operand type, long ids, int rows, float scale, long out, int width) {
        gpu.kernels()
                .either("embed", type.entry("embed"))
                .pointer(table)
                .pointer(ids)
                .real(scale)
                .pointer(out)
                .integer(width)
                .run(rows, 1, 1, BLOCK, 0);
    }

    void norm(CudaBuffer x, int count, Norm norm, CudaBuffer out) {
        int rows = steps.padded(count);
        CudaBuffer weight = (CudaBuffer) norm.weight();
        CudaBuffer bias = (CudaBuffer) norm.bias();
        steps.call(Operation.NORM).with(x).with(weight).with(bias).with(out);
        steps.call(Operation.NORM)
                .with(rows)
                .with(norm.eps())
                .with(norm.offset())
                .with(norm.kind());
        if (steps.launching()) {
            gpu.kernels()
                    .either("norm", Gpu.operand(out.format()).entry("norm"))
                    .pointer(x.address())
                    .integer(x.columns())
                    .pointer(weight.address())
                    .pointer(Gpu.address(bias))
                    .real(norm.eps())
                    .real(norm.offset())
                    .integer(kind(norm))
                    .pointer(out.address())
                    .integer(out.columns())
                    .run(rows, 1, 1, BLOCK, 0);
        }
    }

    /** How kernels number the norms; 0 is none. */
    static int kind(Norm norm) {
        return norm == null ? 0 : norm.kind().ordinal() + 1;
    }

    void gated(CudaBuffer x, int count, Activation activation, CudaBuffer out) {
        int rows = steps.padded(count);
        steps.call(Operation.GATE).with(x).with(out).with(activation).with(rows);
        if (steps.launching()) {
            gpu.kernels()
                    .either("gated", Gpu.operand(out.format()).entry("gated"))
                    .pointer(x.address())
                    .integer(out.columns())
                    .integer(activation.ordinal())
                    .pointer(out.address())
                    .run(Math.ceilDiv(out.columns(), GATED_PER_BLOCK), rows, 1, BLOCK, 0);
        }
    }

    void activation(CudaBuffer x, int count, Activation activation, CudaBuffer out) {
        int rows = steps.padded(count);
        steps.call(Operation.ACTIVATE).with(x).with(out).with(activation).with(rows);
        long n = (long) rows * x.columns();
        if (steps.launching() && n > 0) {
            gpu.kernels()
                    .exactly("gated", Gpu.operand(out.format()).entry("activation"))
                    .pointer(x.address())
                    .pointer(n)
                    .integer(activation.ordinal())
                    .pointer(out.address())
                    .run(Gpu.blocks(n), 1, 1, BLOCK, 0);
        }
    }

    void scaleAndCap(CudaBuffer x, int count, float scale, float cap) {
        int rows = steps.padded(count);
        steps.call(Operation.SCALE).with(x).with(rows).with(scale).with(cap);
        long n = (long) rows * x.columns();
        if (steps.launching() && n > 0) {
            gpu.kernels()
                    .exactly("gated", "scale_cap")
                    .pointer(x.address())
                    .pointer(n)
                    .real(scale)
                    .real(cap)
                    .run(Gpu.blocks(n), 1, 1, BLOCK, 0);
        }
    }

    void gather(CudaBuffer x, int[] index, int count, CudaBuffer out) {
        int rows = steps.padded(count);
        steps.call(Operation.GATHER).with(x).with(out).with(rows);
        Slot slot = indices(index, count, rows);
        if (slot != null && steps.launching()) {
            gpu.kernels()
                    .exactly("gather", Gpu.operand(out.format()).entry("gather"))
                    .pointer(x.address())
                    .pointer(slot.address())
                    .pointer(out.address())
                    .integer(out.columns())
                    .run(rows, 1, 1, BLOCK, 0);
        }
    }

    /** The first rows of x in another type: from or to float32. */
    void convert(CudaBuffer x, int rows, CudaBuffer out) {
        if (x.format() == WeightFormat.F32) {
            long n = (long) rows * x.columns();
            if (steps.launching()) {
                gpu.kernels()
                        .exactly("gather", Gpu.operand(out.format()).entry("round"))
                        .pointer(x.address())
                        .pointer(out.address())
                        .pointer(n)
                        .run(Gpu.blocks(n), 1, 1, BLOCK, 0);
            }
        } else if (out.format() == WeightFormat.F32) {
            Slot identity = indices(IntStream.range(0, rows).toArray(), rows, rows);
            if (identity != null && steps.launching()) {
                long to = out.address();
                embed(x.address(), Gpu.operand(x.format()), identity.address(), rows, 1, to, x.columns());
            }
        } else {
            throw new IllegalArgumentException("expected numbers of " + out.format() + " or F32, found " + x.format());
        }
    }

    /** Puts the fixed-point sums of a buffer into its numbers. */
    void finishSums(CudaBuffer b) {
        gpu.kernels()
                .exactly("gather", "sums_finish")
                .pointer(b.sums().address())
                .pointer(b.address())
                .pointer(b.address())
                .pointer(b.elements())
                .run(Gpu.blocks(b.elements()), 1, 1, BLOCK, 0);
        gpu.device().fill(b.sums().address(), 0, b.sums().bytes());
        b.summing(false);
    }
}
