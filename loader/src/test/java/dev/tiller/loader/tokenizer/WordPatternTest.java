package dev.tiller.loader.tokenizer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Words matched by hand against the regular expressions that they stand for. */
class WordPatternTest {
    private static final int TEXTS = Boolean.getBoolean("tiller.nightly") ? 300_000 : 4_000;
    private static final String EDGES =
            "''' stmdrevlSTMDREVL\u017F\u212A \r\n\t\u00A0\u0085\u3000\u200B\u2028az09\u0661\u00BD.,!-_\u0301\u00E9\u65E5";

    @ParameterizedTest
    @ValueSource(
            strings = {
                "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
                "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
                        + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
                "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
                        + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
            })
    void equalsTheRegularExpression(String regex) {
        TextPattern byHand = assertInstanceOf(WordPattern.class, TextPattern.regex(regex));
        TextPattern generic = new TextPattern.Regex(RegexTranslator.compile(regex));
        for (long seed : new long[] {1, 2, 3}) {
            Random random = new Random(seed);
            RandomTexts mixed = new RandomTexts(seed, List.of("<|x|>"), "It's WE'VE they'll o'clock 12,345");
            for (int i = 0; i < TEXTS; i++) {
                String text = i % 4 == 0 ? mixed.next() : edges(random);
                AlignedText aligned = AlignedText.of(text);
                assertEquals(generic.matches(aligned), byHand.matches(aligned), () -> "seed " + seed + ": " + text);
            }
        }
    }

    private static String edges(Random random) {
        StringBuilder out = new StringBuilder();
        for (int n = random.nextInt(20); n >= 0; n--) {
            out.append(EDGES.charAt(random.nextInt(EDGES.length())));
        }
        return out.toString();
    }
}
