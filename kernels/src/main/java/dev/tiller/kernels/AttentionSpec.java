package dev.tiller.kernels;

/**
 * Shape of an attention layer.
 *
 * @param heads query heads h
 * @param kvHeads key/value heads g, a divisor of h; query head i reads key/value head i / (h / g)
 * @param headDim head width k
 * @param scale factor on q.k
 * @param softCap cap * tanh(score / cap) on the scaled scores; 0 for none
 * @param window a row at position p sees positions p-window+1..p; 0 for all of 0..p
 */
public record AttentionSpec(int heads, int kvHeads, int headDim, float scale, float softCap, int window) {}
