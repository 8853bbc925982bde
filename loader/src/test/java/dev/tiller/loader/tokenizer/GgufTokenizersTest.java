package dev.tiller.loader.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestReporter;

/** Tokenizers from GGUF keys against the tokenizer.json of the same model and against llama.cpp. */
class GgufTokenizersTest {
    @Test
    void smolLmEqualsItsTokenizerJson(TestReporter reporter) throws IOException {
        Path folder = SharedFiles.require("models/smollm2-135m-instruct");
        Tokenizer tokenizer = Tokenizer.fromGguf(GgufKeys.vocabulary(onlyGguf(folder)));
        List<Goldens.Golden> goldens = Goldens.read("smollm2");
        for (Goldens.Golden golden : goldens) {
            Encoding encoding = tokenizer.encodeWithOffsets(golden.text(), false);
            assertArrayEquals(golden.ids(), encoding.ids(), golden.text());
            assertArrayEquals(golden.offsets(), Goldens.offsets(encoding), golden.text());
            assertArrayEquals(golden.idsSpecial(), tokenizer.encode(golden.text(), true), golden.text());
            assertEquals(golden.decoded(), tokenizer.decode(golden.ids(), false));
            assertEquals(golden.decodedSkip(), tokenizer.decode(golden.ids(), true));
        }
        reporter.publishEntry("smollm2 gguf", goldens.size() + " strings");
    }

    @Test
    void storiesEqualsItsTokenizerJson(TestReporter reporter) throws IOException {
        Path folder = SharedFiles.require("models/stories260k");
        Tokenizer expected = Tokenizer.read(folder.resolve("tokenizer.json"));
        Tokenizer found = Tokenizer.fromGguf(GgufKeys.vocabulary(folder.resolve("stories260Ktok512.gguf")));
        assertEquals(expected.vocabSize(), found.vocabSize());
        List<Goldens.Golden> texts = Goldens.read("sp_bpe_llama2");
        for (Goldens.Golden golden : texts) {
            Encoding ids = expected.encodeWithOffsets(golden.text(), true);
            Encoding fromGguf = found.encodeWithOffsets(golden.text(), true);
            assertArrayEquals(ids.ids(), fromGguf.ids(), golden.text());
            assertArrayEquals(Goldens.offsets(ids), Goldens.offsets(fromGguf), golden.text());
            assertEquals(expected.decode(ids.ids(), false), found.decode(ids.ids(), false));
            assertEquals(expected.decode(ids.ids(), true), found.decode(ids.ids(), true));
        }
        reporter.publishEntry("stories260k gguf", texts.size() + " strings");
    }

    @Test
    void equalsLlamaCpp() throws IOException {
        for (String name : List.of("gpt-2", "phi-3", "mpt", "falcon")) {
            compareWithLlamaCpp(vocabulary(name), name);
        }
        // Files with the same vocabulary: that of phi-3 begins with that of Llama 2, that of Qwen 3 with that of Qwen
        // 2. The
        // file of GPT-NeoX, with that of MPT, is from before the key tokenizer.ggml.pre was introduced.
        compareWithLlamaCpp(vocabulary("phi-3"), "llama-spm");
        compareWithLlamaCpp(vocabulary("gpt-neox"), "mpt");
        Path qwen = SharedFiles.require(Goldens.FOLDER + "qwen3/tokenizer.json");
        compareWithLlamaCpp(keysOf(qwen, "qwen2", -1), "qwen2");
    }

    /**
     * gguf-pre.json: ids by llama.cpp's library for the vocabulary of GPT-2, had its file other names of pre-tokenizers;
     * texts on which the names differ most. Written by hand-made GGUF files that differ in that key alone.
     */
    @Test
    void cutsTextAsLlamaCppDoes(TestReporter reporter) throws IOException {
        JsonObject expected;
        try (InputStream in = getClass().getResourceAsStream("/tokenizers/gguf-pre.json")) {
            expected = JsonParser.parseString(new String(in.readAllBytes(), StandardCharsets.UTF_8))
                    .getAsJsonObject();
        }
        GgufVocabulary gpt2 = vocabulary("gpt-2");
        List<JsonElement> texts = expected.getAsJsonArray("texts").asList();
        JsonObject ids = expected.getAsJsonObject("ids");
        for (String pre : ids.keySet()) {
            Tokenizer tokenizer = Tokenizer.fromGguf(withPre(gpt2, pre));
            for (int i = 0; i < texts.size(); i++) {
                int[] wanted = Goldens.ints(ids.getAsJsonArray(pre).get(i).getAsJsonArray());
                String text = texts.get(i).getAsString();
                assertArrayEquals(wanted, tokenizer.encode(text, false), pre + ": " + text);
            }
        }
        assertEquals(14, ids.size());
        reporter.publishEntry("pre-tokenizers", ids.size() + " kinds, " + texts.size() + " strings each");
    }

    private static GgufVocabulary vocabulary(String name) throws IOException {
        return GgufKeys.vocabulary(SharedFiles.require("fixtures/gguf-vocab/ggml-vocab-" + name + ".gguf"));
    }

    private static void compareWithLlamaCpp(GgufVocabulary keys, String name) throws IOException {
        Path file = SharedFiles.require("fixtures/gguf-vocab/ggml-vocab-" + name + ".gguf.inp");
        Tokenizer tokenizer = Tokenizer.fromGguf(keys);
        String[] texts = Files.readString(file).split("\n__ggml_vocab_test__\n", -1);
        String[] lines = Files.readString(file.resolveSibling("ggml-vocab-" + name + ".gguf.out"))
                .split("\n");
        assertTrue(lines.length > 40);
        for (int i = 0; i < lines.length; i++) {
            String line = lines[i].strip();
            int[] ids = line.isEmpty()
                    ? new int[0]
                    : Arrays.stream(line.split(" +"))
                            .mapToInt(Integer::parseInt)
                            .toArray();
            assertArrayEquals(ids, tokenizer.encode(texts[i], false), name + ": " + texts[i]);
        }
    }

    @Test
    void qwenAndLlama3EqualTheirTokenizerJson(TestReporter reporter) throws IOException {
        for (String[] kind : new String[][] {
            {"bytelevel_qwen2", "qwen2"}, {"qwen3", "qwen2"}, {"bytelevel_llama3", "llama-bpe"}, {"gpt2", null}
        }) {
            Path folder = SharedFiles.require(Goldens.FOLDER + kind[0]);
            boolean llama = "llama-bpe".equals(kind[1]);
            Tokenizer tokenizer = Tokenizer.fromGguf(keysOf(folder.resolve("tokenizer.json"), kind[1], llama ? 0 : -1));
            int compared = 0;
            for (Goldens.Golden golden : Goldens.read(kind[0])) {
                // A GGUF file cannot say that a token takes spaces along or must be a word.
                if (llama && golden.text().matches("(?s).*(<lstrip>|<rstrip>|word).*")) {
                    continue;
                }
                compared++;
                assertArrayEquals(golden.ids(), tokenizer.encode(golden.text(), false), golden.text());
                assertArrayEquals(golden.idsSpecial(), tokenizer.encode(golden.text(), true), golden.text());
                assertEquals(golden.decodedSkip(), tokenizer.decode(golden.ids(), true));
            }
            assertTrue(compared > 200);
            reporter.publishEntry(kind[0] + " as gguf", compared + " strings");
        }
    }

    /** The keys that a converter would write for a byte-level tokenizer.json. */
    private static GgufVocabulary keysOf(Path file, String pre, int bos) throws IOException {
        JsonObject json = JsonParser.parseString(Files.readString(file)).getAsJsonObject();
        JsonObject model = json.getAsJsonObject("model");
        TreeMap<Integer, String> tokens = new TreeMap<>();
        model.getAsJsonObject("vocab")
                .entrySet()
                .forEach(e -> tokens.put(e.getValue().getAsInt(), e.getKey()));
        Map<Integer, Integer> types = new HashMap<>();
        for (JsonElement element : json.getAsJsonArray("added_tokens")) {
            JsonObject token = element.getAsJsonObject();
            int id = token.get("id").getAsInt();
            tokens.put(id, token.get("content").getAsString());
            types.put(id, token.get("special").getAsBoolean() ? 3 : 4);
        }
        List<String> merges = new ArrayList<>();
        for (JsonElement merge : model.getAsJsonArray("merges")) {
            merges.add(
                    merge.isJsonPrimitive()
                            ? merge.getAsString()
                            : merge.getAsJsonArray().get(0).getAsString() + " "
                                    + merge.getAsJsonArray().get(1).getAsString());
        }
        int[] type = new int[tokens.size()];
        Arrays.setAll(type, id -> types.getOrDefault(id, 1));
        return new GgufVocabulary(
                file.toString(),
                "gpt2",
                pre,
                List.copyOf(tokens.values()),
                null,
                type,
                merges,
                bos,
                -1,
                -1,
                bos >= 0,
                false,
                false,
                false);
    }

    @Test
    void refusesWhatItDoesNotKnow() throws IOException {
        GgufVocabulary mpt = GgufKeys.vocabulary(SharedFiles.require("fixtures/gguf-vocab/ggml-vocab-mpt.gguf"));
        assertMessage(withPre(mpt, "kimi-k2"), "tokenizer.ggml.pre", "qwen2, refact", "\"kimi-k2\"");
    }

    @Test
    void refusesContradictions() {
        List<String> tokens = List.of("<unk>", "a", "b", "ab");
        assertMessage(llama("bert", tokens, new float[4], null, -1, false), "tokenizer.ggml.model", "\"bert\"");
        assertMessage(llama("llama", tokens, new float[3], null, -1, false), "tokenizer.ggml.scores", "4", "3");
        assertMessage(llama("llama", tokens, null, null, -1, false), "tokenizer.ggml.scores", "nothing");
        assertMessage(llama("llama", tokens, new float[4], new int[5], -1, false), "token_type", "4", "5");
        assertMessage(llama("llama", tokens, new float[4], null, 4, true), "bos_token_id", "4");
        assertMessage(llama("llama", List.of("a", "a"), new float[2], null, -1, false), "\"a\"", "0 and 1");
        assertMessage(llama("gpt2", tokens, null, null, -1, false), "tokenizer.ggml.merges", "nothing");
    }

    @Test
    void mergesTheLeftmostOfEqualScores() {
        List<String> tokens = List.of("<unk>", "a", "b", "c", "bc", "ab");
        Tokenizer tokenizer = Tokenizer.fromGguf(llama("llama", tokens, new float[6], null, 0, false));
        assertArrayEquals(new int[] {5, 3}, tokenizer.encode("abc", false));
        float[] scores = {0, 0, 0, 0, -1, -2};
        tokenizer = Tokenizer.fromGguf(llama("llama", tokens, scores, null, 0, false));
        assertArrayEquals(new int[] {1, 4}, tokenizer.encode("abc", false));
    }

    private static GgufVocabulary llama(
            String model, List<String> tokens, float[] scores, int[] types, int bos, boolean addBos) {
        return new GgufVocabulary(
                "m.gguf", model, null, tokens, scores, types, null, bos, -1, -1, addBos, false, false, false);
    }

    private static GgufVocabulary withPre(GgufVocabulary v, String pre) {
        return new GgufVocabulary(
                v.source(),
                v.model(),
                pre,
                v.tokens(),
                v.scores(),
                v.tokenTypes(),
                v.merges(),
                v.bosId(),
                v.eosId(),
                v.unknownId(),
                v.addBos(),
                v.addEos(),
                v.addSpacePrefix(),
                v.marksTakeSpace());
    }

    private static void assertMessage(GgufVocabulary vocabulary, String... parts) {
        String message = assertThrows(TillerException.class, () -> Tokenizer.fromGguf(vocabulary))
                .getMessage();
        assertTrue(message.contains(vocabulary.source()), message);
        for (String part : parts) {
            assertTrue(message.contains(part), message);
        }
    }

    private static Path onlyGguf(Path folder) throws IOException {
        try (var files = Files.newDirectoryStream(folder, "*.gguf")) {
            return files.iterator().next();
        }
    }
}
