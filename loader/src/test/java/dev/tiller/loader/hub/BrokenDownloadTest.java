package dev.tiller.loader.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import dev.tiller.loader.hub.FakeHub.Reply;
import dev.tiller.loader.hub.FakeHub.Request;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Servers that break off or lie: the file comes whole, or an error says why and nothing looks whole. */
class BrokenDownloadTest extends BadServer {
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
