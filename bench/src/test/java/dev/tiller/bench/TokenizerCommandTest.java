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
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code tiller bench tokenizer} on the bundled model, and its part of the page. */
class TokenizerCommandTest {
    @TempDir
    Path folder;

    private static Outcome measure(String... options) {
        List<String> args =
                new ArrayList<>(List.of("bench", "tokenizer", "--warm-up", "0", "--bytes", "4000", "--text"));
        args.add(SharedFiles.repository("README.md").toString());
        args.add("--tokenizer");
        args.add(SharedFiles.repository("models/microworld").toString());
        args.addAll(List.of(options));
        return Outcome.of(args);
    }

    @Test
    void everyRowHasARateAndThePageShowsThem() throws IOException {
        Outcome o = measure("--rounds", "2", "--json");
        assertEquals(0, o.code(), o.err());
        JsonObject json = Json.parseObject(o.out(), "out");
        assertTrue(Json.integer(json, "bytes", "out") <= 4000);
        List<String> names = new ArrayList<>();
        for (JsonElement e : Json.array(json, "rows", "out")) {
            JsonObject row = e.getAsJsonObject();
            names.add(Json.string(row, "row", "out"));
            JsonObject rate = Json.object(row, "mb_per_second", "out");
            assertEquals(2, Json.integer(rate, "n", "out"));
            assertTrue(Json.number(rate, "median", "out") > 0);
            assertTrue(Json.integer(row, "tokens", "out") > 500);
        }
        assertEquals(List.of("encode", "encode_whole", "decode"), names);
        Files.writeString(folder.resolve("tokenizer.json"), o.out());
        assertEquals(0, Outcome.of(List.of("bench", "page", folder.toString())).code());
        String page = Files.readString(folder.resolve("README.md"));
        assertTrue(page.contains("| microworld | encode_whole |"), page);
    }

    @Test
    void aPeerThatFindsOtherTokensIsNotComparedWith() {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        String classes = System.getProperty("java.class.path");
        String peer = java + " -cp " + classes + " " + StandInPeer.class.getName();
        Outcome o = measure("--rounds", "1", "--peer", peer);
        assertEquals(1, o.code(), o.err());
        assertTrue(o.err().contains("expected the same"), o.err());
    }

    @Test
    void saysWhichTextIsEmpty() throws IOException {
        Path empty = Files.createFile(folder.resolve("empty.txt"));
        Outcome o = Outcome.of(List.of("bench", "tokenizer", "--text", empty.toString()));
        assertEquals(1, o.code(), o.err());
        assertTrue(o.err().contains("empty.txt"), o.err());
    }
}
