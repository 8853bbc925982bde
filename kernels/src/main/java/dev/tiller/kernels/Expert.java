package dev.tiller.kernels;

/**
 * A gated MLP among others.
 *
 * @param gateUp [2f, d], the gate's rows first
 * @param down [d, f]
 */
public record Expert(Matrix gateUp, Matrix down) {}
