package dev.tiller.loader.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import dev.tiller.loader.hub.FakeHub.Reply;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which files come, where they lie, what is asked and what is not. */
class PullTest {
    private static final String BIG = "big.safetensors";

    @TempDir
    Path dir;

    private FakeHub hub = Pulling.model(100_000, 1);

    @AfterEach
    void stop() {
        hub.close();
    }

    private Pulling pulling() {
        return new Pulling(hub, dir);
    }

    /** Another hub in place of the ordinary one. */
    private void use(FakeHub other) {
        hub.close();
        hub = other;
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void theFilesOfAModelAndNoOthers() throws IOException {
        Pulling p = pulling();
        PullPlan plan = p.plan("org/tiny");
        assertEquals(List.of(), p.contents());
        assertEquals(
                Pulling.NEEDED, plan.files().stream().map(PullPlan.File::name).toList());
        assertEquals(106_000, plan.total());
        assertEquals(106_000, plan.missing());
        Path snapshot = p.run("org/tiny");
        assertEquals(plan.path(), snapshot);
        assertEquals(dir.resolve("models--org--tiny/snapshots").resolve(FakeHub.COMMIT), snapshot);
        p.assertWhole(snapshot, Pulling.NEEDED);
        assertEquals(FakeHub.COMMIT, Files.readString(dir.resolve("models--org--tiny/refs/main")));
        assertEquals(snapshot, p.cache.find(HubId.parse("org/tiny")));
        assertEquals(snapshot, p.cache.find(HubId.parse("org/tiny@" + FakeHub.COMMIT)));
        assertFalse(hub.requests.stream().anyMatch(r -> r.path().matches(".*(README|pytorch|onnx|msgpack).*")));
        assertEquals(106_000, p.done.getLast());
        assertEquals(106_000, p.totals.getLast());
        assertTrue(p.contents().stream().noneMatch(f -> f.matches(".*(incomplete|tmp)")), p.contents()::toString);
    }

    @Test
    void theTokenGoesToTheEndpointAlone() {
        pulling().run("org/tiny");
        long store = 0;
        for (FakeHub.Request r : hub.requests) {
            boolean atStore = r.headers().get("host").startsWith("localhost");
            String expected = atStore ? null : "Bearer " + Pulling.SECRET;
            assertEquals(expected, r.headers().get("authorization"), r.path());
            assertEquals("identity", r.headers().get("accept-encoding"));
            store += atStore ? 1 : 0;
        }
        assertEquals(1, store);
    }

    @Test
    void aSecondPullDownloadsNothing() throws IOException {
        Pulling p = pulling();
        p.run("org/tiny");
        long gets = hub.count("GET", "/resolve/");
        assertEquals(0, p.plan("org/tiny").missing());
        assertTrue(p.plan("org/tiny").files().stream().allMatch(PullPlan.File::isHere));
        p.run("org/tiny");
        assertEquals(gets, hub.count("GET", "/resolve/"));
        // a blob of the wrong size counts as lost
        p.put("blobs/" + hub.etag("tokenizer.json"), new byte[10]);
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        assertEquals(gets + 1, hub.count("GET", "/resolve/"));
    }

    @Test
    void aNewCommitSharesWhatItHasInCommon() throws IOException {
        Pulling p = pulling();
        Path old = p.run("org/tiny");
        byte[] before = hub.files.get("config.json");
        hub.file("config.json", Pulling.random(701, 9)).commit = "f".repeat(40);
        hub.requests.clear();
        Path now = p.run("org/tiny");
        p.assertWhole(now, Pulling.NEEDED);
        assertEquals(1, hub.count("GET", "/resolve/"));
        assertEquals(now, p.cache.find(HubId.parse("org/tiny")));
        assertEquals(before.length, Files.size(old.resolve("config.json")));
        assertEquals(old, p.cache.find(HubId.parse("org/tiny@" + FakeHub.COMMIT)));
    }

    @Test
    void anUpdateThatBreaksLeavesTheOldModel() throws IOException {
        Pulling p = pulling();
        Path old = p.run("org/tiny");
        hub.largeFile("model.safetensors", Pulling.random(90_000, 9)).commit = "f".repeat(40);
        hub.rule(r -> r.isGet("/store/") ? new Reply(200, Pulling.random(90_000, 3)) : null);
        assertThrows(TillerException.class, () -> p.run("org/tiny"));
        assertEquals(old, p.cache.find(HubId.parse("org/tiny")));
        assertThrows(TillerException.class, () -> p.cache.find(HubId.parse("org/tiny@" + hub.commit)));
    }

    @Test
    void aGivenCommitMakesNoRef() throws IOException {
        Pulling p = pulling();
        p.run("org/tiny@" + FakeHub.COMMIT);
        assertFalse(Files.exists(dir.resolve("models--org--tiny/refs")));
        assertThrows(TillerException.class, () -> p.cache.find(HubId.parse("org/tiny")));
        p.cache.find(HubId.parse("org/tiny@" + FakeHub.COMMIT));
    }

    @Test
    void aRevisionWithSlashes() throws IOException {
        hub.rule(r -> r.path().endsWith("/revision/refs%2Fpr%2F1")
                ? new Reply(200, utf8(hub.listing(hub.files.keySet())))
                : null);
        Path snapshot = pulling().run("org/tiny@refs/pr/1");
        assertEquals(FakeHub.COMMIT, Files.readString(dir.resolve("models--org--tiny/refs/refs/pr/1")));
        assertEquals(snapshot, pulling().cache.find(HubId.parse("org/tiny@refs/pr/1")));
    }

    @Test
    void copiesWhereThereAreNoLinks() throws IOException {
        hub.file("vocab.json", hub.files.get("tokenizer.json"));
        Pulling p = pulling();
        Path linked = p.run("org/tiny");
        p.links = false;
        hub.file("config.json", Pulling.random(10, 3)).file("merges.txt", hub.files.get("config.json")).commit =
                "d".repeat(40);
        Path copied = p.run("org/tiny");
        assertFalse(Files.isSymbolicLink(copied.resolve("config.json")));
        assertTrue(Files.exists(linked.resolve("model.safetensors")));
        assertFalse(Files.exists(p.cache.blob(HubId.parse("org/tiny"), hub.etag("config.json"))));
        p.assertWhole(
                copied,
                Stream.concat(Pulling.NEEDED.stream(), Stream.of("merges.txt", "vocab.json"))
                        .sorted()
                        .toList());
        assertEquals(0, p.plan("org/tiny").missing());
        assertEquals(copied, p.cache.find(HubId.parse("org/tiny")));
    }

    @Test
    void copiesAlone() throws IOException {
        Pulling p = pulling();
        p.links = false;
        Path snapshot = p.run("org/tiny");
        p.assertWhole(snapshot, Pulling.NEEDED);
        assertFalse(Files.isSymbolicLink(snapshot.resolve("config.json")));
        assertEquals(0, p.plan("org/tiny").missing());
        assertEquals(snapshot, p.cache.find(HubId.parse("org/tiny")));
    }

    // ---- shards ----

    private void shards(String index) {
        use(new FakeHub()
                .file("config.json", utf8("{}"))
                .file(Selection.INDEX, utf8(index))
                .largeFile("model-a.safetensors", Pulling.random(1000, 1))
                .largeFile("model-b.safetensors", Pulling.random(1000, 2))
                .largeFile(BIG, Pulling.random(1000, 3)));
    }

    @Test
    void theShardsThatTheIndexNames() throws IOException {
        shards("{\"weight_map\": {\"x\": \"model-b.safetensors\", \"y\": \"model-a.safetensors\"}}");
        Pulling p = pulling();
        Path snapshot = p.run("org/tiny");
        List<String> names = List.of("config.json", "model-a.safetensors", "model-b.safetensors", Selection.INDEX);
        p.assertWhole(snapshot, names);
        assertEquals(snapshot, p.cache.find(HubId.parse("org/tiny")));
        Files.delete(snapshot.resolve("model-b.safetensors"));
        assertMissing(p, "lacks model-b.safetensors", "tiller pull org/tiny");
        assertEquals(0, p.plan("org/tiny").missing());
        Files.delete(p.cache.blob(HubId.parse("org/tiny"), hub.etag("model-a.safetensors")));
        assertMissing(p, "lacks model-a.safetensors");
        p.assertWhole(p.run("org/tiny"), names);
    }

    private static void assertMissing(Pulling p, String... words) {
        String message = assertThrows(TillerException.class, () -> p.cache.find(HubId.parse("org/tiny")))
                .getMessage();
        for (String word : words) {
            assertTrue(message.contains(word), message);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../model.safetensors",
                "/etc/model.safetensors",
                "a/model.safetensors",
                "a\\\\model.safetensors",
                "c:model.safetensors",
                "x\\u0000.safetensors",
                "model.bin"
            })
    void anIndexThatLeadsElsewhere(String shard) throws IOException {
        shards("{\"weight_map\": {\"x\": \"" + shard + "\"}}");
        pulling().fails("org/tiny", Selection.INDEX, "plain name of a .safetensors file");
        assertEquals(List.of(), pulling().contents());
    }

    @Test
    void indexesThatCannotBe() {
        shards("{\"weight_map\": {\"x\": \"model-c.safetensors\"}}");
        pulling().fails("org/tiny", "model-c.safetensors", "not in the repository");
        shards("{\"weight_map\": {\"x\": \"model-a.safetensors\", \"y\": \"MODEL-A.safetensors\"}}");
        hub.largeFile("MODEL-A.safetensors", new byte[5]);
        pulling().fails("org/tiny", "MODEL-A.safetensors", "differ by case");
        shards("{\"weight_map\": {}}");
        pulling().fails("org/tiny", "expected tensors, found none");
        shards("{\"weight_map\"");
        pulling().fails("org/tiny", "not valid JSON");
    }

    // ---- names in listings ----

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../../x",
                "..",
                "a/../../b",
                "/etc/passwd",
                "a//b",
                "a\\b",
                "c:\\x",
                "a\nb",
                "a\u0000b",
                "./a",
                "",
                " "
            })
    void listingsWithNamesThatLeadElsewhere(String name) throws IOException {
        hub.rule(r -> r.path().contains("/revision/")
                ? new Reply(200, utf8(hub.listing(List.of("config.json", "model.safetensors", name))))
                : null);
        pulling().fails("org/tiny", "names of files inside the repository");
        assertEquals(List.of(), pulling().contents());
    }

    @Test
    void listingsThatMakeNoSense() {
        String big = "x".repeat(1 << 20);
        List<String> names = Stream.generate(() -> big).limit(17).toList();
        for (String[] c : new String[][] {
            {"{\"sha\": \"main\", \"siblings\": []}", "40 hex digits"},
            {"{\"sha\": \"../../../../../../../../../../../../xx\", \"siblings\": []}", "40 hex digits"},
            {"{\"siblings\": []}", "\"sha\""},
            {"[]", "JSON object"},
            {"<html>", "not valid JSON"},
            {"{\"sha\": \"" + FakeHub.COMMIT + "\", \"siblings\": [1]}", "rfilename"},
            {hub.listing(List.of("config.json", "config.json")), "listed twice"},
            {hub.listing(List.of()), "found none"},
            {hub.listing(names), "at most 16777216 bytes"}
        }) {
            hub.rule(r -> r.path().contains("/revision/") ? new Reply(200, utf8(c[0])) : null);
            pulling().fails("org/tiny", c[1]);
        }
    }

    // ---- formats ----

    @Test
    void repositoriesWithoutWeightsThatCanBeRead() {
        use(new FakeHub().file("config.json", utf8("{}")).largeFile("pytorch_model.bin", new byte[9]));
        pulling().fails("org/tiny", "pickles (pytorch_model.bin)", "refused");
        use(new FakeHub().file("config.json", utf8("{}")).largeFile("adapter_model.safetensors", new byte[9]));
        pulling().fails("org/tiny", "expected weights as model.safetensors", "found adapter_model.safetensors");
        use(new FakeHub().largeFile("model.safetensors", new byte[9]));
        pulling().fails("org/tiny", "expected config.json");
        use(new FakeHub().largeFile("x-00001-of-00002.gguf", new byte[9]));
        pulling().fails("org/tiny", "one of several parts");
    }

    @Test
    void ggufFiles() throws IOException {
        use(new FakeHub()
                .file("config.json", utf8("{}"))
                .largeFile("mmproj-f16.gguf", new byte[3])
                .largeFile("q8/m.Q8_0.gguf", Pulling.random(5000, 1)));
        Pulling p = pulling();
        Path file = p.run("org/tiny");
        assertEquals("m.Q8_0.gguf", file.getFileName().toString());
        assertEquals("q8/m.Q8_0.gguf", p.plan("org/tiny").id().file());
        p.assertWhole(file.getParent().getParent(), List.of("q8/m.Q8_0.gguf"));
        assertEquals(file, p.cache.find(HubId.parse("org/tiny")));
        assertEquals(file, p.cache.find(HubId.parse("org/tiny/q8/m.Q8_0.gguf")));

        hub.largeFile("m.Q4_0.gguf", Pulling.random(4000, 2)).commit = "e".repeat(40);
        String message =
                assertThrows(TillerException.class, () -> p.run("org/tiny")).getMessage();
        assertTrue(message.contains("--file: m.Q4_0.gguf, q8/m.Q8_0.gguf"), message);
        p.run("org/tiny/m.Q4_0.gguf");
        p.run("org/tiny/m.Q8_0.gguf"); // the folder need not be named
        assertMissing(p, "several files", "org/tiny/m.Q4_0.gguf");
        p.fails("org/tiny/m.Q4_1.gguf", "expected file \"m.Q4_1.gguf\", found m.Q4_0.gguf");
    }

    // ---- several at once ----

    @Test
    void twoPullsOfOneModelDownloadItOnce() throws Exception {
        Pulling one = pulling();
        Pulling two = pulling();
        hub.rule(r -> {
            if (r.isGet("/store/")) {
                CompletableFuture.anyOf(one.noted, two.noted).join(); // the other has found it locked
            }
            return null;
        });
        CompletableFuture<Path> first =
                CompletableFuture.supplyAsync(() -> one.run("org/tiny"), Thread::startVirtualThread);
        CompletableFuture<Path> second =
                CompletableFuture.supplyAsync(() -> two.run("org/tiny"), Thread::startVirtualThread);
        one.assertWhole(first.get(), Pulling.NEEDED);
        two.assertWhole(second.get(), Pulling.NEEDED);
        assertEquals(1, hub.count("GET", "/store/"));
        Stream.concat(one.notes.stream(), two.notes.stream())
                .forEach(n -> assertTrue(n.contains("another process"), n));
    }

    @Test
    void aLockIsForOneAtATime() throws IOException {
        Path file = dir.resolve("x.lock");
        try (HubLock held = HubLock.tryTake(file)) {
            assertTrue(held != null);
            assertNull(HubLock.tryTake(file));
        }
        try (HubLock again = HubLock.tryTake(file)) {
            assertTrue(again != null);
        }
        Path link = Files.createSymbolicLink(dir.resolve("y.lock"), dir.resolve("elsewhere"));
        assertThrows(IOException.class, () -> HubLock.tryTake(link));
        assertFalse(Files.exists(dir.resolve("elsewhere")));
    }
}
