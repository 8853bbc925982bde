package dev.tiller.loader.tokenizer;

/**
 * Tokens of a text with their places in it.
 *
 * @param ids [T] token ids
 * @param starts [T] first Unicode code point of the original text that the token covers
 * @param ends [T] one past the last code point; tokens that a template added have start = end = 0
 */
public record Encoding(int[] ids, int[] starts, int[] ends) {}
