package dev.tiller.loader.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import dev.tiller.loader.hub.FakeHub.Reply;
import dev.tiller.loader.hub.FakeHub.Request;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Servers that break off, lie, refuse or wait: the file comes whole, or an error says why and nothing looks whole. */
class BrokenDownloadTest {
    private static final int SIZE = 400_000;
    private static final String STORE = "/store/model.safetensors";

    @TempDir
    Path dir;

    private final FakeHub hub = Pulling.model(SIZE, 7);

    @AfterEach
    void stop() {
        hub.close();
    }

    private Pulling pulling() {
        return new Pulling(hub, dir);
    }

    private byte[] weights() {
        return hub.files.get("model.safetensors");
    }

    /** How the store answers requests for the weights, by their number from 0 on; null for the ordinary answer. */
    private void store(Function<Integer, Function<Request, Reply>> answers) {
        AtomicInteger n = new AtomicInteger();
        hub.rule(r -> {
            Function<Request, Reply> answer = r.isGet(STORE) ? answers.apply(n.getAndIncrement()) : null;
            return answer == null ? null : answer.apply(r);
        });
    }

    private Path incomplete() {
        return dir.resolve("models--org--tiny/blobs").resolve(hub.etag("model.safetensors") + ".incomplete");
    }

    // ---- connections that break ----

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void connectionsThatBreakAnywhere(long seed) throws IOException {
        Random random = new Random(seed);
        hub.rule(r -> {
            synchronized (random) {
                if (!r.method().equals("GET") || random.nextInt(4) == 0) {
                    return null;
                }
                Reply reply = hub.ordinary(r).cut(random.nextInt(SIZE / 2));
                return random.nextBoolean() ? reply.reset() : reply;
            }
        });
        Pulling p = pulling();
        // When luck is bad it gives up; then the next pull goes on where that one was.
        for (int i = 0; i < 20; i++) {
            try {
                p.run("org/tiny");
                break;
            } catch (TillerException e) {
                p.checkSecrets(e.getMessage());
                assertThrows(TillerException.class, () -> p.cache.find(HubId.parse("org/tiny")));
            }
        }
        p.assertWhole(p.cache.find(HubId.parse("org/tiny")), Pulling.NEEDED);
    }

    @Test
    void whatCameIsNotAskedForAgain() throws IOException {
        store(n -> n < 3 ? r -> hub.ordinary(r).cut(100_000) : null);
        Pulling p = pulling();
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        assertEquals(
                List.of(0L, 100_000L, 200_000L, 300_000L),
                hub.requests.stream()
                        .filter(r -> r.isGet(STORE))
                        .map(Request::from)
                        .toList());
        // each gained something, so none waited longer than the first time
        assertEquals(List.of(Duration.ofSeconds(1), Duration.ofSeconds(1), Duration.ofSeconds(1)), p.waits);
    }

    @Test
    void giveUpAfterSomeTriesAndGoOnLater() throws IOException {
        store(n -> n < 6 ? r -> hub.ordinary(r).cut(1000) : null);
        Pulling p = pulling();
        p.fails("org/tiny", "/model.safetensors", "after 6 tries");
        assertEquals(
                List.of(1L, 2L, 4L, 8L, 16L),
                p.waits.stream().map(Duration::toSeconds).toList());
        assertEquals(6000, Files.size(incomplete()));
        PullPlan plan = p.plan("org/tiny");
        assertTrue(plan.files().contains(new PullPlan.File("model.safetensors", SIZE, 6000)), plan::toString);
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        assertEquals(
                6000,
                hub.requests.stream()
                        .filter(r -> r.isGet(STORE))
                        .toList()
                        .getLast()
                        .from());
        assertFalse(Files.exists(incomplete()));
    }

    @Test
    void aServerThatIgnoresRanges() throws IOException {
        store(n -> r -> new Reply(200, weights()).cut(n < 2 ? 150_000 : SIZE));
        Pulling p = pulling();
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        assertEquals(3, hub.count("GET", STORE));
    }

    @Test
    void aServerThatIgnoresRangesAndNeverFinishes() {
        store(n -> r -> new Reply(200, weights()).cut(n % 2 == 0 ? 300_000 : 1000));
        pulling().fails("org/tiny", "/model.safetensors", "tries");
        assertTrue(hub.count("GET", STORE) < 20);
    }

    @Test
    void stalledConnections() {
        store(n -> r -> hub.ordinary(r).cut(1000).hanging());
        Pulling p = pulling();
        p.stall = Duration.ofMillis(400);
        p.attempts = 2;
        p.fails("org/tiny", "/model.safetensors", "nothing came for 0.4 s", "after 2 tries");
        hub.rule(r -> r.path().contains("/revision/")
                ? new Reply(200, new byte[100]).cut(0).hanging()
                : null);
        p.attempts = 1;
        p.fails("org/tiny", "/revision/main", "nothing came");
    }

    @Test
    void aServerThatNeverAnswers() {
        hub.rule(r -> {
            if (r.path().contains("/revision/")) {
                try {
                    Thread.sleep(60_000); // the client is long gone then
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
            return null;
        });
        Pulling p = pulling();
        p.answer = Duration.ofMillis(50);
        p.fails("org/tiny", "/revision/main", "no answer within the time");
    }

    @Test
    void noServer() {
        hub.close();
        pulling().fails("org/tiny", "/api/models/org/tiny/revision/main", "cannot connect");
    }

    // ---- lies ----

    @Test
    void lengthsThatAreNotTrue() throws IOException {
        // announces less, announces more, sends more than there is, sends less and ends as if that were all
        store(n -> switch (n) {
            case 0 -> r -> new Reply(200, weights()).announcing(SIZE - 5);
            case 1 -> r -> new Reply(200, weights()).announcing(SIZE + 5);
            case 2 -> r -> new Reply(200, Arrays.copyOf(weights(), SIZE + 5)).chunked();
            case 3 -> r -> new Reply(200, Arrays.copyOf(weights(), 200_000)).chunked();
            default -> null;
        });
        Pulling p = pulling();
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        assertEquals(5, hub.count("GET", STORE));
        hub.commit = "f".repeat(40);
        hub.largeFile("model.safetensors", Pulling.random(SIZE, 99));
        store(n -> r -> new Reply(200, weights()).announcing(SIZE + 5));
        String message =
                assertThrows(TillerException.class, () -> p.run("org/tiny")).getMessage();
        assertTrue(message.contains("expected 400000 bytes, the server announces 400005"), message);
    }

    @Test
    void filesWithoutALength() throws IOException {
        hub.rule(r -> r.path().contains("/resolve/") && !r.path().contains("model.safetensors")
                ? hub.ordinary(r).chunked()
                : null);
        store(n -> r -> hub.ordinary(r).chunked());
        Pulling p = pulling();
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
    }

    @Test
    void rangesThatAreNotTheOnesAskedFor() throws IOException {
        store(n -> switch (n) {
            case 0 -> r -> hub.ordinary(r).cut(100_000);
            case 1 -> r -> hub.ordinary(r).with("Content-Range", "bytes 99999-399999/400000");
            case 2 -> r -> hub.ordinary(r).cut(100_000);
            case 3 -> r -> hub.ordinary(r).with("Content-Range", "bytes 100000-399999/400001");
            case 4 -> r -> new Reply(206, weights());
            case 5 -> r -> hub.ordinary(r).cut(100_000);
            case 6 -> r -> new Reply(416, new byte[0]);
            default -> null;
        });
        Pulling p = pulling();
        for (int i = 0; i < 3 && !Files.exists(dir.resolve("models--org--tiny/refs/main")); i++) {
            try {
                p.run("org/tiny");
            } catch (TillerException e) {
                assertTrue(e.getMessage().contains("tries"), e.getMessage());
            }
        }
        p.assertWhole(p.cache.find(HubId.parse("org/tiny")), Pulling.NEEDED);
        assertEquals(8, hub.count("GET", STORE));
    }

    @Test
    void otherBytesThanTheChecksumSays() throws IOException {
        store(n -> r -> new Reply(200, Pulling.random(SIZE, 1234)));
        Pulling p = pulling();
        p.fails(
                "org/tiny",
                "/model.safetensors",
                "expected sha256 " + hub.etag("model.safetensors"),
                "found",
                "discarded");
        assertEquals(2, hub.count("GET", STORE));
        assertFalse(Files.exists(incomplete()));
        assertFalse(Files.exists(dir.resolve("models--org--tiny/snapshots")));
        assertFalse(Files.exists(dir.resolve("models--org--tiny/refs")));
        hub.rule(r -> r.isGet("tokenizer.json") ? new Reply(200, new byte[5000]) : null);
        store(n -> null);
        assertTrue(p.fails("org/tiny", "discarded").matches(".*expected (sha256|git sha1) [0-9a-f]+, found .*"));
    }

    @Test
    void whatAnEarlierDownloadLeftIsWrong() throws IOException {
        Pulling p = pulling();
        String blob = "blobs/" + hub.etag("model.safetensors") + ".incomplete";
        p.put(blob, new byte[5000]);
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        assertEquals(2, hub.count("GET", STORE));
        assertTrue(p.notes.stream().anyMatch(n -> n.contains("discarded")), p.notes::toString);
    }

    @Test
    void whatAnEarlierDownloadLeftIsLongerOrWhole() throws IOException {
        Pulling p = pulling();
        String blob = "blobs/" + hub.etag("model.safetensors") + ".incomplete";
        p.put(blob, new byte[SIZE + 1]);
        p.put("blobs/" + hub.etag("config.json") + ".incomplete", hub.files.get("config.json"));
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        assertEquals(1, hub.count("GET", STORE));
        assertEquals(0, hub.count("GET", "/config.json"));
    }

    @Test
    void aLinkInPlaceOfWhatWasLeft() throws IOException {
        Pulling p = pulling();
        Path victim = Files.write(dir.resolve("victim"), new byte[100]);
        Path link = p.put("blobs/" + hub.etag("model.safetensors") + ".incomplete", new byte[0]);
        Files.delete(link);
        Files.createSymbolicLink(link, victim);
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        assertEquals(100, Files.size(victim));
    }

    @Test
    void compressedAnswers() {
        store(n -> r -> hub.ordinary(r).with("Content-Encoding", "gzip"));
        pulling().fails("org/tiny", "/model.safetensors", "Content-Encoding \"gzip\"");
    }

    @Test
    void headersThatMakeNoSense() {
        for (String[] c : new String[][] {
            {"X-Linked-Etag", "\"../../../x\"", "expected a checksum as ETag"},
            {"X-Linked-Etag", "\"a.incomplete\"", "expected a checksum as ETag"},
            {"X-Repo-Commit", "f".repeat(40), "X-Repo-Commit"},
            {"X-Linked-Size", "123456789012345678", "expected a size of at most"},
            {"X-Linked-Size", "" + (1L << 45), "bytes, found"}
        }) {
            hub.rule(r -> r.method().equals("HEAD") ? hub.ordinary(r).with(c[0], c[1]) : null);
            pulling().fails("org/tiny", c[2]);
        }
        hub.rule(r -> r.method().equals("HEAD") ? new Reply(200, new byte[5]) : null);
        pulling().fails("org/tiny", "expected an ETag, found none");
        hub.rule(r -> r.method().equals("HEAD")
                ? new Reply(200, new byte[5]).chunked().with("ETag", "\"x\"")
                : null);
        pulling().fails("org/tiny", "expected a size or a checksum");
    }

    @Test
    void anEtagThatIsNoChecksum() throws IOException {
        hub.rule(r -> r.path().endsWith("/tokenizer.json") ? hub.ordinary(r).with("ETag", "W/\"5f-61\"") : null);
        Pulling p = pulling();
        Path snapshot = p.run("org/tiny");
        assertEquals(
                "5f-61",
                snapshot.resolve("tokenizer.json").toRealPath().getFileName().toString());
        assertTrue(p.notes.stream().anyMatch(n -> n.contains("only its size")), p.notes::toString);
    }

    // ---- refusals ----

    @Test
    void whatTheHubRefuses() {
        record Case(int status, String code, String path, boolean token, String says) {}
        for (Case c : List.of(
                new Case(401, "", "/revision/", false, "or a private one that needs a token in HF_TOKEN (HTTP 401)"),
                new Case(401, "", "/revision/", true, "does not know the token from HF_TOKEN"),
                new Case(403, "", "/revision/", true, "gives no access to the token from HF_TOKEN"),
                new Case(
                        401, "GatedRepo", "/resolve/", false, "/org/tiny and give a token of that account in HF_TOKEN"),
                new Case(403, "GatedRepo", "/resolve/", true, "gated: accept its conditions at http://127.0.0.1"),
                new Case(404, "RepoNotFound", "/revision/", true, "no such repository at http"),
                new Case(404, "RevisionNotFound", "/revision/", true, "no revision \"main\""),
                new Case(404, "EntryNotFound", "/tokenizer.json", true, "no file \"tokenizer.json\""),
                new Case(418, "", "/revision/", true, "expected the answer 200, found HTTP 418"))) {
            hub.rule(r ->
                    r.path().contains(c.path) ? new Reply(c.status, new byte[3]).with("X-Error-Code", c.code) : null);
            Pulling p = pulling();
            p.token = c.token;
            p.fails("org/tiny", c.says);
            assertEquals(List.of(), p.waits);
            hub.rule(r -> hub.ordinary(r));
        }
        // a hub that gives no code: the repository is there, or not
        pulling().fails("org/tiny@other", "no revision \"other\"");
        pulling().fails("org/nothing@other", "org/nothing: no such repository");
    }

    @Test
    void serversThatAskToWait() throws IOException {
        AtomicInteger n = new AtomicInteger();
        hub.rule(r -> switch (n.getAndIncrement()) {
            case 0 -> new Reply(429, new byte[0]).with("Retry-After", "7");
            case 1 -> new Reply(503, new byte[0]);
            case 2 -> new Reply(429, new byte[0]).with("Retry-After", "soon");
            default -> null;
        });
        Pulling p = pulling();
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        assertEquals(
                List.of(7L, 2L, 4L), p.waits.stream().map(Duration::toSeconds).toList());
        for (String date : List.of("3600", "Wed, 21 Oct 2099 07:28:00 GMT")) {
            hub.commit = "f".repeat(40);
            hub.rule(r -> new Reply(429, new byte[0]).with("Retry-After", date));
            pulling().fails("org/tiny@" + hub.commit, "too many requests", "asks to wait", "expected at most 300");
        }
        hub.rule(r -> new Reply(500, new byte[0]));
        pulling().fails("org/tiny@" + hub.commit, "HTTP 500 (after 6 tries)");
    }

    @Test
    void aStoreThatForgets() throws IOException {
        store(n -> n == 0 ? r -> hub.ordinary(r).cut(100_000) : n == 1 ? r -> new Reply(403, new byte[9]) : null);
        Pulling p = pulling();
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        store(n -> null);
        hub.commit = "f".repeat(40);
        hub.largeFile("model.safetensors", Pulling.random(10, 2));
        hub.rule(r -> r.isGet("/store/") ? new Reply(403, new byte[9]) : null);
        String message =
                assertThrows(TillerException.class, () -> p.run("org/tiny")).getMessage();
        assertTrue(message.contains("http://localhost") && message.contains("HTTP 403 (after 6 tries)"), message);
        p.checkSecrets(message);
    }

    // ---- redirects ----

    @Test
    void redirectsInsideTheHub() throws IOException {
        hub.rule(r -> {
            if (r.path().startsWith("/moved")) {
                return hub.ordinary(new Request(r.method(), r.path().substring(6), r.headers()));
            }
            boolean api = r.path().startsWith("/api/");
            return new Reply(307, new byte[4]).with("Location", (api ? hub.endpoint() : "") + "/moved" + r.path());
        });
        hub.rule(r -> r.path().startsWith("/store") ? hub.ordinary(r) : null);
        Pulling p = pulling();
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        assertTrue(hub.requests.stream()
                .filter(r -> r.path().startsWith("/moved"))
                .allMatch(r -> r.headers().containsKey("authorization")));
    }

    @Test
    void redirectsToAMirror() throws IOException {
        // no checksum in the first answer, so that the mirror is asked for it, without the token
        hub.rule(r -> r.headers().get("host").startsWith("127.") && r.path().contains("/resolve/")
                ? new Reply(308, new byte[0]).with("Location", hub.store() + r.path())
                : null);
        Pulling p = pulling();
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        hub.requests.stream()
                .filter(r -> r.headers().get("host").startsWith("localhost"))
                .forEach(r -> assertFalse(r.headers().containsKey("authorization")));
    }

    @Test
    void redirectsThatLeadNowhere() {
        AtomicInteger n = new AtomicInteger();
        hub.rule(r -> new Reply(302, new byte[0]).with("Location", "/round/" + n.getAndIncrement()));
        pulling().fails("org/tiny", "expected at most 5 redirects");
        assertEquals(6, hub.requests.size());
        for (String location :
                List.of("ftp://127.0.0.1/x", "file:///etc/passwd", "http://user:pw@127.0.0.1/", "http://a b/", "")) {
            hub.rule(r -> new Reply(302, new byte[0]).with("Location", location));
            pulling().fails("org/tiny", "expected a redirect to a web address");
        }
    }

    @Test
    void aRedirectMustNotLeaveEncryption() {
        URI from = URI.create("https://hub.example/a");
        assertEquals(
                "https://other.example/x?y=1",
                HubHttp.target(from, "https://other.example/x?y=1").toString());
        assertEquals("https://hub.example/b", HubHttp.target(from, "/b").toString());
        for (String to : List.of("http://hub.example/a", "http://127.0.0.1/a?Signature=1")) {
            String message = assertThrows(TillerException.class, () -> HubHttp.target(from, to))
                    .getMessage();
            assertTrue(message.contains("from https to http") && !message.contains("Signature"), message);
        }
    }

    // ---- disks and people ----

    @Test
    void aFullDisk() throws IOException {
        Pulling p = pulling();
        p.parts = file -> {
            PartFile real = PartFile.open(file);
            return new PartFile() {
                @Override
                public void write(ByteBuffer bytes, long at) throws IOException {
                    if (at > 200_000) {
                        throw new IOException("No space left on device");
                    }
                    real.write(bytes, at);
                }

                @Override
                public void force() throws IOException {
                    real.force();
                }

                @Override
                public void close() throws IOException {
                    real.close();
                }
            };
        };
        p.fails("org/tiny", "No space left on device", "the next pull goes on");
        assertEquals(1, hub.count("GET", STORE));
        assertEquals(List.of(), p.waits);
        p.parts = PartFile::open;
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        assertTrue(hub.requests.stream()
                        .filter(r -> r.isGet(STORE))
                        .toList()
                        .getLast()
                        .from()
                > 200_000);
    }

    @Test
    void aPullThatIsStopped() throws Exception {
        store(n -> n == 0 ? r -> hub.ordinary(r).cut(150_000).hanging() : null);
        Pulling p = pulling();
        Thread waiting = Thread.currentThread();
        p.onBytes = done -> {
            if (done >= 150_000) {
                waiting.interrupt();
            }
        };
        assertThrows(InterruptedException.class, () -> p.runOrStop("org/tiny"));
        assertThrows(TillerException.class, () -> p.cache.find(HubId.parse("org/tiny")));
        long left = Files.size(incomplete());
        p.onBytes = done -> {};
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        assertEquals(
                left,
                hub.requests.stream()
                        .filter(r -> r.isGet(STORE))
                        .toList()
                        .getLast()
                        .from());
    }
}
