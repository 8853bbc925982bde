package dev.tiller.loader.tokenizer;

/**
 * A token beside or on top of the vocabulary of the model.
 *
 * @param id token id
 * @param content its text
 * @param singleWord counts only where no word character touches it
 * @param stripLeft takes the white space before it along
 * @param stripRight takes the white space after it along
 * @param normalized is looked for in the normalized text, in its own normalized form
 * @param special can be left out when decoding
 */
public record AddedToken(
        int id,
        String content,
        boolean singleWord,
        boolean stripLeft,
        boolean stripRight,
        boolean normalized,
        boolean special) {
    /** A token that is looked for as it is. */
    public static AddedToken plain(int id, String content, boolean special) {
        return new AddedToken(id, content, false, false, false, false, special);
    }
}
