package dev.tiller.loader.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
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

/** The tokenizer.json that is written for a GGUF vocabulary against the tokenizer of the vocabulary itself. */
class GgufTokenizerJsonTest {
    /** All ways to cut text that differ from one another. */
    private static final List<String> PRE = List.of(
            "gpt-2 mpt smollm command-r falcon default llama-bpe dbrx qwen2 hunyuan seed-coder tekken gpt-4o bloom viking"
                    .split(" "));

    @TempDir
    Path folder;

    @Test
    void byteLevelVocabulariesGiveTheSameTokens() {
        Random random = new Random(11);
        for (String pre : PRE) {
            for (boolean edges : new boolean[] {false, true}) {
                compare(byteLevel(pre, edges), 150, random);
            }
        }
    }

    /** Without the space in front as Gemma, with it as Llama 2, and with marks that take white space along as Phi-3. */
    @Test
    void piecesGiveTheSameTokens() {
        Random random = new Random(12);
        for (int kind = 0; kind < 8; kind++) {
            compare(pieces((kind & 1) != 0, (kind & 2) != 0, (kind & 4) != 0), 300, random);
        }
    }

    @Test
    void publishedVocabulariesGiveTheSameTokens(TestReporter reporter) throws IOException {
        for (String file : List.of(
                "fixtures/gguf-vocab/ggml-vocab-phi-3.gguf",
                "fixtures/gguf-vocab/ggml-vocab-falcon.gguf",
                "models/stories260k/stories260Ktok512.gguf",
                "models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf")) {
            GgufVocabulary keys = GgufKeys.vocabulary(SharedFiles.require(file));
            List<String> texts = new ArrayList<>();
            for (String name : List.of("sp_bpe_llama2", "smollm2")) {
                Goldens.read(name).forEach(golden -> texts.add(golden.text()));
            }
            texts.add("<|user|>\n Hello<|end|>\n<|assistant|> a<unk><s> b</s>\n c");
            compare(keys, texts);
            reporter.publishEntry(file, texts.size() + " strings");
        }
    }

    /** Ids by the SentencePiece library, which reads no control tokens in a text and puts the space in front only once. */
    @Test
    void sentencePieceVocabularyGivesTheTokensOfItsLibrary() throws IOException {
        Path model = SharedFiles.require(Goldens.FOLDER + "spm_mistral_v1");
        SentencePieces p =
                SentencePieceFile.read(model.resolve("tokenizer.model")).pieces();
        GgufVocabulary keys = new GgufVocabulary(
                "m.gguf", "llama", null, p.pieces(), p.scores(), p.types(), null, 1, 2, 0, true, false, true, false);
        Tokenizer tokenizer = Tokenizer.fromGguf(keys);
        int compared = 0;
        for (String line : Files.readString(model.resolve("goldens.jsonl")).split("\n")) {
            JsonObject golden = JsonParser.parseString(line).getAsJsonObject();
            String text = golden.get("text").getAsString();
            if (!text.contains("<s>") && !text.contains("</s>") && !text.contains("<unk>")) {
                assertArrayEquals(Goldens.ints(golden.getAsJsonArray("ids")), tokenizer.encode(text, false), text);
                compared++;
            }
        }
        assertTrue(compared > 340, compared + " strings");
    }

    @Test
    void tokensWithoutTextHaveNames() {
        GgufVocabulary keys = vocabulary("gpt2", "gpt-2", List.of("a", "", "b", ""), null, null, List.of(), false);
        assertEquals("[EMPTY_3]", Tokenizer.fromGguf(keys).token(3));
        compare(keys, List.of("ab", "[EMPTY_1]b"));
    }

    /** What the tokenizers library would take for a line with its version. */
    @Test
    void mergesThatLookLikeAVersionAreWrittenAsPairs() throws IOException {
        List<String> tokens = new ArrayList<>(List.of("#version", "#version:", ":"));
        List<String> merges = new ArrayList<>();
        String sum = "#";
        for (char c : "version".toCharArray()) {
            tokens.add(Character.toString(c));
            merges.add(sum + " " + c);
            tokens.add(sum);
            sum += c;
        }
        merges.add("#version :");
        GgufVocabulary keys = vocabulary("gpt2", "bloom", tokens, null, null, merges, false);
        compare(keys, List.of("#version:", "#versio", "n:"));
        JsonArray written = JsonParser.parseString(Files.readString(folder.resolve("tokenizer.json")))
                .getAsJsonObject()
                .getAsJsonObject("model")
                .getAsJsonArray("merges");
        assertEquals("[\"#\",\"v\"]", written.get(0).toString());
    }

    private void compare(GgufVocabulary keys, int count, Random random) {
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            texts.add(text(random));
        }
        compare(keys, texts);
    }

    private void compare(GgufVocabulary keys, List<String> texts) {
        Path file = folder.resolve("tokenizer.json");
        keys.writeTokenizerJson(file);
        Tokenizer expected = Tokenizer.fromGguf(keys);
        Tokenizer found = Tokenizer.read(file);
        assertEquals(expected.vocabSize(), found.vocabSize());
        for (String text : texts) {
            int[] ids = expected.encode(text, true);
            String what = keys.model() + " " + keys.pre() + ": " + text;
            assertArrayEquals(ids, found.encode(text, true), what);
            assertArrayEquals(expected.encode(text, false), found.encode(text, false), what);
            assertEquals(expected.decode(ids, false), found.decode(ids, false), what);
            assertEquals(expected.decode(ids, true), found.decode(ids, true), what);
        }
    }

    private static final String[] PARTS = {
        "the", " The", "n't", "'S", " 12345", "7", "  ", "\n", "\r\n", "\t", "...", " $=", "é", "e\u0301", "Ñandú",
        "汉字", "🚀", "ß", "ABc", "abC", "<end>", "<mark>", "<s>", "\u00a0", "\u3000", "`x`", "¼", "क", "/"
    };

    private static String text(Random random) {
        StringBuilder s = new StringBuilder();
        for (int n = random.nextInt(9); n > 0; n--) {
            s.append(PARTS[random.nextInt(PARTS.length)]);
        }
        return s.toString();
    }

    /** All bytes, merges of some neighbours in words, a control token and one that the user defined. */
    private static GgufVocabulary byteLevel(String pre, boolean edges) {
        List<String> tokens = new ArrayList<>(List.of("<s>", "<end>", "<mark>"));
        for (int b = 0; b < 256; b++) {
            tokens.add(Character.toString(ByteAlphabet.character(b)));
        }
        List<String> merges = new ArrayList<>();
        for (String pair : List.of(
                "t h", "th e", "Ġ t", "Ġt he", "Ã ©", "1 2", "12 3", "Ġ 1", "Ġ Ġ", ". .", ".. .", "A B", "AB c")) {
            String sum = pair.replace(" ", "");
            merges.add(pair);
            tokens.add(sum);
        }
        tokens.add("he");
        int[] types = new int[tokens.size()];
        Arrays.fill(types, 1);
        types[0] = 3;
        types[1] = 3;
        types[2] = 4;
        return vocabulary("gpt2", pre, tokens, null, types, merges, edges);
    }

    /** Characters, bytes and sums with scores that all differ. */
    private static GgufVocabulary pieces(boolean space, boolean edges, boolean takesSpace) {
        List<String> tokens = new ArrayList<>(List.of("<unk>", "<s>", "<end>", "<mark>", "  "));
        for (int b = 0; b < 256; b++) {
            tokens.add(String.format("<0x%02X>", b));
        }
        tokens.addAll(List.of(
                ("▁ t h e T n ' S 1 2 3 4 5 7 . é A B c a b C th he the ▁the ▁t ▁▁ ▁▁▁ ▁▁▁▁ .. ... 12 123 ▁1 ▁12 ABc bC 45 345"
                                + " n't 汉 字 汉字 ß $")
                        .split(" ")));
        int[] types = new int[tokens.size()];
        float[] scores = new float[tokens.size()];
        for (int id = 0; id < types.length; id++) {
            types[id] = id == 0 ? 2 : id < 3 ? 3 : id < 5 ? 4 : id < 261 ? 6 : 1;
            scores[id] = id < 261 ? 0 : -(id * 7 % 97) - id / 1000f;
        }
        return new GgufVocabulary(
                "m.gguf", "llama", null, tokens, scores, types, null, 1, 2, 0, edges, edges, space, takesSpace);
    }

    private static GgufVocabulary vocabulary(
            String model,
            String pre,
            List<String> tokens,
            float[] scores,
            int[] types,
            List<String> merges,
            boolean edges) {
        return new GgufVocabulary(
                "m.gguf", model, pre, tokens, scores, types, merges, 0, 1, -1, edges, edges, false, false);
    }
}
