package dev.tiller.engine;

/**
 * A prompt with its response.
 *
 * @param ids tokens of both
 * @param promptLength how many of them are the prompt
 */
public record TokenizedText(int[] ids, int promptLength) {}
