package dev.tiller.kernels.cuda;

import dev.tiller.kernels.WeightFormat;
import dev.tiller.loader.TillerException;
import java.util.EnumMap;
import java.util.Map;

/** Matrix products: kernels of our own for few rows, cuBLAS for more. */
final class MatmulOps {
    /** Rows up to which our own kernels are used; 0: always cuBLAS. */
    static final String PROPERTY = "tiller.cuda.gemv";

    private static final int DEFAULT_ROWS = 8;
    private static final int WARP = 32;
    private static final int WARPS = 8;
    private static final int ENOUGH_WARPS = 4000; // two waves on the largest GPUs
    private static final int VECTOR_BYTES = 16;
    private static final int NAIVE_BLOCK = 128;

    private final Gpu gpu;
    private final Steps steps;
    private final RowOps rowOps;
    private int ownRows;
    private final Map<WeightFormat, CudaBuffer> scratch = new EnumMap<>(WeightFormat.class);

    MatmulOps(Gpu gpu, RowOps rowOps) {
        this.gpu = gpu;
        this.steps = gpu.steps();
        this.rowOps = rowOps;
        this.ownRows = threshold();
    }

    private static int threshold() {
        String text = System.getProperty(PROPERTY);
        if (text == null) {
            return DEFAULT_ROWS;
        }
        if (!text.matches("\\d{1,4}")) {
            throw new TillerException("expected -D" + PROPERTY + " a number of rows from 0 on, found \"" + text + "\"");
        }
        return Integer.parseInt(text);
    }

    /** Up to so many rows go to the own kernels. */
    void ownRows(int rows) {
        ownRows = rows;
    }

    /** For users to read. */
    String choice() {
        return ownRows == 0 ? "matmul by cuBLAS" : "matmul of up to " + ownRows + " rows by own kernels, else cuBLAS";
    }

    void matmul(CudaBuffer x, int count, CudaMatrix w, CudaBuffer bias, CudaBuffer out) {
        int rows = steps.padded(count);
        CudaBuffer operand = x.format() == w.format() ? x : scratch(x, w, rows);
        steps.call(Operation.MATMUL)
                .with(x)
                .with(operand)
                .with(w)
                .with(bias)
                .with(out)
                .with(rows);
        if (operand != x) {
            rowOps.convert(x, rows, operand);
        }
        if (!steps.launching()) {
            return;
        }
        if (rows > ownRows) {
            blas(operand, rows, w, bias, out);
        } else if (gpu.kernels().naive("gemv")) {
            naive(operand, rows, w, bias, out);
        } else {
            own(operand, rows, w, bias, out);
        }
    }

    /** Room for x in the type of the weights. */
    private CudaBuffer scratch(CudaBuffer x, CudaMatrix w, int rows) {
        CudaBuffer found = scratch.get(w.format());
        long bytes = (long) rows * x.columns() * w.format().bytes();
        if (found == null || found.bytes() < bytes) {
            int room = RowBuckets.rows(rows);
            found = new CudaBuffer(w.owner(), gpu.heap(), room, x.columns(), w.format());
            scratch.put(w.format(), found);
        }
        return found;
    }

    private void blas(CudaBuffer x, int rows, CudaMatrix w, CudaBuffer bias, CudaBuffer out) {
        int n = w.rows();
        int k = w.columns();
        if (bias != null) {
            gpu.kernels()
                    .exactly("gather", "add_bias")
                    .pointer(out.address())
                    .pointer(bias.address())
                    .integer(n)
                    .run(rows, 1, 1, RowOps.BLOCK, 0);
        }
        gpu.device()
                .cublas()
                .linear(
                        Gpu.operand(w.format()),
                        out.address(),
                        n,
                        x.address(),
                        k,
                        w.address(),
                        rows,
                        n,
                        k,
                        bias != null);
    }

    private void naive(CudaBuffer x, int rows, CudaMatrix w, CudaBuffer bias, CudaBuffer out) {
        String entry = Gpu.operand(w.format()).entry("gemv") + "_naive";
        parameters(entry, x.address(), w, bias, out.address())
                .run(Math.ceilDiv(w.rows(), NAIVE_BLOCK), rows, 1, NAIVE_BLOCK, 0);
    }

    /** Kernels take 8, 4, 2 or 1 rows; other numbers are put together. */
    private void own(CudaBuffer x, int rows, CudaMatrix w, CudaBuffer bias, CudaBuffer out) {
        String entry = Gpu.operand(w.format()).entry("gemv") + "_r";
        for (int row = 0; row < rows; ) {
            int taken = Math.min(8, Integer.highestOneBit(rows - row));
            int together = taken <= 2 ? 1 : taken / 2; // rows of w that a team of warps shares
            int groups = Math.ceilDiv(w.rows(), together);
            int split = split(groups, w.columns() * w.format().bytes());
            int teams = WARPS / split;
            parameters(entry + taken, x.address() + rowBytes(x, row), w, bias, out.address() + rowBytes(out, row))
                    .run(Math.ceilDiv(groups, teams), 1, 1, WARP * split, teams, 0);
            row += taken;
        }
    }

    private static long rowBytes(CudaBuffer x, int row) {
        return (long) row * x.columns() * x.format().bytes();
    }

    /** Warps that share one sum: more where there are few sums, as long as each has something to read. */
    private static int split(int groups, long rowBytes) {
        int split = 1;
        while (split < WARPS && groups * split < ENOUGH_WARPS && rowBytes >= 2L * split * WARP * VECTOR_BYTES) {
            split *= 2;
        }
        return split;
    }

    private Launch parameters(String entry, long x, CudaMatrix w, CudaBuffer bias, long out) {
        return gpu.kernels()
                .exactly("gemv", entry)
                .pointer(w.address())
                .pointer(x)
                .pointer(Gpu.address(bias))
                .pointer(out)
                .integer(w.rows())
                .integer(w.columns());
    }
}
