package dev.tiller.loader.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The keys of published files give the tokens of the same models' tokenizer.json. */
class GgufTokenizerTest {
    @Test
    void smollmEqualsTheTokenizersLibrary() throws IOException {
        Path goldens = SharedFiles.require("fixtures/tokenizers/smollm2/goldens.jsonl");
        Path file = SharedFiles.require("models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf");
        int compared = 0;
        try (GgufModel model = GgufModel.open(file)) {
            Tokenizer tokenizer = model.tokenizer();
            assertEquals(49152, tokenizer.vocabSize());
            for (String line : Files.readString(goldens).split("\n")) {
                JsonObject golden = JsonParser.parseString(line).getAsJsonObject();
                String text = golden.get("text").getAsString();
                int[] ids = ints(golden.getAsJsonArray("ids"));
                assertArrayEquals(ids, tokenizer.encode(text, false), text);
                assertArrayEquals(ints(golden.getAsJsonArray("ids_special")), tokenizer.encode(text, true), text);
                assertEquals(golden.get("decoded").getAsString(), tokenizer.decode(ids, false));
                assertEquals(golden.get("decoded_skip").getAsString(), tokenizer.decode(ids, true));
                compared++;
            }
        }
        assertEquals(408, compared);
    }

    @Test
    void storiesEqualTheirTokenizerJson() throws IOException {
        Path folder = SharedFiles.require("models/stories260k");
        JsonArray cases = JsonParser.parseString(Files.readString(folder.resolve("tokenizer_golden.json")))
                .getAsJsonObject()
                .getAsJsonArray("cases");
        try (GgufModel model = GgufModel.open(folder.resolve("stories260Ktok512.gguf"))) {
            Tokenizer tokenizer = model.tokenizer();
            for (JsonElement element : cases) {
                JsonObject golden = element.getAsJsonObject();
                String text = golden.get("text").getAsString();
                int[] ids = ints(golden.getAsJsonArray("ids"));
                assertArrayEquals(ids, tokenizer.encode(text, true), text);
                assertArrayEquals(ints(golden.getAsJsonArray("ids_no_special")), tokenizer.encode(text, false), text);
                assertEquals(golden.get("decoded").getAsString(), tokenizer.decode(ids, false));
            }
        }
    }

    private static int[] ints(JsonArray array) {
        return array.asList().stream().mapToInt(JsonElement::getAsInt).toArray();
    }
}
