package dev.tiller.loader.tokenizer;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.SharedFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.IntFunction;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The steps that models take for a text grow with its length, times the logarithm of a heap for merges: counted, not
 * timed. Ten times the text may take at most 13 times the steps, and there may be at most 100 per character.
 */
class LinearWorkTest {
    private static final int LONG = Boolean.getBoolean("tiller.nightly") ? 1_000_000 : 200_000;
    private static final int SHORT = LONG / 10;

    /** Read once for all texts. */
    private static final Map<String, Tokenizer> TOKENIZERS = new HashMap<>();

    private record Case(String tokenizer, String text, IntFunction<String> make) {
        @Override
        public String toString() {
            return tokenizer + ", " + text;
        }
    }

    static Stream<Case> cases() throws IOException {
        String readme = Files.readString(Path.of("../README.md"));
        return Stream.of(
                        "bpe_suffix.json",
                        "roberta.json",
                        "unigram_bytes.json",
                        "spm_bpe_rules",
                        "spm_unigram_bytes",
                        "spm_unigram_rules",
                        Goldens.FOLDER + "qwen3",
                        Goldens.FOLDER + "sp_bpe_llama2")
                .flatMap(name -> Stream.of(
                        new Case(
                                name,
                                "ordinary",
                                n -> readme.repeat(n / readme.length() + 1).substring(0, n)),
                        new Case(name, "one long word", n -> word(n)),
                        new Case(name, "one character", n -> "a".repeat(n)),
                        new Case(name, "white space", n -> " ".repeat(n)),
                        new Case(name, "digits", n -> "7".repeat(n)),
                        new Case(name, "random unicode", LinearWorkTest::random)));
    }

    private static String word(int length) {
        Random random = new Random(length);
        StringBuilder out = new StringBuilder();
        while (out.length() < length) {
            out.append((char) ('a' + random.nextInt(26)));
        }
        return out.toString();
    }

    private static String random(int length) {
        RandomTexts texts = new RandomTexts(5, List.of("<s>"), "some words that models know");
        StringBuilder out = new StringBuilder();
        while (out.length() < length) {
            out.append(texts.next());
        }
        return out.toString();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void growsWithTheText(Case given) {
        Tokenizer tokenizer = TOKENIZERS.computeIfAbsent(given.tokenizer, LinearWorkTest::tokenizer);
        long few = tokenizer.work(given.make.apply(SHORT));
        long many = tokenizer.work(given.make.apply(LONG));
        assertTrue(many <= 13.0 * few + LONG, given + ": " + few + " steps, then " + many);
        assertTrue(many <= 100L * LONG, given + ": " + many + " steps");
    }

    private static Tokenizer tokenizer(String name) {
        Path small = Path.of("src/test/resources/tokenizers");
        if (name.startsWith("spm_")) {
            return Tokenizer.readSentencePiece(small.resolve(name).resolve("tokenizer.model"));
        }
        return name.endsWith(".json")
                ? Tokenizer.read(small.resolve(name))
                : Tokenizer.read(SharedFiles.require(name).resolve("tokenizer.json"));
    }
}
