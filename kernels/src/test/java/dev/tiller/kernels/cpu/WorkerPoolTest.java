package dev.tiller.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.Random;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Eight threads are more than the cores of a usual build machine; the time limits only turn a hang into a failure. */
@Timeout(120)
class WorkerPoolTest {
    @Test
    void everyUnitIsDoneExactlyOnceInEveryTask() {
        try (WorkerPool pool = new WorkerPool(8)) {
            Random random = new Random(1);
            for (int round = 0; round < 20_000; round++) {
                int units = random.nextInt(40);
                int portion = 1 + random.nextInt(4);
                AtomicIntegerArray count = new AtomicIntegerArray(40);
                pool.run(
                        (from, to, worker) -> {
                            assertTrue(worker >= 0 && worker < 8);
                            for (int u = from; u < to; u++) {
                                count.incrementAndGet(u);
                            }
                        },
                        units,
                        portion);
                for (int u = 0; u < 40; u++) {
                    assertEquals(u < units ? 1 : 0, count.get(u), "round " + round + ", unit " + u);
                }
                if (round % 4000 == 0) {
                    LockSupport.parkNanos(3_000_000); // long enough for the workers to park
                }
            }
        }
    }

    @Test
    void plainWritesOfUnitsAreSeenAfterwards() {
        int[] data = new int[64];
        try (WorkerPool pool = new WorkerPool(8)) {
            for (int round = 1; round <= 5000; round++) {
                int value = round;
                pool.run(
                        (from, to, worker) -> {
                            for (int u = from; u < to; u++) {
                                data[u] = value;
                            }
                        },
                        64,
                        1);
                for (int d : data) {
                    assertEquals(round, d);
                }
            }
        }
    }

    @Test
    void whatAUnitThrowsReachesTheCallerAfterTheOthersHaveFinished() {
        try (WorkerPool pool = new WorkerPool(4)) {
            for (int bad = 0; bad < 16; bad++) {
                int thrower = bad;
                AtomicIntegerArray done = new AtomicIntegerArray(16);
                RuntimeException failure = new IllegalStateException("unit " + bad);
                RuntimeException found = assertThrows(
                        RuntimeException.class,
                        () -> pool.run(
                                (from, to, worker) -> {
                                    for (int u = from; u < to; u++) {
                                        done.set(u, 1);
                                        if (u == thrower) {
                                            throw failure;
                                        }
                                    }
                                },
                                16,
                                1));
                assertSame(failure, found);
                AtomicIntegerArray after = new AtomicIntegerArray(16);
                pool.run((from, to, worker) -> after.set(from, to - from), 16, 1); // works on as before
                int sum = 0;
                for (int u = 0; u < 16; u++) {
                    sum += after.get(u);
                }
                assertEquals(16, sum);
                assertThrows(
                        StackOverflowError.class,
                        () -> pool.run(
                                (from, to, worker) -> {
                                    throw new StackOverflowError();
                                },
                                16,
                                1));
            }
        }
    }

    /** Eight units that wait for each other need eight threads. */
    @Test
    void parkedThreadsAreWoken() {
        try (WorkerPool pool = new WorkerPool(8)) {
            for (int round = 0; round < 5; round++) {
                LockSupport.parkNanos(20_000_000); // long enough for the workers to park
                CyclicBarrier all = new CyclicBarrier(8);
                pool.run(
                        (from, to, worker) -> {
                            try {
                                all.await(60, TimeUnit.SECONDS);
                            } catch (Exception e) {
                                throw new IllegalStateException(e);
                            }
                        },
                        8,
                        1);
            }
        }
    }

    @Test
    void closeEndsTheThreadsWhetherTheySpinOrPark() {
        for (int round = 0; round < 50; round++) {
            WorkerPool pool = new WorkerPool(8);
            if (round % 2 == 0) {
                pool.run((from, to, worker) -> {}, 8, 1);
            }
            if (round % 10 == 0) {
                LockSupport.parkNanos(2_000_000);
            }
            assertTimeoutPreemptively(Duration.ofSeconds(60), pool::close);
            pool.close();
            assertThrows(IllegalStateException.class, () -> pool.run((from, to, worker) -> {}, 8, 1));
        }
        assertTrue(Thread.getAllStackTraces().keySet().stream()
                .filter(t -> t.getName().startsWith("tiller-worker-"))
                .allMatch(t -> t.isDaemon()));
    }
}
