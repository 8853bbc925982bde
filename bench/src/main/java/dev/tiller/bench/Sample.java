package dev.tiller.bench;

/**
 * One row of one round.
 *
 * @param name prefill, decode, decode_batch or decode_steered
 * @param weights format of the weights in memory, e.g. bf16
 * @param batch sequences side by side
 * @param tokensPerSecond of all sequences together
 */
public record Sample(String name, String weights, int batch, double tokensPerSecond) {}
