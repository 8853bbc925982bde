package dev.tiller.engine;

import dev.tiller.kernels.WeightFormat;

/**
 * How to load a model.
 *
 * @param backend auto, scalar or simd
 * @param threads worker threads; 0 for the default of the backend
 * @param weights format kept in memory; null keeps what the file stores
 */
public record LoadOptions(String backend, int threads, WeightFormat weights) {
    /** The fastest backend available, weights as stored. */
    public static final LoadOptions DEFAULT = new LoadOptions("auto", 0, null);

    public LoadOptions withBackend(String name) {
        return new LoadOptions(name, threads, weights);
    }

    public LoadOptions withWeights(WeightFormat format) {
        return new LoadOptions(backend, threads, format);
    }
}
