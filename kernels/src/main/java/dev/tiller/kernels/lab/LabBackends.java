package dev.tiller.kernels.lab;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Backends;
import dev.tiller.kernels.cuda.CudaBackend;
import dev.tiller.kernels.cuda.CudaBackends;
import dev.tiller.loader.TillerException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Backends with operations replaced by kernels from files: CUDA source (.cu) for the cuda backend, a class or Java source
 * file with a {@link Variant} for the others.
 */
public final class LabBackends {
    private LabBackends() {}

    /**
     * Opens a backend.
     *
     * @param name as in {@link Backends#open}
     * @param kernels operation names and files
     */
    public static Backend open(String name, int threads, Map<String, Path> kernels) {
        if (kernels.isEmpty()) {
            return Backends.open(name, threads);
        }
        Map<String, Path> sources = new LinkedHashMap<>();
        Map<String, Path> classes = new LinkedHashMap<>();
        kernels.forEach((operation, file) -> {
            Operations.of(operation);
            (isCuda(file) ? sources : classes).put(operation, file);
        });
        if (!sources.isEmpty() && !classes.isEmpty()) {
            throw new TillerException(
                    "CUDA kernels and Java classes were given together; they run on different backends");
        }
        Backend backend = sources.isEmpty() ? Backends.open(name, threads) : cuda(name, sources);
        if (!classes.isEmpty() && backend instanceof CudaBackend) {
            backend.close();
            throw new TillerException("a Java class was given, which cannot take the place of a CUDA kernel; expected"
                    + " --backend simd or scalar");
        }
        for (Map.Entry<String, Path> e : classes.entrySet()) {
            backend = VariantLoader.load(e.getValue(), Operations.of(e.getKey()), backend);
        }
        return backend;
    }

    /** The same, but cuda without a GPU is emulated even when no kernel is given. */
    public static Backend forLab(String name, int threads, Map<String, Path> kernels) {
        return name.equals("cuda") && kernels.isEmpty() ? cuda(name, kernels) : open(name, threads, kernels);
    }

    /** Whether a file holds a CUDA kernel (else a Java class); refuses what is neither, or is not there. */
    public static boolean isCuda(Path file) {
        String name = file.getFileName().toString();
        if (!name.endsWith(".cu") && !name.endsWith(".class") && !name.endsWith(".java")) {
            throw new TillerException(file + ": expected a kernel in a .cu, .class or .java file");
        }
        if (!Files.isRegularFile(file)) {
            throw new TillerException(file + ": no such file");
        }
        return name.endsWith(".cu");
    }

    /**
     * The cuda backend, on the GPU if there is one, else on the driver that runs kernels on the CPU.
     *
     * @param sources operation names and .cu files
     */
    static CudaBackend cuda(String name, Map<String, Path> sources) {
        if (!name.equals("cuda") && !name.equals("auto")) {
            throw new TillerException("a CUDA kernel was given, and backend " + name + "; expected --backend cuda");
        }
        CudaBackend backend = CudaBackends.openOrEmulate();
        try {
            sources.forEach((operation, file) ->
                    backend.controls().compileKernels(Operations.of(operation).source(), file));
            return backend;
        } catch (RuntimeException | Error e) {
            backend.close();
            throw e;
        }
    }
}
