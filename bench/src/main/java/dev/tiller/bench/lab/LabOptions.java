package dev.tiller.bench.lab;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.cuda.CudaBackend;
import dev.tiller.kernels.lab.LabBackends;
import dev.tiller.kernels.lab.Operation;
import dev.tiller.kernels.lab.Operations;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.cli.Console;
import dev.tiller.persona.cli.ModelOptions;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import picocli.CommandLine.Option;

/** Options of the commands that run one operation. */
final class LabOptions {
    @Option(
            names = "--kernel",
            paramLabel = "FILE",
            description = "Your kernel: .cu, .class or .java (default: the built-in ones).")
    Path kernel;

    @Option(
            names = "--backend",
            paramLabel = "NAME",
            description = "scalar, simd or cuda (default: cuda for a .cu file, else simd).")
    String backend;

    @Option(
            names = "--threads",
            paramLabel = "N",
            converter = ModelOptions.Positive.class,
            description = "Worker threads on the CPU (default: one per physical core).")
    Integer threads;

    @Option(
            names = "--operand",
            paramLabel = "TYPE",
            converter = ModelOptions.Operand.class,
            description = "Only this operand type: f32, bf16 or f16.")
    WeightFormat operand;

    @Option(names = "--naive", description = "The simplest form of the built-in CUDA kernels instead of the tuned one.")
    boolean naive;

    @Option(names = "--json", description = "One JSON object; what is for people goes to standard error.")
    boolean json;

    /** Something for people. */
    void say(Console console, String line) {
        if (json) {
            console.note(line);
        } else {
            console.line(line);
        }
    }

    /** The backend under test, with the kernel in place. */
    Backend open(Operation operation) {
        Backend backend = LabBackends.forLab(
                backendName(), threads(), kernel == null ? Map.of() : Map.of(operation.name(), kernel));
        if (naive) {
            if (!(backend instanceof CudaBackend gpu)) {
                throw new TillerException("--naive: expected --backend cuda, found " + backendName());
            }
            Operations.all().forEach(o -> gpu.controls().useNaive(o.source()));
        }
        return backend;
    }

    int threads() {
        return threads == null ? 0 : threads;
    }

    String backendName() {
        if (backend != null) {
            return backend;
        }
        return kernel != null && LabBackends.isCuda(kernel) ? "cuda" : "simd";
    }

    /** The operand types to run; on backends that keep everything in float32 they differ by the stored weights alone. */
    Set<WeightFormat> operands() {
        return operand == null ? EnumSet.copyOf(WeightFormat.PLAIN) : EnumSet.of(operand);
    }

    /** The orders in which an emulated GPU runs threads: a missing barrier shows in some only. */
    List<Integer> threadOrders(Backend backend) {
        boolean emulated = backend instanceof CudaBackend gpu && gpu.controls().isEmulated();
        return emulated && kernel != null ? List.of(0, 1, 2) : List.of(0);
    }

    /** Whether the kernel given has been run for that operand type: one that was never asked for proves nothing. */
    boolean ran(Operation operation, WeightFormat type, Backend backend) {
        return kernel == null
                || !(backend instanceof CudaBackend gpu)
                || gpu.controls().replacementsUsed().stream().anyMatch(u -> operation.isEntry(u, type));
    }

    /** Whether a backend has the operation. */
    static boolean offers(Operation operation, Backend backend) {
        return operation.offeredBy(backend) || backend.description().startsWith("scalar");
    }

    /** Refuses an operation that the backend leaves to others. */
    static void require(Operation operation, Backend backend) {
        if (!offers(operation, backend)) {
            throw new TillerException(
                    operation.name().equals("sample")
                            ? "sample: this backend leaves sampling to the engine; try --backend cuda or scalar"
                            : operation.name() + ": this backend has no such operation; try --backend simd or scalar");
        }
    }
}
