package dev.tiller.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** Times are made up here, so nothing depends on the machine. */
class PartiesTest {
    private static final long SLICE = 4_000_000;
    private static final long TASK = 50_000;

    private int processors = 8;
    private long now = -1_000_000_000; // such times may be negative
    private final Parties parties = new Parties(8, () -> processors, now);

    /** So many tasks, after some of which the asking thread waits for a time slice. */
    private void run(int tasks, int waitsAfter) {
        for (int i = 0; i < tasks; i++) {
            parties.count(now);
            now += TASK;
            if (waitsAfter > 0 && i % waitsAfter == 0) {
                now += SLICE;
                parties.waited(SLICE, TASK, now);
            }
        }
    }

    @Test
    void noMoreThanProcessorsTakePart() {
        processors = 2;
        Parties crowded = new Parties(8, () -> processors, now);
        for (int i = 0; i < 100; i++) {
            assertEquals(2, crowded.count(now));
            now += 100_000_000;
        }
        assertEquals(1, new Parties(3, () -> 0, now).count(now));
    }

    @Test
    void whatComesNowAndThenIsTolerated() {
        for (int i = 0; i < 1000; i++) {
            now += Parties.WINDOW;
            parties.waited(SLICE, TASK, now);
            assertEquals(8, parties.count(now));
        }
    }

    @Test
    void waitingNoLongerThanWorkingIsTolerated() {
        for (int i = 0; i < 1000; i++) {
            now += 2 * SLICE;
            parties.waited(SLICE, SLICE, now);
            assertEquals(8, parties.count(now));
        }
    }

    @Test
    void waitingTakesOneAfterTheOtherOut() {
        run(200, 1);
        assertEquals(1, parties.count(now));
    }

    /** Whoever loads the processors for good costs a trial now and then, ever more seldom. */
    @Test
    void trialsThatFailBecomeRare() {
        int trials = 0;
        long end = now + 60_000_000_000L;
        int before = parties.count(now);
        while (now < end) {
            int count = parties.count(now);
            trials += count > before ? 1 : 0;
            before = count;
            now += TASK;
            if (count > 7) { // one processor is taken
                now += SLICE;
                parties.waited(SLICE, TASK, now);
            }
        }
        assertTrue(trials > 40 && trials < 80, "trials: " + trials);
        assertTrue(before >= 7, "threads: " + before);
    }

    @Test
    void allAreBackSoonAfterTheLoadHasGone() {
        run(2000, 1);
        assertTrue(parties.count(now) <= 2, "a trial may be under way");
        long begin = now;
        while (parties.count(now) < 8) {
            now += TASK;
        }
        long most = Parties.LONGEST_PAUSE + 8 * (Parties.WINDOW + 2 * Parties.SHORTEST_PAUSE);
        assertTrue(now - begin <= most, "ns: " + (now - begin));
        run(100_000, 0);
        assertEquals(8, parties.count(now));
    }

    @Test
    void processorsThatAppearAreUsed() {
        processors = 2;
        Parties growing = new Parties(4, () -> processors, now);
        assertEquals(2, growing.count(now));
        processors = 16;
        for (int i = 0; i < 10_000; i++) {
            now += 1_000_000;
            growing.count(now);
        }
        assertEquals(4, growing.count(now));
    }
}
