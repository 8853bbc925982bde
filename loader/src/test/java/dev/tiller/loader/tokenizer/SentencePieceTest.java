package dev.tiller.loader.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.TokenizerFiles;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestReporter;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** SentencePiece models against the reference strings of the sentencepiece library. */
class SentencePieceTest {
    private static final Path MODELS = Path.of("src/test/resources/tokenizers");

    @TempDir
    Path folder;

    @Test
    void equalsTheLibraryOnARealModel(TestReporter reporter) throws IOException {
        Path model = SharedFiles.require(Goldens.FOLDER + "spm_mistral_v1");
        Tokenizer tokenizer = TokenizerFiles.tokenizer(model);
        List<JsonObject> goldens = goldens(model);
        assertTrue(goldens.size() > 300);
        for (JsonObject golden : goldens) {
            String text = golden.get("text").getAsString();
            int[] ids = Goldens.ints(golden.getAsJsonArray("ids"));
            assertArrayEquals(ids, tokenizer.encode(text, false), text);
            assertArrayEquals(Goldens.ints(golden.getAsJsonArray("ids_special")), tokenizer.encode(text, true), text);
            assertEquals(golden.get("decoded").getAsString(), tokenizer.decode(ids, false));
            assertEquals(golden.get("decoded").getAsString(), stream(tokenizer, ids));
        }
        reporter.publishEntry("spm_mistral_v1", goldens.size() + " strings");
    }

    @ParameterizedTest
    @ValueSource(strings = {"spm_bpe_rules", "spm_unigram_rules", "spm_unigram_bytes", "spm_bpe_plain"})
    void equalsTheLibraryOnSmallModels(String name) throws IOException {
        Tokenizer tokenizer = TokenizerFiles.tokenizer(MODELS.resolve(name));
        List<JsonObject> goldens = goldens(MODELS.resolve(name));
        assertTrue(goldens.size() > 200);
        for (JsonObject golden : goldens) {
            String text = golden.get("text").getAsString();
            Encoding encoding = tokenizer.encodeWithOffsets(text, false);
            int[] ids = Goldens.ints(golden.getAsJsonArray("ids"));
            assertArrayEquals(ids, encoding.ids(), text);
            checkOrder(encoding, text);
            int[] known =
                    Arrays.stream(ids).filter(id -> !tokenizer.isSpecial(id)).toArray();
            assertEquals(golden.get("decoded").getAsString(), tokenizer.decode(known, true), text);
            int[] random = Goldens.ints(golden.getAsJsonArray("random"));
            String decoded = golden.get("random_decoded").getAsString();
            assertEquals(decoded, tokenizer.decode(random, false), () -> Arrays.toString(random));
            assertEquals(decoded, stream(tokenizer, random), () -> Arrays.toString(random));
        }
    }

    private static void checkOrder(Encoding encoding, String text) {
        int length = text.codePointCount(0, text.length());
        for (int i = 0; i < encoding.ids().length; i++) {
            assertTrue(encoding.starts()[i] < encoding.ends()[i] && encoding.ends()[i] <= length, text);
            assertTrue(i == 0 || encoding.starts()[i] >= encoding.starts()[i - 1], text);
        }
    }

    /** Pieces one by one; none may end within a character. */
    private static String stream(Tokenizer tokenizer, int[] ids) {
        StreamDecoder decoder = tokenizer.streamDecoder(false);
        StringBuilder out = new StringBuilder();
        for (int id : ids) {
            String part = decoder.append(id);
            assertTrue(part.isEmpty() || !Character.isHighSurrogate(part.charAt(part.length() - 1)));
            out.append(part);
        }
        return out.append(decoder.finish()).toString();
    }

    private static List<JsonObject> goldens(Path model) throws IOException {
        return Arrays.stream(Files.readString(model.resolve("goldens.jsonl")).split("\n"))
                .map(line -> JsonParser.parseString(line).getAsJsonObject())
                .toList();
    }

    @Test
    void findsTheTokensThatTheFilesBesideItDeclare() throws IOException {
        Path small = MODELS.resolve("spm_bpe_rules");
        Files.copy(small.resolve("tokenizer.model"), folder.resolve("tokenizer.model"));
        Tokenizer bare = TokenizerFiles.tokenizer(folder);
        int size = bare.vocabSize();
        assertTrue(bare.encode("<s>", false).length > 1);
        write("special_tokens_map.json", "{'bos_token':'<s>','pad_token':{'content':'<pad>'}}");
        write("added_tokens.json", "{'<|im_start|>':" + size + "}");
        Tokenizer older = TokenizerFiles.tokenizer(folder);
        assertArrayEquals(new int[] {1, 1, size, size + 1}, older.encode("<s><|im_start|><pad>", true));
        assertTrue(older.isSpecial(size + 1) && !older.isSpecial(size));
        write(
                "tokenizer_config.json",
                "{'add_bos_token':false,'add_eos_token':true,'legacy':false,'eos_token':'</s>','added_tokens_decoder':{'"
                        + size + "':{'content':'<turn>','special':true,'rstrip':true}}}");
        Tokenizer newer = TokenizerFiles.tokenizer(folder);
        assertArrayEquals(new int[] {size, 2, 2}, newer.encode("<turn>  </s>", true));
        int[] after = newer.encode("x<turn>a", false);
        assertEquals("a", newer.token(after[after.length - 1])); // no space before it, as legacy is false
        assertEquals("x<turn>a", newer.decode(after, false));
        assertEquals("xa", newer.decode(after, true));
    }

    private void write(String name, String json) throws IOException {
        Files.writeString(folder.resolve(name), json.replace('\'', '"'));
    }

    @Test
    void refusesDamagedFilesWithAReason() throws IOException {
        byte[] good = Files.readAllBytes(MODELS.resolve("spm_bpe_rules/tokenizer.model"));
        int refused = 0;
        for (long seed : new long[] {1, 2, 3}) {
            Random random = new Random(seed);
            for (int i = 0; i < 400; i++) {
                byte[] bad = Arrays.copyOf(good, random.nextInt(4) == 0 ? random.nextInt(good.length) : good.length);
                for (int k = random.nextInt(4); k >= 0 && bad.length > 0; k--) {
                    bad[random.nextInt(bad.length)] = (byte) random.nextInt(256);
                }
                try {
                    Tokenizer tokenizer =
                            SentencePieceFile.read("m", bad).pieces().tokenizer(List.of(), none(), none());
                    tokenizer.encode("Tiller steers \u65E5 foo bar", false);
                } catch (TillerException e) {
                    refused++;
                    assertTrue(
                            e.getMessage().startsWith("m: ") && !e.getMessage().contains("\n"), e.getMessage());
                }
            }
        }
        assertTrue(refused > 300, "refused " + refused);
    }

    private static int[] none() {
        return new int[0];
    }

    @Test
    void saysWhatIsWrong() {
        assertTrue(refusal(new byte[0]).contains("found none"));
        assertTrue(
                refusal("not a model at all".getBytes(StandardCharsets.UTF_8)).contains("SentencePiece"));
        assertTrue(refusal(new byte[] {0x0A, 0x7F, 0x0A}).contains("at most 1 bytes"));
        assertTrue(refusal(new byte[] {0x0A, 0x03, 0x0A, 0x01, 'a'}).contains("one unknown piece"));
        assertTrue(refusal(new byte[] {0x0A, 0x03, 0x0A, 0x01, (byte) 0xFF}).contains("UTF-8"));
        assertTrue(refusal(new byte[] {0x0A, 0x05, 0x0A, 0x01, 'a', 0x18, 0x02, 0x12, 0x02, 0x18, 0x03})
                .contains("model_type"));
        assertTrue(refusal(new byte[] {0x0A, 0x05, 0x0A, 0x01, 'a', 0x18, 0x09}).contains("type"));
        assertTrue(refusal(new byte[] {0x0A, 0x05, 0x0A, 0x01, 'a', 0x18, 0x02, 0x12, 0x03, (byte) 0x98, 0x02, 0x01})
                .contains("256 byte pieces"));
    }

    private static String refusal(byte[] bytes) {
        return assertThrows(TillerException.class, () -> SentencePieceFile.read("m", bytes))
                .getMessage();
    }
}
