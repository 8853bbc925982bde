package dev.tiller.loader.tokenizer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Scores as the tokenizers library reads them. */
class DecimalScoreTest {
    @ParameterizedTest
    @ValueSource(
            strings = {"0", "-0.0", "-5.45988333618528", "1e-7", "-12", "3E+2", "2.5e10", "-6.477084568583365", "1e-400"
            })
    void upToSixteenDigitsAreExact(String literal) {
        assertEquals(Double.parseDouble(literal), DecimalScore.parse(literal));
    }

    /** The value is that of two divisions in exact arithmetic, each rounded to 53 bits. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void moreDigitsAreRoundedTwice(long seed) {
        Random random = new Random(seed);
        int differing = 0;
        for (int i = 0; i < 2000; i++) {
            long digits = 10_000_000_000_000_000L + random.nextLong(90_000_000_000_000_000L);
            String literal = "-" + digits / 10_000_000_000_000_000L + "."
                    + Long.toString(digits).substring(1);
            BigDecimal once = new BigDecimal((double) digits);
            double twice =
                    once.divide(new BigDecimal("1e16"), MathContext.DECIMAL128).doubleValue();
            assertEquals(-twice, DecimalScore.parse(literal), literal);
            differing += -twice == Double.parseDouble(literal) ? 0 : 1;
        }
        assertTrue(differing > 0, "none of them differs from the exact value");
    }

    @ParameterizedTest
    @CsvSource({
        "18446744073709551615, 1.8446744073709552e19",
        "18446744073709551616, 1.8446744073709552e19",
        "123456789012345678901234567890, 1.2345678901234568e29",
        "1.23456789012345678901234567890, 1.2345678901234568"
    })
    void digitsBeyondSixtyFourBitsAreCutOff(String literal, double expected) {
        assertEquals(expected, DecimalScore.parse(literal), Math.ulp(expected));
    }

    @ParameterizedTest
    @ValueSource(strings = {"1e999", "-1e400", "1.8e308", "-1e99999999999999999999", "0.001E+9223372036854775807"})
    void beyondFloat64IsRefused(String literal) {
        Exception e = assertThrows(NumberFormatException.class, () -> DecimalScore.parse(literal));
        assertTrue(e.getMessage().contains(literal), e.getMessage());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "1e-99999999999999999999",
                "-12.5E-9223372036854775808",
                "0e99999999999999999999",
                "0e400",
                "-0e999"
            })
    void exponentsBeyondSixtyFourBitsLeaveZero(String literal) {
        assertEquals(literal.startsWith("-") ? -0.0 : 0.0, DecimalScore.parse(literal));
    }

    @Test
    void theErrorNamesFileAndScore(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("tokenizer.json");
        Files.writeString(file, "{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", -1e400]]}}");
        String message =
                assertThrows(TillerException.class, () -> Tokenizer.read(file)).getMessage();
        assertTrue(message.startsWith(file + ": ") && message.contains("-1e400"), message);
        assertEquals(1, message.lines().count());
    }

    @Test
    void textIsNoScore() {
        assertThrows(NumberFormatException.class, () -> DecimalScore.parse("one"));
    }

    /** 18 spaces are 5 and 13 or 13 and 5, with the same score but for rounding; the library says 5 and 13. */
    @Test
    void tiesAreBrokenAsByTheLibrary() {
        Tokenizer tokenizer = Tokenizer.read(Path.of("src/test/resources/tokenizers/unigram_bytes.json"));
        String text = "<0xED>##a`bench \u2028\uD61B" + " ".repeat(18) + "\u0085";
        int[] ids = tokenizer.encode(text, false);
        List<Integer> spaces =
                Arrays.stream(ids).filter(id -> id == 310 || id == 369).boxed().toList();
        assertEquals(List.of(310, 369), spaces);
    }
}
