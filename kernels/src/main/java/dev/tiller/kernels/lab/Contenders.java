package dev.tiller.kernels.lab;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Backends;
import dev.tiller.kernels.Threads;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.cpu.Ceilings;
import dev.tiller.kernels.cuda.CudaBackend;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The implementations of an operation that are timed side by side, each on a backend of its own. */
public final class Contenders implements AutoCloseable {
    private static final int MEMORY = 512 << 20;

    /** One implementation. */
    public record Contender(String label, Backend backend) {}

    private final List<Contender> all = new ArrayList<>();
    private final String name;
    private final int threads;
    private final Operation operation;
    private final WeightFormat operand;

    private Contenders(String name, int threads, Operation operation, WeightFormat operand) {
        this.operation = operation;
        this.name = name;
        this.threads = threads;
        this.operand = operand;
    }

    /**
     * Opens the built-in variants of the backend, and the kernel given.
     *
     * @param kernel file, or null
     */
    public static Contenders open(String name, int threads, Operation operation, Path kernel, WeightFormat operand) {
        Contenders contenders = new Contenders(name, threads, operation, operand);
        try {
            if (kernel != null) {
                Backend mine = LabBackends.open(name, threads, Map.of(operation.name(), kernel));
                contenders.all.add(new Contender(kernel.getFileName().toString(), mine));
                if (mine instanceof CudaBackend gpu && operation.name().equals("matmul")) {
                    gpu.controls().ownMatmulRows(Integer.MAX_VALUE);
                }
            }
            if (name.equals("cuda")) {
                contenders.addCuda();
            } else {
                contenders.all.add(new Contender(name, Backends.open(name, threads)));
            }
            return contenders;
        } catch (RuntimeException | Error e) {
            contenders.close();
            throw e;
        }
    }

    private void addCuda() {
        boolean matmul = operation.name().equals("matmul");
        CudaBackend tuned = LabBackends.cuda("cuda", Map.of());
        all.add(new Contender("tuned", tuned));
        if (operation.cudaEntries().stream().anyMatch(e -> e.endsWith("_naive"))) {
            CudaBackend naive = LabBackends.cuda("cuda", Map.of());
            all.add(new Contender("naive", naive));
            naive.controls().useNaive(operation.source());
            naive.controls().ownMatmulRows(Integer.MAX_VALUE);
        }
        if (matmul) {
            CudaBackend blas = LabBackends.cuda("cuda", Map.of());
            all.add(new Contender("cuBLAS", blas));
            blas.controls().ownMatmulRows(0);
            tuned.controls().ownMatmulRows(Integer.MAX_VALUE);
        }
    }

    /** The implementations, the given kernel first. */
    public List<Contender> all() {
        return all;
    }

    /** What is timed. */
    public Operation operation() {
        return operation;
    }

    /** What they run on. */
    public String description() {
        return all.getLast().backend().description();
    }

    /** The ceiling of that device, measured now. */
    public Ceiling ceiling() {
        if (all.getLast().backend() instanceof CudaBackend gpu) {
            double[] measured = gpu.controls().ceilings(operand);
            String how = gpu.controls().isEmulated()
                    ? "of the emulated GPU: meaningless"
                    : "copying memory, read and written; a product of 8192 x 8192 by cuBLAS";
            return new Ceiling(measured[0], measured[1], how);
        }
        int workers = Threads.of(threads).count();
        try (Ceilings measured = new Ceilings(name.equals("scalar") ? 1 : workers, MEMORY)) {
            return new Ceiling(
                    measured.bytesPerSecond(),
                    measured.flopsPerSecond(),
                    "reading " + (MEMORY >> 20) + " MB, multiply-adds in registers, same threads");
        }
    }

    @Override
    public void close() {
        all.forEach(c -> c.backend().close());
    }
}
