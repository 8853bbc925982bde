package dev.tiller.loader.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tiller.loader.SharedFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestReporter;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Random texts and random ids against the Rust tokenizers; many more in the nightly build. */
class RustComparisonTest {
    private static final boolean NIGHTLY = Boolean.getBoolean("tiller.nightly");
    private static final long[] SEEDS = NIGHTLY ? new long[] {1, 2, 3, 4, 5, 6, 7, 8} : new long[] {1, 2, 3};
    private static final int TEXTS = NIGHTLY ? 10_000 : 150;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "wordpiece",
                "wordlevel",
                "bpe_suffix",
                "bpe_prefix",
                "roberta",
                "unigram_precompiled",
                "unigram_bytes",
                "bpe_dropping"
            })
    void smallTokenizers(String name, TestReporter reporter) throws IOException {
        compare(Path.of("src/test/resources/tokenizers/" + name + ".json"), reporter);
    }

    @ParameterizedTest
    @ValueSource(strings = {"microworld"})
    void bundledTokenizers(String name, TestReporter reporter) throws IOException {
        compare(Path.of("../models/" + name + "/tokenizer.json"), reporter);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "bytelevel_digits",
                "bytelevel_llama3",
                "bytelevel_qwen2",
                "gpt2",
                "minimind",
                "normalizers",
                "qwen3",
                "smollm2",
                "sp_bpe_llama2",
                "sp_bpe_metaspace",
                "unigram"
            })
    void fixtures(String name, TestReporter reporter) throws IOException {
        compare(SharedFiles.require(Goldens.FOLDER + name).resolve("tokenizer.json"), reporter);
    }

    /** Every code point that a script can have, between letters of two others. */
    @Test
    void scriptsOfAllCharacters(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(
                folder.resolve("scripts.json"),
                "{\"version\":\"1.0\",\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"},\"added_tokens\":[],\"model\":"
                        + "{\"type\":\"WordLevel\",\"vocab\":{\"<unk>\":0},\"unk_token\":\"<unk>\"}}");
        Tokenizer ours = Tokenizer.read(file);
        try (RustTokenizer rust = new RustTokenizer(file)) {
            for (int from = 0; from < 0xE1000; from = from == 0x33000 ? 0xE0000 : from + 0x1000) {
                StringBuilder text = new StringBuilder();
                for (int c = from; c < from + 0x1000; c++) {
                    if (c < Character.MIN_SURROGATE || c > Character.MAX_SURROGATE) {
                        text.append('a').appendCodePoint(c).append('\u6F22').appendCodePoint(c);
                    }
                }
                String all = text.toString();
                Encoding encoding = ours.encodeWithOffsets(all, false);
                assertArrayEquals(
                        rust.offsets(all), Goldens.offsets(encoding), () -> Integer.toHexString(all.codePointAt(1)));
            }
        }
    }

    private static void compare(Path file, TestReporter reporter) throws IOException {
        Tokenizer ours = Tokenizer.read(file);
        String words = Files.readString(Path.of("../README.md"));
        try (RustTokenizer rust = new RustTokenizer(file)) {
            for (long seed : SEEDS) {
                RandomTexts texts = new RandomTexts(seed, addedTokens(file), words);
                Random random = new Random(seed);
                for (int i = 0; i < TEXTS; i++) {
                    encode(ours, rust, texts.next(), "seed " + seed + ", text " + i);
                    decode(ours, rust, random, "seed " + seed + ", ids " + i);
                }
            }
        }
        reporter.publishEntry(file.toString(), SEEDS.length * TEXTS + " texts as the Rust tokenizers");
    }

    private static void encode(Tokenizer ours, RustTokenizer rust, String text, String place) {
        Encoding encoding = ours.encodeWithOffsets(text, false);
        String shown = place + ": " + escaped(text);
        assertArrayEquals(rust.encode(text, false), encoding.ids(), shown);
        assertArrayEquals(rust.offsets(text), Goldens.offsets(encoding), shown);
        int[] special = ours.encode(text, true);
        assertArrayEquals(rust.encode(text, true), special, shown);
        assertEquals(rust.decode(special, true), ours.decode(special, true), shown);
        assertEquals(rust.decode(special, false), ours.decode(special, false), shown);
    }

    private static void decode(Tokenizer ours, RustTokenizer rust, Random random, String place) {
        int[] ids = random.ints(random.nextInt(12), 0, ours.vocabSize()).toArray();
        String shown = place + ": " + Arrays.toString(ids);
        assertEquals(rust.decode(ids, false), ours.decode(ids, false), shown);
        assertEquals(rust.decode(ids, true), ours.decode(ids, true), shown);
        StreamDecoder stream = ours.streamDecoder(false);
        StringBuilder parts = new StringBuilder();
        for (int id : ids) {
            String part = stream.append(id);
            assertTrue(part.isEmpty() || !Character.isHighSurrogate(part.charAt(part.length() - 1)), shown);
            parts.append(part);
        }
        assertEquals(ours.decode(ids, false), parts.append(stream.finish()).toString(), shown);
    }

    private static List<String> addedTokens(Path file) throws IOException {
        JsonObject json = JsonParser.parseString(Files.readString(file)).getAsJsonObject();
        List<String> out = new ArrayList<>();
        for (JsonElement token : json.getAsJsonArray("added_tokens")) {
            out.add(token.getAsJsonObject().get("content").getAsString());
        }
        return out;
    }

    private static String escaped(String text) {
        StringBuilder out = new StringBuilder();
        text.chars().forEach(c -> out.append(c >= ' ' && c < 0x7F ? "" + (char) c : String.format("\\u%04X", c)));
        return out.toString();
    }
}
