package dev.tiller.kernels;

/**
 * A normalisation over the last dimension.
 *
 * <p>RMS: y = x / sqrt(mean(x^2) + eps) * (weight + offset) + bias. LAYER: the same after subtracting the mean of x.
 *
 * @param kind which one
 * @param weight [1, d]
 * @param bias [1, d] or null
 * @param eps added under the square root
 * @param offset added to each weight (1 for families that store the weight minus one)
 */
public record Norm(Kind kind, Buffer weight, Buffer bias, float eps, float offset) {
    public enum Kind {
        RMS,
        LAYER
    }
}
