package dev.tiller.engine;

/**
 * A direction to watch: the projection of the residual after block b, on the unit vector.
 *
 * @param block 0-based; the site is RESID_POST(block), read after the edits
 * @param direction [d], any length above 0; projections are divided by its norm
 */
public record Probe(int block, float[] direction) {}
