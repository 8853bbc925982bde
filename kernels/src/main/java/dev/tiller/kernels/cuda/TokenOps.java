package dev.tiller.kernels.cuda;

import dev.tiller.kernels.Draws;
import dev.tiller.kernels.WeightFormat;

/** Tokens from logits; these wait for the result. */
final class TokenOps {
    private static final int BLOCK = 1024;
    private static final int NAIVE_BLOCK = 1;

    /** Bytes of the struct SampleArgs. */
    private static final int ARGS = 32;

    private static final int TOP_P = 8;
    private static final int MIN_P = 16;
    private static final int TEMPERATURE = 24;
    private static final int TOP_K = 28;

    private final Gpu gpu;
    private final Transfers transfers;
    private CudaBuffer ids;

    TokenOps(Gpu gpu, Transfers transfers) {
        this.gpu = gpu;
        this.transfers = transfers;
    }

    void argmax(CudaBuffer x, int rows, int[] out) {
        long to = ids(x, rows);
        boolean naive = gpu.kernels().naive("argmax");
        gpu.kernels()
                .either("argmax", "argmax")
                .pointer(x.address())
                .integer(x.columns())
                .pointer(to)
                .run(rows, 1, 1, naive ? NAIVE_BLOCK : block(x.columns()), 0);
        transfers.read(to, out, rows);
    }

    /** Draws a token for each row; see Draws for what its numbers mean. */
    void sample(CudaBuffer logits, int rows, Draws draws, int[] out) {
        long to = ids(logits, rows);
        Slot args = gpu.steps().slot((long) rows * ARGS);
        for (int t = 0; t < rows; t++) {
            long at = (long) t * ARGS;
            args.putLong(at, Double.doubleToRawLongBits(draws.u()[t]));
            args.putLong(at + TOP_P, Double.doubleToRawLongBits(draws.topP()[t]));
            args.putLong(at + MIN_P, Double.doubleToRawLongBits(draws.minP()[t]));
            args.putFloat(at + TEMPERATURE, draws.temperature()[t]);
            args.putInt(at + TOP_K, draws.topK()[t]);
        }
        gpu.steps().filled(args);
        boolean naive = gpu.kernels().naive("sample");
        gpu.kernels()
                .either("sample", "sample")
                .pointer(logits.address())
                .integer(logits.columns())
                .pointer(args.address())
                .pointer(to)
                .run(rows, 1, 1, naive ? NAIVE_BLOCK : block(logits.columns()), 0);
        transfers.read(to, out, rows);
    }

    /** No more threads than there are numbers. */
    private static int block(int columns) {
        return Math.min(BLOCK, Math.ceilDiv(columns, 32) * 32);
    }

    /** Room for a token of each row. */
    private long ids(CudaBuffer like, int rows) {
        if (ids == null || ids.columns() < rows) {
            ids = new CudaBuffer((CudaBackend) like.owner(), gpu.heap(), 1, rows, WeightFormat.F32);
        }
        return ids.address();
    }
}
