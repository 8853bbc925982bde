package dev.tiller.engine;

import dev.tiller.kernels.WeightFormat;
import java.nio.file.Path;
import java.util.Map;

/**
 * How to load a model.
 *
 * @param backend auto, scalar, simd or cuda
 * @param threads worker threads; 0 for the default of the backend
 * @param weights format kept in memory; null keeps what the file stores; Q4 means Q8 for the embedding table and the head
 * @param kernels operations to replace, by name, and the files that replace them (see {@link
 *     dev.tiller.kernels.lab.LabBackends})
 */
public record LoadOptions(String backend, int threads, WeightFormat weights, Map<String, Path> kernels) {
    /** The fastest backend available, weights as stored. */
    public static final LoadOptions DEFAULT = new LoadOptions("auto", 0, null);

    public LoadOptions(String backend, int threads, WeightFormat weights) {
        this(backend, threads, weights, Map.of());
    }

    public LoadOptions withBackend(String name) {
        return new LoadOptions(name, threads, weights, kernels);
    }

    public LoadOptions withWeights(WeightFormat format) {
        return new LoadOptions(backend, threads, format, kernels);
    }

    public LoadOptions withKernels(Map<String, Path> replaced) {
        return new LoadOptions(backend, threads, weights, Map.copyOf(replaced));
    }
}
