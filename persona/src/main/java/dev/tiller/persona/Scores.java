package dev.tiller.persona;

/**
 * What a judge says of an answer, each 0..100; null where it gave no score.
 *
 * @param trait how much of the trait shows
 * @param coherence how well formed the answer is; says nothing about its correctness
 * @param relevance whether it speaks of what was asked
 */
public record Scores(Double trait, Double coherence, Double relevance) {}
