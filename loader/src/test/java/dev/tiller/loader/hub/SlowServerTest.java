package dev.tiller.loader.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.hub.FakeHub.Reply;
import dev.tiller.loader.hub.FakeHub.Request;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.List;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.Test;

/** Servers that send a byte now and then: they are given up, and what came is kept. */
class SlowServerTest extends BadServer {
    @Test
    void aListingThatDripsInWithoutEnd() {
        hub.rule(r -> r.path().contains("/revision/")
                ? new Reply(200, new byte[0]).announcing(1 << 20).dripping()
                : null);
        Pulling p = pulling();
        p.stall = Duration.ofMillis(100);
        p.attempts = 1;
        p.fails("org/tiny", "/revision/main", "not whole after 2.0 s");
    }

    /** A clock by which every piece of a body takes so long. */
    private static LongSupplier clock(long seconds) {
        ThreadLocal<long[]> now = ThreadLocal.withInitial(() -> new long[1]);
        return () -> now.get()[0] += seconds * 1_000_000_000L;
    }

    @Test
    void aFileThatDripsIn() throws IOException {
        Pulling p = pulling();
        p.clock = clock(5); // twelve pieces a minute
        store(n -> n < 2 ? r -> hub.ordinary(r).cut(70_000).dripping() : null);
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        List<Long> asked = hub.requests.stream()
                .filter(r -> r.isGet(STORE))
                .map(Request::from)
                .toList();
        assertEquals(3, asked.size());
        assertTrue(asked.get(1) > 70_000 && asked.get(1) < 71_000, asked::toString);
        assertTrue(asked.get(2) > asked.get(1) + 70_000, asked::toString);
        // each had brought enough to count as a gain
        assertEquals(List.of(1L, 1L), p.waits.stream().map(Duration::toSeconds).toList());
    }

    @Test
    void aFileThatOnlyDrips() throws IOException {
        Pulling p = pulling();
        p.clock = clock(10);
        store(n -> r -> hub.ordinary(r).cut(16_000).dripping());
        // Six times 16 kB are more than what else counts as a gain.
        p.fails("org/tiny", "/model.safetensors", "less than 1000 bytes/s came for 60 s (after 6 tries)");
        long left = Files.size(incomplete());
        assertTrue(left > 6 * 16_000, () -> "" + left);
        hub.rule(r -> r.isGet(STORE) ? FakeHub.part(r, weights()) : null);
        p.clock = System::nanoTime;
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
