package dev.tiller.loader.hub;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import dev.tiller.loader.hub.FakeHub.Reply;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Folders with something in the way, with odd names, and file systems that know no links. */
class CacheFolderTest {
    private static final HubId TINY = HubId.parse("org/tiny");

    @TempDir
    Path dir;

    private final FakeHub hub = Pulling.model(100_000, 11);

    @AfterEach
    void stop() {
        hub.close();
    }

    private Pulling pulling() {
        return new Pulling(hub, dir);
    }

    /** Fails before any file is asked for, with one line without the name of a Java class. */
    private String failsFirst(Pulling p, String id, String... words) {
        hub.requests.clear();
        String message =
                assertThrows(TillerException.class, () -> p.run(id), id).getMessage();
        for (String word : words) {
            assertTrue(message.contains(word), () -> "\"" + word + "\" is missing in: " + message);
        }
        assertFalse(message.contains("Exception") || message.contains("\n"), message);
        assertEquals(0, hub.count("GET", "/resolve/"), message);
        return message;
    }

    /** The hub knows this revision, at another commit than main. */
    private void revision(String name, String commit) {
        hub.rule(r -> {
            String asked = r.path().replaceFirst(".*/revision/", "");
            if (asked.equals(RepoNames.encode(name, false)) || asked.equals(commit)) {
                return new Reply(
                        200,
                        hub.listing(hub.files.keySet())
                                .replace(FakeHub.COMMIT, commit)
                                .getBytes(StandardCharsets.UTF_8));
            }
            if (!r.path().contains(commit)) {
                return null;
            }
            String path = r.path().replace(commit, FakeHub.COMMIT);
            Reply reply = hub.ordinary(new FakeHub.Request(r.method(), path, r.headers()));
            reply.headers.remove("X-Repo-Commit");
            return reply;
        });
    }

    // ---- revisions ----

    @Test
    void aRevisionBelowAnother() throws IOException {
        String commit = "b".repeat(40);
        revision("main/x", commit);
        Pulling p = pulling();
        Path main = p.run("org/tiny");
        failsFirst(
                p,
                "org/tiny@main/x",
                "revision \"main/x\" cannot lie beside \"main\", which is in the cache",
                "org/tiny@" + commit,
                "tiller cache models --remove org/tiny");
        assertEquals(main, p.cache.find(TINY));
        Path other = p.run("org/tiny@" + commit);
        assertEquals(other, p.cache.find(HubId.parse("org/tiny@" + commit)));
        assertEquals(main, p.cache.find(TINY));
    }

    @Test
    void aRevisionAboveAnother() throws IOException {
        String commit = "b".repeat(40);
        revision("main/x/y", commit);
        revision("main/x", commit);
        Pulling p = pulling();
        Path below = p.run("org/tiny@main/x/y");
        failsFirst(p, "org/tiny", "\"main\" cannot lie beside one that begins with \"main/\"", FakeHub.COMMIT);
        failsFirst(p, "org/tiny@main/x", "cannot lie beside one that begins with \"main/x/\"");
        assertEquals(below, p.cache.find(HubId.parse("org/tiny@main/x/y")));
        assertThrows(TillerException.class, () -> p.cache.find(TINY));
        new HubModels(dir).remove(TINY);
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
    }

    @Test
    void aBranchThatLostItsCommitIsToldAgain() throws IOException {
        Pulling p = pulling();
        Path snapshot = p.run("org/tiny");
        p.put("refs/main", "nonsense".getBytes(StandardCharsets.UTF_8));
        assertThrows(TillerException.class, () -> p.cache.find(TINY));
        p.run("org/tiny");
        assertEquals(snapshot, p.cache.find(TINY));
    }

    @ParameterizedTest
    @ValueSource(strings = {"refs/pr/3", "feature/ü 1%2F", "v1.0+x", "-x", "a#b?c&d"})
    void revisionsWithOddNames(String name) throws IOException {
        String commit = "c".repeat(40);
        revision(name, commit);
        Path snapshot = pulling().run("org/tiny@" + name);
        assertEquals(
                commit, Files.readString(dir.resolve("models--org--tiny/refs").resolve(name)));
        assertEquals(snapshot, pulling().cache.find(HubId.parse("org/tiny@" + name)));
    }

    // ---- what stands in the way ----

    @ParameterizedTest
    @ValueSource(strings = {"", "models--org--tiny", "models--org--tiny/blobs", "models--org--tiny/snapshots/COMMIT"})
    void noFolders(String path) throws IOException {
        Path folder = dir.resolve("cache");
        Path at = folder.resolve(path.replace("COMMIT", FakeHub.COMMIT));
        Files.createDirectories(at.getParent());
        Files.writeString(at, "x");
        failsFirst(new Pulling(hub, folder), "org/tiny", at + ": expected a folder, found a file");
        Files.delete(at);
        Files.createSymbolicLink(at, dir.resolve("nowhere"));
        failsFirst(new Pulling(hub, folder), "org/tiny", at + ": expected a folder, found a link that leads nowhere");
        Files.delete(at);
        new Pulling(hub, folder).run("org/tiny");
    }

    @Test
    void foldersThatAreElsewhere() throws IOException {
        Path disk = Files.createDirectories(dir.resolve("disk"));
        for (String path : List.of("models--org--tiny", "blobs", "snapshots")) {
            Path folder = Files.createDirectories(dir.resolve("cache-" + path));
            Path at = path.startsWith("models") ? folder.resolve(path) : folder.resolve("models--org--tiny/" + path);
            Files.createDirectories(at.getParent());
            Files.createSymbolicLink(at, Files.createDirectories(disk.resolve("deep/" + path)));
            Pulling p = new Pulling(hub, folder);
            p.links = !path.equals("snapshots"); // a relative link from there would lead nowhere
            Pulling asUsual = new Pulling(hub, folder);
            Path snapshot = asUsual.run("org/tiny");
            p.assertWhole(snapshot, Pulling.NEEDED);
            assertEquals(snapshot, p.cache.find(TINY));
            assertEquals(0, asUsual.plan("org/tiny").missing());
        }
        Path folder = dir.resolve("cache-models--org--tiny");
        assertTrue(new HubModels(folder).list().getFirst().bytes() > 100_000);
        new HubModels(folder).remove(TINY);
        assertEquals(List.of(), new HubModels(folder).list());
        assertTrue(Files.exists(disk.resolve("deep/models--org--tiny/refs/main")));
    }

    @Test
    void foldersWhereFilesShouldBe() throws IOException {
        Pulling p = pulling();
        String etag = hub.etag("model.safetensors");
        for (String path : List.of("blobs/" + etag, "snapshots/" + FakeHub.COMMIT + "/config.json")) {
            Path at = Files.createDirectories(dir.resolve("models--org--tiny").resolve(path));
            failsFirst(p, "org/tiny", at + ": expected a file or nothing, found a folder");
            Files.delete(at);
        }
        Path part = p.put("blobs/" + etag + ".incomplete/x", new byte[1]).getParent();
        assertTrue(error(p).contains(part + ": cannot be written (a directory that is not empty)"), error(p));
        Files.delete(part.resolve("x")); // an empty one may go
        Path lock = dir.resolve(".locks/models--org--tiny/" + etag + ".lock");
        Files.delete(lock);
        Files.createDirectory(lock);
        assertTrue(error(p).startsWith(lock + ": expected a file that can be made and locked ("), error(p));
        Files.delete(lock);
        Files.move(lock.getParent(), dir.resolve("elsewhere"));
        Files.writeString(lock.getParent(), "x");
        assertTrue(error(p).contains(lock.getParent() + ": expected a folder, found a file"), error(p));
        Files.delete(lock.getParent());
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
    }

    private static String error(Pulling p) {
        String message =
                assertThrows(TillerException.class, () -> p.run("org/tiny")).getMessage();
        assertFalse(message.contains("Exception") || message.contains("\n"), message);
        return message;
    }

    @Test
    void linksThatLeadNowhereAreReplaced() throws IOException {
        Pulling p = pulling();
        for (String path :
                List.of("blobs/" + hub.etag("config.json"), "snapshots/" + FakeHub.COMMIT + "/config.json")) {
            Path at = dir.resolve("models--org--tiny").resolve(path);
            Files.createDirectories(at.getParent());
            Files.createSymbolicLink(at, Path.of("nowhere"));
        }
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
    }

    @Test
    void aCacheThatCannotBeWrittenTo() throws IOException {
        Pulling p = pulling();
        p.run("org/tiny");
        Map<Path, FileTime> before = paths();
        p.run("org/tiny");
        assertEquals(before, paths(), "what is there needs no writing");
        p.parts = file -> {
            throw new AccessDeniedException(file.toString());
        };
        hub.file("tokenizer.json", new byte[9]);
        assertTrue(
                error(p).contains(hub.etag("tokenizer.json") + ".incomplete: cannot be written (permission denied)"));
    }

    /** All paths with the time of their last change. */
    private Map<Path, FileTime> paths() throws IOException {
        Map<Path, FileTime> out = new TreeMap<>();
        try (Stream<Path> found = Files.walk(dir)) {
            for (Path f : found.toList()) {
                out.put(f, Files.getLastModifiedTime(f, LinkOption.NOFOLLOW_LINKS));
            }
        }
        return out;
    }

    @Test
    void aFolderOfSomebodyElse() throws IOException {
        Path folder = Files.createDirectories(dir.resolve("theirs"));
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("r-xr-xr-x"));
        Assumptions.assumeFalse(Files.isWritable(folder), "root may write everywhere");
        String message = error(new Pulling(hub, folder));
        assertTrue(message.endsWith("cannot be made (permission denied)"), message);
    }

    @ParameterizedTest
    @ValueSource(strings = {"a b", "ü/模型", "100%/a+b", "-x", "#?&=;'\"", "with\nline"})
    void foldersWithOddNames(String name) throws IOException {
        Pulling p = new Pulling(hub, dir.resolve(name));
        Path snapshot = p.run("org/tiny");
        p.assertWhole(snapshot, Pulling.NEEDED);
        assertEquals(snapshot, p.cache.find(TINY));
    }

    @Test
    void aNameAsLongAsTheyGet() throws IOException {
        String name = "q".repeat(250) + ".gguf";
        try (FakeHub other = new FakeHub().largeFile(name, Pulling.random(1000, 1))) {
            Path file = new Pulling(other, dir).run("org/tiny");
            assertEquals(name, file.getFileName().toString());
        }
    }

    // ---- file systems without links ----

    /** As on Windows without the right to make links ({@code hard}: there are hard links), or on an exFAT stick. */
    private static final class NoLinks implements FileLinks {
        final AtomicInteger tried = new AtomicInteger();
        private final boolean hard;

        NoLinks(boolean hard) {
            this.hard = hard;
        }

        @Override
        public void symbolic(Path link, Path to) throws IOException {
            tried.incrementAndGet();
            throw new FileSystemException(link.toString(), null, "A required privilege is not held by the client");
        }

        @Override
        public void hard(Path link, Path existing) throws IOException {
            if (!hard) {
                throw new UnsupportedOperationException();
            }
            FileLinks.NORMAL.hard(link, existing);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void filesLieInTheSnapshotWhereThereAreNoLinks(boolean hard) throws IOException {
        // two names of one content, and one that an older snapshot has a link to
        hub.file("vocab.json", hub.files.get("tokenizer.json"));
        Pulling p = pulling();
        NoLinks none = new NoLinks(hard);
        p.fileLinks = none;
        Path snapshot = p.run("org/tiny");
        assertTrue(none.tried.get() > 0);
        p.links = false; // for what is compared
        List<String> names = Stream.concat(Pulling.NEEDED.stream(), Stream.of("vocab.json"))
                .sorted()
                .toList();
        p.assertWhole(snapshot, names);
        for (String name : names) {
            assertFalse(Files.isSymbolicLink(snapshot.resolve(name)), name);
            assertFalse(Files.exists(p.cache.blob(TINY, hub.etag(name))), "nothing is kept twice");
        }
        p.links = true;
        assertEquals(snapshot, p.cache.find(TINY));
        assertEquals(0, p.plan("org/tiny").missing());
        long gets = hub.count("GET", "/resolve/");
        p.run("org/tiny");
        assertEquals(gets, hub.count("GET", "/resolve/"));
    }

    @Test
    void copiesAndLinksInOneCache() throws IOException {
        Pulling p = pulling();
        Path linked = p.run("org/tiny");
        byte[] weights = hub.files.get("model.safetensors");
        hub.file("config.json", Pulling.random(50, 1)).commit = "d".repeat(40);
        p.fileLinks = new NoLinks(false);
        Path copied = p.run("org/tiny");
        // blobs that older snapshots link to stay
        assertTrue(Files.isSymbolicLink(linked.resolve("model.safetensors")));
        assertArrayEquals(weights, Files.readAllBytes(linked.resolve("model.safetensors")));
        assertArrayEquals(weights, Files.readAllBytes(copied.resolve("model.safetensors")));
        assertFalse(Files.isSymbolicLink(copied.resolve("config.json")));
        // a second name of a content that lies there as a copy, now with links again
        hub.file("vocab.json", hub.files.get("config.json"));
        p.fileLinks = FileLinks.NORMAL;
        Path both = p.run("org/tiny");
        assertArrayEquals(hub.files.get("vocab.json"), Files.readAllBytes(both.resolve("vocab.json")));
        assertEquals(0, p.plan("org/tiny").missing());
    }
}
