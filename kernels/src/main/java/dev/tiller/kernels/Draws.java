package dev.tiller.kernels;

/**
 * How the next token of each row is drawn; arrays of at least T. Order of the filters: temperature, top-k, top-p, min-p.
 *
 * @param temperature 0 is greedy
 * @param topK keep the k largest logits and what ties with the k-th; 0 for all
 * @param topP drop the least likely tokens whose probabilities together stay within 1 - topP; 1 for none
 * @param minP drop what is less likely than minP times the most likely; 0 for none
 * @param u uniform in [0, 1): the token at which the cumulative probability, in order of ids, first exceeds u
 */
public record Draws(float[] temperature, int[] topK, double[] topP, double[] minP, double[] u) {}
