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
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestReporter;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every reference string of the tokenizers library, exactly. */
class TokenizerGoldenTest {
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
    void equalsTheTokenizersLibrary(String name, TestReporter reporter) {
        Tokenizer tokenizer = Goldens.tokenizer(name);
        List<Goldens.Golden> goldens = Goldens.read(name);
        assertTrue(goldens.size() > 300);
        for (Goldens.Golden golden : goldens) {
            check(tokenizer, golden);
        }
        reporter.publishEntry(name, goldens.size() + " strings");
    }

    private static void check(Tokenizer tokenizer, Goldens.Golden golden) {
        String text = golden.text();
        Encoding encoding = tokenizer.encodeWithOffsets(text, false);
        assertArrayEquals(golden.ids(), encoding.ids(), () -> "ids of: " + text);
        assertArrayEquals(golden.offsets(), Goldens.offsets(encoding), () -> "offsets of: " + text);
        assertArrayEquals(golden.idsSpecial(), tokenizer.encode(text, true), () -> "ids_special of: " + text);
        assertEquals(golden.decoded(), tokenizer.decode(golden.ids(), false));
        assertEquals(golden.decodedSkip(), tokenizer.decode(golden.ids(), true));
        assertEquals(golden.decodedSpecial(), tokenizer.decode(golden.idsSpecial(), false));
    }

    @ParameterizedTest
    @ValueSource(strings = {"stories260k", "babyllama-char105"})
    void equalsTheGoldensOfSmallModels(String model, TestReporter reporter) throws IOException {
        Path folder = SharedFiles.require("models/" + model);
        Tokenizer tokenizer = Tokenizer.read(folder.resolve("tokenizer.json"));
        List<JsonElement> cases = parse(folder.resolve("tokenizer_golden.json"))
                .getAsJsonArray("cases")
                .asList();
        for (JsonElement element : cases) {
            JsonObject golden = element.getAsJsonObject();
            String text = golden.get("text").getAsString();
            int[] ids = Goldens.ints(golden.getAsJsonArray("ids"));
            assertArrayEquals(ids, tokenizer.encode(text, true), text);
            assertArrayEquals(
                    Goldens.ints(golden.getAsJsonArray("ids_no_special")), tokenizer.encode(text, false), text);
            assertEquals(golden.get("decoded").getAsString(), tokenizer.decode(ids, false), text);
        }
        assertTrue(cases.size() >= 5);
        reporter.publishEntry(model, cases.size() + " strings");
    }

    @Test
    void tokenizesTheChatsOfMicroworld() throws IOException {
        Path folder = SharedFiles.require("models/microworld");
        Tokenizer tokenizer = Tokenizer.read(folder.resolve("tokenizer.json"));
        List<JsonElement> prompts =
                parse(folder.resolve("golden.json")).getAsJsonArray("prompts").asList();
        for (JsonElement element : prompts) {
            JsonObject prompt = element.getAsJsonObject();
            String text = prompt.get("text").getAsString();
            int[] ids = Goldens.ints(prompt.getAsJsonArray("token_ids"));
            assertArrayEquals(ids, tokenizer.encode(text, false), text);
            assertEquals(text, tokenizer.decode(ids, false));
        }
        assertTrue(prompts.size() > 1);
    }

    private static JsonObject parse(Path file) throws IOException {
        return JsonParser.parseString(Files.readString(file)).getAsJsonObject();
    }
}
