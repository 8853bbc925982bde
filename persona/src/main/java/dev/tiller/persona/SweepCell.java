package dev.tiller.persona;

/**
 * What steering did at one block and coefficient.
 *
 * @param block 0-based
 * @param coefficient of the added vector
 * @param trait mean trait score of the answers; NaN if the judge scored none
 * @param coherence mean coherence; NaN if the judge scored none
 * @param answers how many were judged
 */
public record SweepCell(int block, double coefficient, double trait, double coherence, int answers) {}
