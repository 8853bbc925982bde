package dev.tiller.loader.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Finding models without network, and throwing them away. */
class HubCacheTest {
    private static final String COMMIT = "a".repeat(40);

    @TempDir
    Path dir;

    private Path folder;
    private HubCache cache;

    @BeforeEach
    void make() {
        folder = dir.resolve("hub");
        cache = new HubCache(folder);
    }

    private void put(String path, String text) throws IOException {
        Path file = folder.resolve("models--org--name").resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private void inSnapshot(String file, String text) throws IOException {
        put("snapshots/" + COMMIT + "/" + file, text);
    }

    private void missing(String id, String... words) {
        String message = assertThrows(TillerException.class, () -> cache.find(HubId.parse(id)))
                .getMessage();
        for (String word : words) {
            assertTrue(message.contains(word), () -> word + " is missing in: " + message);
        }
        assertFalse(message.contains("\n"), message);
    }

    @Test
    void whatIsNotThere() throws IOException {
        missing("org/name", "org/name: not in the cache (" + folder + "): tiller pull org/name");
        put("refs/main", COMMIT);
        missing("org/name", "commit " + COMMIT + " is not in the cache", "tiller pull org/name");
        inSnapshot("tokenizer.json", "{}");
        missing("org/name@v2", "revision v2 is not in the cache", "tiller pull org/name@v2");
        missing("org/name@" + "b".repeat(40), "is not in the cache");
        missing("org/name", "incomplete", "lacks config.json");
        inSnapshot("config.json", "{}");
        missing("org/name", "incomplete", "lacks model.safetensors");
        missing("org/name/x.gguf", "not in the cache", "tiller pull org/name/x.gguf");
    }

    @Test
    void refsAreNotTrusted() throws IOException {
        for (String ref : List.of("../../../../etc", "", "a".repeat(39), "A".repeat(40), "x".repeat(5000))) {
            put("refs/main", ref);
            missing("org/name", "refs/main: expected a commit of 40 hex digits");
        }
        put("refs/main", COMMIT + "\n"); // as a person may have written it
        inSnapshot("config.json", "{}");
        inSnapshot("model.safetensors", "x");
        assertEquals(folder.resolve("models--org--name/snapshots/" + COMMIT), cache.find(HubId.parse("org/name")));
    }

    @Test
    void brokenLinksAreNotFiles() throws IOException {
        put("refs/main", COMMIT);
        inSnapshot("config.json", "{}");
        Path weights = folder.resolve("models--org--name/snapshots/" + COMMIT + "/model.safetensors");
        Files.createSymbolicLink(weights, Path.of("../../blobs/x"));
        missing("org/name", "lacks model.safetensors");
        put("blobs/x.incomplete", "half");
        missing("org/name", "lacks model.safetensors");
        put("blobs/x", "whole");
        cache.find(HubId.parse("org/name"));
    }

    @Test
    void namesOfSnapshots() {
        Path snapshot = Path.of("/c/models--org--My-Model/snapshots").resolve(COMMIT);
        assertEquals(Optional.of("My-Model"), HubCache.modelName(snapshot));
        assertEquals(Optional.of("gpt2"), HubCache.modelName(Path.of("/c/models--gpt2/snapshots/x")));
        assertEquals(Optional.empty(), HubCache.modelName(snapshot.resolve("m.gguf")));
        assertEquals(Optional.empty(), HubCache.modelName(Path.of("models/microworld")));
        assertEquals(Optional.empty(), HubCache.modelName(Path.of("/")));
    }

    @Test
    void listAndRemove() throws IOException {
        HubModels models = new HubModels(folder);
        assertEquals(List.of(), models.list());
        put("blobs/x", "12345");
        inSnapshot("config.json", "{}");
        Path outside = Files.createDirectories(dir.resolve("outside"));
        Files.writeString(outside.resolve("keep"), "me");
        Files.createSymbolicLink(folder.resolve("models--org--name/snapshots/link"), outside);
        Files.createDirectories(folder.resolve("models--gpt2/refs"));
        Files.createDirectories(folder.resolve("datasets--x--y"));
        assertEquals(List.of(new HubModels.Entry("org/name", 7, 2), new HubModels.Entry("gpt2", 0, 0)), models.list());
        assertEquals(7, models.remove(HubId.parse("org/name")));
        assertEquals(1, models.list().size());
        assertEquals("me", Files.readString(outside.resolve("keep")));
        assertThrows(TillerException.class, () -> models.remove(HubId.parse("org/name")));
    }
}
