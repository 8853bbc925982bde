package dev.tiller.kernels;

/**
 * What a backend must know of a step before it runs.
 *
 * @param rows rows T
 * @param outputs rows that get logits
 * @param decode each row belongs to another sequence, so that steps of this shape come again and again
 * @param positions largest position of a row, plus one
 */
public record StepShape(int rows, int outputs, boolean decode, int positions) {}
