package dev.tiller.loader.tokenizer;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tiller.loader.SharedFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Reference strings of the tokenizer fixtures. */
final class Goldens {
    static final String FOLDER = "fixtures/tokenizers/";

    private Goldens() {}

    /** One text and what the tokenizers library makes of it; offsets are start, end, start, end... */
    record Golden(
            String text,
            int[] ids,
            int[] idsSpecial,
            int[] offsets,
            String decoded,
            String decodedSkip,
            String decodedSpecial) {}

    static Tokenizer tokenizer(String name) {
        return Tokenizer.read(SharedFiles.require(FOLDER + name).resolve("tokenizer.json"));
    }

    static List<Golden> read(String name) {
        Path file = SharedFiles.require(FOLDER + name).resolve("goldens.jsonl");
        List<Golden> out = new ArrayList<>();
        try {
            for (String line : Files.readString(file).split("\n")) {
                JsonObject golden = JsonParser.parseString(line).getAsJsonObject();
                out.add(new Golden(
                        golden.get("text").getAsString(),
                        ints(golden.getAsJsonArray("ids")),
                        ints(golden.getAsJsonArray("ids_special")),
                        ints(flat(golden.getAsJsonArray("offsets"))),
                        golden.get("decoded").getAsString(),
                        golden.get("decoded_skip").getAsString(),
                        golden.get("decoded_special").getAsString()));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out;
    }

    static int[] ints(JsonArray array) {
        return array.asList().stream().mapToInt(JsonElement::getAsInt).toArray();
    }

    private static JsonArray flat(JsonArray pairs) {
        JsonArray out = new JsonArray();
        pairs.forEach(pair -> out.addAll(pair.getAsJsonArray()));
        return out;
    }

    /** Starts and ends interleaved. */
    static int[] offsets(Encoding encoding) {
        int[] out = new int[2 * encoding.starts().length];
        for (int i = 0; i < out.length; i++) {
            out[i] = i % 2 == 0 ? encoding.starts()[i / 2] : encoding.ends()[i / 2];
        }
        return out;
    }
}
