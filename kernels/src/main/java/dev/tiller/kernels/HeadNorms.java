package dev.tiller.kernels;

/**
 * Norms of query and key heads, applied before they are rotated (Dehghani et al., Scaling Vision Transformers to 22
 * Billion Parameters, 2023). They differ in their weights alone and have no bias.
 *
 * @param query of the query heads
 * @param key of the key heads
 * @param span which elements share a statistic, and how wide the weights are
 */
public record HeadNorms(Norm query, Norm key, Span span) {
    /** Over which elements the statistics of a head go. */
    public enum Span {
        /** Each head by itself, one weight [1, k] for all heads: Qwen3, Gemma 3. */
        HEAD,
        /** Each head by itself, with its own part of the weight [1, heads * k]: Command-R. */
        OWN,
        /** All heads together, weight [1, heads * k]: OLMo 2. */
        ALL
    }
}
