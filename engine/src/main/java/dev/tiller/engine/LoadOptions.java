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
 * @param kv format of keys and values: F32, BF16 or F16; null leaves it to the backend
 * @param kvMemory most bytes of keys and values; 0 leaves it to the backend
 * @param kernels operations to replace, by name, and the files that replace them (see {@link
 *     dev.tiller.kernels.lab.LabBackends})
 * @param cache whether packed weights are taken from the user's {@link WeightCache} if they are there
 */
public record LoadOptions(
        String backend,
        int threads,
        WeightFormat weights,
        WeightFormat kv,
        long kvMemory,
        Map<String, Path> kernels,
        boolean cache) {
    /** The fastest backend available, weights as stored. */
    public static final LoadOptions DEFAULT = new LoadOptions("auto", 0, null);

    /** The rest left to the backend. */
    public LoadOptions(String backend, int threads, WeightFormat weights) {
        this(backend, threads, weights, null, 0, Map.of(), true);
    }

    /** On auto, scalar, simd or cuda. */
    public LoadOptions withBackend(String name) {
        return new LoadOptions(name, threads, weights, kv, kvMemory, kernels, cache);
    }

    /** With weights in a format; null for that of the file. */
    public LoadOptions withWeights(WeightFormat format) {
        return new LoadOptions(backend, threads, format, kv, kvMemory, kernels, cache);
    }

    /** With keys and values in a format. */
    public LoadOptions withKv(WeightFormat format) {
        return new LoadOptions(backend, threads, weights, format, kvMemory, kernels, cache);
    }

    /** With so many bytes of keys and values at most. */
    public LoadOptions withKvMemory(long bytes) {
        return new LoadOptions(backend, threads, weights, kv, bytes, kernels, cache);
    }

    /** With operations replaced by kernels from files. */
    public LoadOptions withKernels(Map<String, Path> replaced) {
        return new LoadOptions(backend, threads, weights, kv, kvMemory, Map.copyOf(replaced), cache);
    }

    /** Packing the weights anew even if the user's cache has them. */
    public LoadOptions withoutCache() {
        return new LoadOptions(backend, threads, weights, kv, kvMemory, kernels, false);
    }
}
