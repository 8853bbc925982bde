package dev.tiller.loader.tokenizer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.regex.MatchResult;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Where the syntax of Oniguruma and that of Java differ. Expected matches are those of Oniguruma. */
class RegexTranslatorTest {
    private static List<String> find(String regex, String text) {
        return RegexTranslator.compile(regex)
                .matcher(text)
                .results()
                .map(MatchResult::group)
                .toList();
    }

    /** Oniguruma's words, checked against that library for every code point: other numbers and joiners are none. */
    @Test
    void wordsAreThoseOfOniguruma() {
        assertEquals(List.of("\uD55C\u00B2"), find("\\w+|[^\\w\\s]+", "\uD55C\u00B2"));
        assertEquals(List.of("\u00BD"), find("\\w+", "\u00BD\u2153"));
        assertEquals(List.of("a", "b"), find("\\w+", "a\u200Db"));
        assertEquals(List.of("\u00B2\u65E5"), find("\\b\\w+\\b", "\u00B2\u65E5"));
        assertEquals(List.of("-"), find("\\W", "_-\u00B3"));
        assertEquals(List.of("-", "\u00B3"), find("[^\\w\\s]", "_-\u00B3")); // in a class the six numbers are no words
        assertEquals(List.of("a", "b"), find("[\\w]+", "a\u00B2b"));
        assertEquals(List.of("b"), find("\\Bb\\B", "b abc"));
    }

    @Test
    void classesMeanUnicode() {
        assertEquals(List.of("\u00A0\u2003"), find("\\s+", "a\u00A0\u2003b\u200B"));
        assertEquals(List.of("\u0664\u0665"), find("\\d+", "\u0664\u0665 "));
        assertEquals(List.of("\u00E9\u4E2D_"), find("\\w+", "\u00E9\u4E2D_-"));
        assertEquals(List.of("'S", "'\u017F"), find("(?i:'s)", "'S '\u017F"));
    }

    @Test
    void lettersThatMeanSomethingElse() {
        assertEquals(List.of("1", "f"), find("\\h", "1 f\tg"));
        assertEquals(List.of("\u000B"), find("\\v", "\n\u000B\r"));
        assertEquals(List.of("a", "b"), find("^.$", "a\nb"));
        assertEquals(List.of("a\r", "b"), find(".+", "a\r\nb"));
        assertEquals(List.of("a\nb"), find("(?m:a.b)", "a\nb"));
    }

    @Test
    void properties() {
        assertEquals(List.of("\u4E2D"), find("\\p{Han}", "a\u4E2D\u3042"));
        assertEquals(List.of("\u3042"), find("\\p{Hiragana}", "a\u4E2D\u3042"));
        assertEquals(List.of("1", "-"), find("\\p{^L}", "a1-b"));
        assertEquals(List.of("a", "b"), find("\\P{^Letter}", "a1-b"));
        assertEquals(List.of("A"), find("[\\p{Lu}]", "aA"));
        assertEquals(List.of("A"), find("\\p{uppercase_letter}", "aA"));
    }

    @Test
    void namedClasses() {
        assertEquals(List.of("$", ","), find("[[:punct:]]", "$ ,a"));
        assertEquals(List.of(","), find("\\p{Punct}", "$ ,a"));
        assertEquals(List.of("\u00E9"), find("[^[:^alpha:]]", "\u00E91"));
        assertEquals(List.of("\u00E91"), find("\\p{Alnum}+", "\u00E91-"));
        assertEquals(List.of("\u00A0\t"), find("[[:blank:]]+", "\u00A0\t\n"));
        assertEquals(List.of("a", "\u01C5"), find("\\p{LC}", "a\u01C5\u4E2D"));
    }

    /** Flags without an end hold to the end of the group around them, beyond a bar. */
    @Test
    void flagsHoldToTheEndOfTheGroup() {
        assertEquals(List.of("AB", "C", "c"), find("(?i)ab|c", "AB C c"));
        assertEquals(List.of("aB", "ac", "aC"), find("a(?i)b|c", "aB C c ac aC"));
        assertEquals(List.of("xYz"), find("(x(?i)y)z", "xYz xYZ"));
    }

    /** Java alone looks one char behind, which is half of such a letter. */
    @Test
    void looksBehindByCharacters() {
        assertEquals(List.of("-", "-"), find("(?<=\\p{L})-", "\uD835\uDC00- b- 1-"));
        assertEquals(List.of("-", "-"), find("(?<!\\p{L})-|(?<=x)y", "\uD835\uDC00- 1- -"));
        assertEquals(List.of(0, 2, 3, 4), edges("\uD835\uDC00-b"));
        assertEquals(List.of(0, 2), edges("\uD835\uDC00\uFFFD"));
    }

    private static List<Integer> edges(String text) {
        return RegexTranslator.compile("\\b")
                .matcher(text)
                .results()
                .map(MatchResult::start)
                .toList();
    }

    @Test
    void quantifiers() {
        assertEquals(List.of("12345"), find("\\p{N}{1,3}+", "12345"));
        assertEquals(List.of("abab"), find("(ab){1,3}+", "ababx"));
        assertEquals(List.of("x12", "x"), find("x\\d{,2}", "x123xa"));
        assertEquals(List.of("a{x}"), find("a{x}", "a{x}"));
        assertEquals(List.of("1", "2"), find("\\d{1,2}?", "12"));
        assertEquals(List.of(), find("a++a", "aaa"));
        assertEquals(List.of("]", "}"), find("]|}", "]}"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "[[:graph:]]",
                "\\X",
                "\\1",
                "(?<n>a)(?x:b)",
                "[]a]",
                "a{2}?",
                "*a",
                "(",
                "[a",
                "\\",
                "\\p{NoSuch}",
                "\\pL",
                "(?x)a",
                "a)",
                "\\k<n>",
                "\\p{Graph}",
                "[[:any:]]",
                "[[:alpha"
            })
    void refusesWhatItCannotTranslate(String regex) {
        assertThrows(IllegalArgumentException.class, () -> RegexTranslator.compile(regex));
    }
}
