package dev.tiller.loader.tokenizer;

/**
 * Decodes UTF-8 as the bytes arrive and holds back an unfinished character. What is not UTF-8 becomes U+FFFD, one for
 * each longest run that could have begun a character (the practice the Unicode standard recommends in section 3.9).
 */
final class Utf8Stream {
    private int value;
    private int missing;
    /** Range of the next continuation byte; narrower than 80..BF after some lead bytes. */
    private int low = 0x80;

    private int high = 0xBF;

    void decode(byte[] bytes, StringBuilder out) {
        for (byte b : bytes) {
            accept(b & 0xFF, out);
        }
    }

    /** The input ends here: an unfinished character is an error in it. */
    void finish(StringBuilder out) {
        if (missing > 0) {
            out.appendCodePoint(CodePoints.REPLACEMENT);
        }
        missing = 0;
    }

    private void accept(int b, StringBuilder out) {
        if (missing > 0) {
            if (b >= low && b <= high) {
                value = value << 6 | b & 0x3F;
                low = 0x80;
                high = 0xBF;
                if (--missing == 0) {
                    out.appendCodePoint(value);
                }
                return;
            }
            finish(out);
        }
        lead(b, out);
    }

    private void lead(int b, StringBuilder out) {
        low = b == 0xE0 ? 0xA0 : b == 0xF0 ? 0x90 : 0x80;
        high = b == 0xED ? 0x9F : b == 0xF4 ? 0x8F : 0xBF;
        if (b < 0x80) {
            out.append((char) b);
        } else if (b >= 0xC2 && b <= 0xDF) {
            value = b & 0x1F;
            missing = 1;
        } else if (b >= 0xE0 && b <= 0xEF) {
            value = b & 0x0F;
            missing = 2;
        } else if (b >= 0xF0 && b <= 0xF4) {
            value = b & 0x07;
            missing = 3;
        } else {
            out.appendCodePoint(CodePoints.REPLACEMENT);
        }
    }
}
