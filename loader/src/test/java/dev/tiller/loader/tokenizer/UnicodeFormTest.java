package dev.tiller.loader.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.text.Normalizer;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The normalization forms give the text the JDK gives, and origins as the tokenizers library counts them. */
class UnicodeFormTest {
    private static final int[] MARKS =
            IntStream.rangeClosed(0, 0x1FFFF).filter(CodePoints::isMark).toArray();

    @ParameterizedTest
    @EnumSource(Normalizer.Form.class)
    void equalsTheJdk(Normalizer.Form form) {
        UnicodeForm normalizer = new UnicodeForm(form);
        for (long seed : new long[] {1, 2, 3}) {
            Random random = new Random(seed);
            for (int i = 0; i < 2000; i++) {
                String text = randomText(random);
                AlignedText result = normalizer.normalize(AlignedText.of(text));
                assertEquals(Normalizer.normalize(text, form), result.text(), () -> "seed " + seed);
                int length = text.codePointCount(0, text.length());
                for (int k = 0; k < result.length(); k++) {
                    assertTrue(k == 0 || result.start(k) >= result.start(k - 1));
                    assertTrue(result.end(k) == result.start(k) + 1 && result.end(k) <= length);
                }
            }
        }
    }

    private static String randomText(Random random) {
        StringBuilder text = new StringBuilder();
        for (int n = random.nextInt(12); n >= 0; n--) {
            switch (random.nextInt(5)) {
                case 0 -> text.append((char) ('a' + random.nextInt(26)));
                case 1 -> text.appendCodePoint(MARKS[random.nextInt(MARKS.length)]);
                case 2 -> text.append((char) (0x1100 + random.nextInt(0x100)));
                case 3 -> text.append((char) (0xA0 + random.nextInt(0x600)));
                default -> text.appendCodePoint(0x1E00 + random.nextInt(0x1400));
            }
        }
        return text.toString();
    }

    @Test
    void aComposedCharacterComesFromItsFirstPart() {
        check(Normalizer.Form.NFC, "xe\u0301y", "x\u00E9y", 0, 1, 3);
        check(Normalizer.Form.NFC, "\u1100\u1161\u11A8a", "\uAC01a", 0, 3);
        check(Normalizer.Form.NFD, "x\u00E9y", "xe\u0301y", 0, 1, 1, 2);
        check(Normalizer.Form.NFKC, "\uFB01x\u0301", "fix\u0301", 0, 0, 1, 2);
        check(Normalizer.Form.NFD, "a\u0301\u0323", "a\u0323\u0301", 0, 1, 2);
    }

    private static void check(Normalizer.Form form, String text, String expected, int... starts) {
        AlignedText result = new UnicodeForm(form).normalize(AlignedText.of(text));
        assertEquals(expected, result.text());
        assertArrayEquals(
                starts, IntStream.range(0, result.length()).map(result::start).toArray());
    }
}
