package dev.tiller.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.Json;
import dev.tiller.loader.SharedFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code tiller bench quality} on the bundled model, and its page. */
class QualityCommandTest {
    @TempDir
    Path folder;

    private Outcome quality(String... options) throws IOException {
        Path text =
                Files.writeString(folder.resolve("text.txt"), "You can help her make a new toast, or not. ".repeat(40));
        List<String> args = new ArrayList<>(List.of("bench", "quality", "--window", "64", "--text", text.toString()));
        args.addAll(
                List.of("--model", SharedFiles.repository("models/microworld").toString()));
        args.addAll(List.of(options));
        return Outcome.of(args);
    }

    @Test
    void fewerBitsAreFurtherFromFloat32() throws IOException {
        Outcome o = quality("--windows", "0..3", "--weights", "f32,bf16,q8,q4", "--json");
        assertEquals(0, o.code(), o.err());
        JsonObject json = Json.parseObject(o.out(), "out");
        assertEquals(4 * 63, Json.integer(json, "tokens", "out"));
        Map<String, JsonObject> rows = new LinkedHashMap<>();
        for (JsonElement e : Json.array(json, "rows", "out")) {
            rows.put(Json.string(e.getAsJsonObject(), "weights", "out"), e.getAsJsonObject());
        }
        assertEquals(List.of("f32", "bf16", "q8", "q4+q8"), List.copyOf(rows.keySet()));
        JsonObject same = rows.get("f32");
        assertEquals(0, Json.number(same, "kl_max", "out"), 1e-12);
        assertEquals(1, Json.number(same, "same_top", "out"));
        assertEquals(1, Json.number(same, "ratio", "out"));
        assertEquals(Json.number(json, "perplexity_f32", "out"), Json.number(same, "perplexity", "out"), 1e-9);
        assertEquals(4, Json.number(same, "bytes_per_weight", "out"));
        for (JsonObject r : rows.values()) {
            double mean = Json.number(r, "kl_mean", "out");
            double largest = Json.number(r, "kl_99", "out");
            assertTrue(mean <= largest && largest <= Json.number(r, "kl_max", "out"), r.toString());
        }
        double q8 = Json.number(rows.get("q8"), "kl_mean", "out");
        assertTrue(q8 > 0 && Json.number(rows.get("q4+q8"), "kl_mean", "out") > 4 * q8, o.out());
        assertTrue(Json.number(rows.get("q4+q8"), "bytes_per_weight", "out") < 1.1, o.out());

        Files.writeString(folder.resolve("quality-small.json"), o.out());
        Files.writeString(folder.resolve("quality.md"), "\nWhat people say.\n");
        assertEquals(0, Outcome.of(List.of("bench", "page", folder.toString())).code());
        String page = Files.readString(folder.resolve("README.md"));
        assertTrue(page.contains("\nWhat people say.\n\n### What formats of weights change: microworld"), page);
        assertTrue(page.contains("| q4+q8 | ") && page.contains("(quality-small.svg)"), page);
        assertTrue(Files.readString(folder.resolve("quality-small.svg")).contains("q4+q8"), page);
    }

    @Test
    void theTableIsForPeople() throws IOException {
        Outcome o = quality("--windows", "1", "--weights", "q8");
        assertEquals(0, o.code(), o.err());
        assertTrue(o.out().contains("over 63 tokens in 1 windows") && o.out().contains("\nq8 "), o.out());
        Outcome wrong = quality("--windows", "4..2");
        assertTrue(wrong.code() != 0 && wrong.err().contains("windows such as 0..3"), wrong.err());
    }
}
