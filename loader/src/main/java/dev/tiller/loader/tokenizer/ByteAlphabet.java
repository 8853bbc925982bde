package dev.tiller.loader.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The characters that stand for bytes in byte-level vocabularies, as GPT-2 introduced them: printable Latin-1 characters
 * stand for themselves, the other 68 bytes, in order, for U+0100 and on.
 */
final class ByteAlphabet {
    private static final int[] CHARACTER = new int[256];
    private static final int[] BYTE = new int[256 + 68];

    static {
        Arrays.fill(BYTE, -1);
        int next = 256;
        for (int b = 0; b < 256; b++) {
            boolean printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
            CHARACTER[b] = printable ? b : next++;
            BYTE[CHARACTER[b]] = b;
        }
    }

    private ByteAlphabet() {}

    /** The character for a byte, 0 to 255. */
    static int character(int value) {
        return CHARACTER[value];
    }

    /** Every UTF-8 byte of the text as its character; all bytes of one character share its origin. */
    static AlignedText encode(AlignedText text) {
        int count = 0;
        for (int i = 0; i < text.length(); i++) {
            count += Utf8.length(text.codePoint(i));
        }
        AlignedText.Builder out = new AlignedText.Builder(count);
        for (int i = 0; i < text.length(); i++) {
            int c = text.codePoint(i);
            int start = text.start(i);
            int end = text.end(i);
            if (c < 0x80) {
                out.add(CHARACTER[c], start, end);
                continue;
            }
            if (c < 0x800) {
                out.add(CHARACTER[0xC0 | c >> 6], start, end);
            } else {
                if (c < 0x10000) {
                    out.add(CHARACTER[0xE0 | c >> 12], start, end);
                } else {
                    out.add(CHARACTER[0xF0 | c >> 18], start, end);
                    out.add(CHARACTER[0x80 | c >> 12 & 0x3F], start, end);
                }
                out.add(CHARACTER[0x80 | c >> 6 & 0x3F], start, end);
            }
            out.add(CHARACTER[0x80 | c & 0x3F], start, end);
        }
        return out.build();
    }

    /** The bytes of a token; one with any other character, such as an added token with a space, is plain UTF-8. */
    static byte[] decode(String token) {
        byte[] bytes = new byte[token.length()];
        for (int i = 0; i < bytes.length; i++) {
            char c = token.charAt(i);
            if (c >= BYTE.length || BYTE[c] < 0) {
                return token.getBytes(StandardCharsets.UTF_8);
            }
            bytes[i] = (byte) BYTE[c];
        }
        return bytes;
    }
}
