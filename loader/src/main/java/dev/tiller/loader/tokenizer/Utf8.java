package dev.tiller.loader.tokenizer;

/** The shape of characters in UTF-8. */
final class Utf8 {
    private Utf8() {}

    /** How many bytes a character takes. */
    static int length(int codePoint) {
        return codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;
    }

    /**
     * How many bytes at a place make a character: 1 to 4, -1 if none can begin there, 0 if the bytes end before it is
     * complete.
     */
    static int characterLength(byte[] bytes, int at, int end) {
        int lead = bytes[at] & 0xFF;
        if (lead < 0x80) {
            return 1;
        }
        int length = lead < 0xC2 || lead > 0xF4 ? -1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
        for (int k = 1; k < length; k++) {
            if (at + k == end) {
                return 0;
            }
            int low = 0x80;
            int high = 0xBF;
            if (k == 1) { // no overlong forms, no surrogates, nothing above U+10FFFF
                low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : low;
                high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : high;
            }
            int b = bytes[at + k] & 0xFF;
            if (b < low || b > high) {
                return -1;
            }
        }
        return length;
    }
}
