package dev.tiller.loader.hub;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.LongConsumer;
import java.util.function.LongSupplier;
import java.util.stream.Stream;
import javax.net.ssl.SSLContext;

/** Pulls from a {@link FakeHub} into a folder, without waiting, and looks at what is there afterwards. */
final class Pulling implements PullListener {
    static final String SECRET = "hf_ThisMustNeverBeSeenAnywhere";

    final FakeHub hub;
    final Path folder;
    final HubCache cache;
    final List<Duration> waits = new CopyOnWriteArrayList<>();
    final List<String> notes = new CopyOnWriteArrayList<>();
    final List<Long> done = new ArrayList<>();
    final List<Long> totals = new ArrayList<>();
    final CompletableFuture<Void> noted = new CompletableFuture<>();
    Duration answer = Duration.ofSeconds(20);
    Duration stall = Duration.ofSeconds(20);
    LongConsumer onBytes = done -> {};
    int attempts = 6;
    boolean token = true;
    boolean links = true;
    PartFile.Opener parts = PartFile::open;
    FileLinks fileLinks = FileLinks.NORMAL;
    LongSupplier clock = System::nanoTime;
    Map<String, String> environment = Map.of();

    Pulling(FakeHub hub, Path folder) {
        this.hub = hub;
        this.folder = folder;
        this.cache = new HubCache(folder);
    }

    /** A small model in one safetensors file of that size, with what else such repositories hold. */
    static FakeHub model(int bytes, long seed) {
        return fill(new FakeHub(), bytes, seed);
    }

    /** The same over TLS. */
    static FakeHub over(SSLContext context, int bytes, long seed) {
        return fill(FakeHub.secure(context), bytes, seed);
    }

    private static FakeHub fill(FakeHub hub, int bytes, long seed) {
        return hub.file("README.md", random(300, seed))
                .file("config.json", random(700, seed + 1))
                .file("generation_config.json", random(0, seed))
                .file("tokenizer.json", random(5000, seed + 2))
                .file("tokenizer_config.json", random(100, seed + 3))
                .file("chat_template.jinja", random(200, seed + 4))
                .largeFile("model.safetensors", random(bytes, seed + 5))
                .largeFile("pytorch_model.bin", random(10, seed))
                .largeFile("onnx/model.onnx", random(10, seed))
                .largeFile("flax_model.msgpack", random(10, seed));
    }

    static final List<String> NEEDED = List.of(
            "chat_template.jinja",
            "config.json",
            "generation_config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json");

    static byte[] random(int n, long seed) {
        byte[] bytes = new byte[n];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    HubLimits limits() {
        return new HubLimits(
                Duration.ofSeconds(20),
                answer,
                stall,
                attempts,
                Duration.ofMinutes(5),
                4,
                waits::add,
                clock,
                parts,
                fileLinks);
    }

    HubSettings settings() {
        Optional<HubToken> given = token ? HubToken.of(SECRET, "HF_TOKEN") : Optional.empty();
        return new HubSettings(
                URI.create(hub.endpoint()),
                given,
                folder,
                false,
                links,
                new HubProxies(environment),
                HubTrust.of(environment));
    }

    PullPlan plan(String id) {
        try (Pull pull = new Pull(settings(), HubId.parse(id), this, limits())) {
            return pull.plan();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    Path run(String id) {
        try {
            return runOrStop(id);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    Path runOrStop(String id) throws InterruptedException {
        try (Pull pull = new Pull(settings(), HubId.parse(id), this, limits())) {
            return pull.run(pull.plan());
        }
    }

    /** The pull fails with one line that has those words, does not show the token, and leaves nothing that looks whole. */
    String fails(String id, String... words) {
        String message = assertThrows(TillerException.class, () -> run(id), id).getMessage();
        for (String word : words) {
            assertTrue(message.contains(word), () -> "\"" + word + "\" is missing in: " + message);
        }
        assertFalse(message.contains("\n"), message);
        checkSecrets(message);
        assertThrows(TillerException.class, () -> cache.find(HubId.parse(id)));
        return message;
    }

    void checkSecrets(String message) {
        for (String text : Stream.concat(Stream.of(message), notes.stream()).toList()) {
            assertFalse(text.contains(SECRET) || text.contains("Signature"), text);
        }
    }

    /** The snapshot has exactly those files, with the bytes of the hub, as links to blobs that are named by checksum. */
    void assertWhole(Path snapshot, List<String> names) throws IOException {
        try (Stream<Path> found = Files.walk(snapshot)) {
            assertEquals(
                    names,
                    found.filter(Files::isRegularFile)
                            .map(f -> snapshot.relativize(f).toString())
                            .sorted()
                            .toList());
        }
        for (String name : names) {
            Path file = snapshot.resolve(name);
            assertArrayEquals(hub.files.get(name), Files.readAllBytes(file), name);
            if (links) {
                Path target = Files.readSymbolicLink(file);
                assertFalse(target.isAbsolute(), target.toString());
                assertEquals(
                        folder.resolve("models--org--tiny/blobs")
                                .resolve(hub.etag(name))
                                .toRealPath(),
                        file.toRealPath());
            }
        }
        checkSecrets("");
    }

    /** Files of the cache by their paths, without lock files. */
    List<String> contents() throws IOException {
        try (Stream<Path> found = Files.walk(folder)) {
            return found.filter(f -> Files.isRegularFile(f) && !f.toString().endsWith(".lock"))
                    .map(f -> folder.relativize(f).toString())
                    .sorted()
                    .toList();
        }
    }

    /** Puts a file under a path of the repository's folder. */
    Path put(String path, byte[] bytes) throws IOException {
        Path file = folder.resolve("models--org--tiny").resolve(path);
        Files.createDirectories(file.getParent());
        return Files.write(file, bytes);
    }

    static HubSettings settings(Map<String, String> environment) {
        return HubSettings.of(environment, null);
    }

    @Override
    public void bytes(long now, long total) {
        done.add(now);
        totals.add(total);
        onBytes.accept(now);
    }

    @Override
    public void note(String line) {
        notes.add(line);
        noted.complete(null);
    }
}
