package dev.tiller.engine;

/**
 * Residuals of one text, pooled over positions: rows l = 0..L are H[l] (H[0] the embedding output, H[l] the true output
 * of block l-1), row L+1 is the output of the final norm.
 *
 * @param promptAvg [L+2][d] mean over the prompt's tokens
 * @param responseAvg [L+2][d] mean over the response's tokens
 * @param promptLast [L+2][d] at the last token of the prompt
 */
public record PooledResiduals(float[][] promptAvg, float[][] responseAvg, float[][] promptLast) {}
