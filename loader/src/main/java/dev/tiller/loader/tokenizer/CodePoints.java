package dev.tiller.loader.tokenizer;

/** Unicode properties that the tokenizer rules speak of and that {@link Character} defines differently or not at all. */
final class CodePoints {
    static final int REPLACEMENT = 0xFFFD;

    private static final int NUMBER =
            1 << Character.DECIMAL_DIGIT_NUMBER | 1 << Character.LETTER_NUMBER | 1 << Character.OTHER_NUMBER;
    private static final int MARK =
            1 << Character.NON_SPACING_MARK | 1 << Character.ENCLOSING_MARK | 1 << Character.COMBINING_SPACING_MARK;
    private static final int WORD = MARK | 1 << Character.DECIMAL_DIGIT_NUMBER | 1 << Character.CONNECTOR_PUNCTUATION;
    private static final int PUNCTUATION = 1 << Character.CONNECTOR_PUNCTUATION
            | 1 << Character.DASH_PUNCTUATION
            | 1 << Character.START_PUNCTUATION
            | 1 << Character.END_PUNCTUATION
            | 1 << Character.INITIAL_QUOTE_PUNCTUATION
            | 1 << Character.FINAL_QUOTE_PUNCTUATION
            | 1 << Character.OTHER_PUNCTUATION;

    private CodePoints() {}

    /** The Unicode property White_Space; {@link Character#isWhitespace} leaves out the no-break spaces. */
    static boolean isWhitespace(int c) {
        if (c <= 0xFF) {
            return c == ' ' || (c >= 9 && c <= 13) || c == 0x85 || c == 0xA0;
        }
        return c == 0x1680
                || (c >= 0x2000 && c <= 0x200A)
                || c == 0x2028
                || c == 0x2029
                || c == 0x202F
                || c == 0x205F
                || c == 0x3000;
    }

    /** General category N: decimal digits, letter numbers and other numbers. */
    static boolean isNumber(int c) {
        return (NUMBER >> Character.getType(c) & 1) != 0;
    }

    /** General category M. */
    static boolean isMark(int c) {
        return (MARK >> Character.getType(c) & 1) != 0;
    }

    /** General category P, and the ASCII symbols. */
    static boolean isPunctuation(int c) {
        boolean ascii =
                (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
        return ascii || (PUNCTUATION >> Character.getType(c) & 1) != 0;
    }

    /** A word character as regular expressions with Unicode classes define it. */
    static boolean isWord(int c) {
        return Character.isAlphabetic(c) || (WORD >> Character.getType(c) & 1) != 0 || c == 0x200C || c == 0x200D;
    }
}
