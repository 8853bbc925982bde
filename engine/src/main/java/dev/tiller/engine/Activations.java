package dev.tiller.engine;

/**
 * What one forward pass over a text computed, after the edits of its plan.
 *
 * @param logits [T, V] row-major, or null if they were not asked for
 * @param embed [T, d]: H[0]
 * @param residPost [L][T * d]: block outputs, H[1] .. H[L], before the final norm
 * @param finalNorm [T, d]
 */
public record Activations(float[] logits, float[] embed, float[][] residPost, float[] finalNorm) {}
