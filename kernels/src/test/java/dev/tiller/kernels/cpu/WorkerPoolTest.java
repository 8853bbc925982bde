package dev.tiller.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.time.Duration;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Eight threads are more than the cores of a usual build machine; the time limits only turn a hang into a failure. */
@Timeout(120)
class WorkerPoolTest {
    @Test
    void everyUnitIsDoneExactlyOnceInEveryTask() {
        try (WorkerPool pool = Crowd.pool(8)) {
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
        try (WorkerPool pool = Crowd.pool(8)) {
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
        try (WorkerPool pool = Crowd.pool(4)) {
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
        try (WorkerPool pool = Crowd.pool(8)) {
            for (int round = 0; round < 5; round++) {
                LockSupport.parkNanos(20_000_000); // long enough for the workers to park
                CyclicBarrier all = new CyclicBarrier(8);
                pool.run((from, to, worker) -> await(all), 8, 1);
            }
        }
    }

    /** Two units that wait for each other, begun at whatever moment the other thread is about to park. */
    @ParameterizedTest
    @ValueSource(ints = {2, 6})
    void noWakeUpIsLost(int threads) {
        Random random = new Random(threads);
        try (WorkerPool pool = Crowd.pool(threads)) {
            for (int round = 0; round < 4000; round++) {
                // A thread parks after 5 us where threads are more than cores, else after 200 us.
                int pause = (round % 2 == 0 ? 0 : 195_000) + random.nextInt(15_000);
                long end = System.nanoTime() + pause;
                while (System.nanoTime() < end) {
                    Thread.onSpinWait();
                }
                CyclicBarrier both = new CyclicBarrier(2);
                pool.run((from, to, worker) -> await(both), 2, 1);
            }
        }
    }

    private static void await(CyclicBarrier all) {
        try {
            all.await(60, TimeUnit.SECONDS);
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /** A worker that is stuck in its first units finds all others done, those of its own share too. */
    @Test
    void whoIsStuckIsHelped() {
        try (WorkerPool pool = Crowd.pool(2)) {
            for (int round = 0; round < 50; round++) {
                AtomicInteger done = new AtomicInteger();
                AtomicBoolean stuck = new AtomicBoolean();
                long end = System.nanoTime() + 60_000_000_000L;
                pool.run(
                        (from, to, worker) -> {
                            if (worker == 1 && stuck.compareAndSet(false, true)) {
                                while (done.get() < 64 - (to - from)) {
                                    assertTrue(System.nanoTime() < end, "nobody helps");
                                    Thread.onSpinWait();
                                }
                            }
                            done.addAndGet(to - from);
                        },
                        64,
                        1);
                assertEquals(64, done.get());
            }
        }
    }

    @Test
    void afterAFailureNoMoreUnitsAreBegun() {
        try (WorkerPool pool = Crowd.pool(2)) {
            AtomicInteger begun = new AtomicInteger();
            CountDownLatch failing = new CountDownLatch(1);
            assertThrows(
                    IllegalStateException.class,
                    () -> pool.run(
                            (from, to, worker) -> {
                                begun.addAndGet(to - from);
                                if (worker == 0) {
                                    failing.countDown();
                                    throw new IllegalStateException();
                                }
                                while (failing.getCount() > 0) {
                                    Thread.onSpinWait();
                                }
                                LockSupport.parkNanos(20_000_000);
                            },
                            1000,
                            1));
            assertTrue(begun.get() < 1000, "all were done");
        }
    }

    /** An interrupt of a worker is nobody's, and must not keep it from parking: then it would be busy for ever. */
    @Test
    void anInterruptedWorkerIsIdleAgain() {
        Set<Thread> before = workers();
        try (WorkerPool pool = Crowd.pool(2)) {
            pool.run((from, to, worker) -> {}, 2, 1);
            Set<Thread> own = workers();
            own.removeAll(before);
            Thread worker = own.iterator().next();
            worker.interrupt();
            ThreadMXBean threads = ManagementFactory.getThreadMXBean();
            long end = System.nanoTime() + 20_000_000_000L;
            for (int idle = 0; idle < 5; ) {
                assertTrue(System.nanoTime() < end, "the worker is never idle");
                long busy = threads.getThreadCpuTime(worker.threadId());
                LockSupport.parkNanos(20_000_000);
                idle = threads.getThreadCpuTime(worker.threadId()) - busy < 1_000_000 ? idle + 1 : 0;
            }
        }
    }

    private static Set<Thread> workers() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(t -> t.getName().startsWith("tiller-worker-"))
                .collect(Collectors.toSet());
    }

    @Test
    void closeEndsTheThreadsWhetherTheySpinOrPark() {
        Set<Thread> before = workers();
        for (int round = 0; round < 50; round++) {
            WorkerPool pool = Crowd.pool(8);
            assertTrue(workers().stream().allMatch(Thread::isDaemon));
            if (round % 2 == 0) {
                pool.run((from, to, worker) -> {}, 8, 1);
            }
            if (round % 10 == 0) {
                LockSupport.parkNanos(2_000_000);
            }
            assertTimeoutPreemptively(Duration.ofSeconds(60), pool::close);
            Set<Thread> left = workers();
            left.removeAll(before);
            assertEquals(Set.of(), left);
            pool.close();
            assertThrows(IllegalStateException.class, () -> pool.run((from, to, worker) -> {}, 8, 1));
        }
    }
}
