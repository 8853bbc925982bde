package dev.tiller.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Eight workers while other threads load every core, all taking part or as many as the pool makes use of: nothing is lost,
 * done twice or left hanging. The time limits are far beyond what a pool needs that copes with threads without a core, and
 * only tell hanging and collapse from working.
 */
@Timeout(240)
class WorkerPoolStressTest {
    private static final int THREADS = 8;

    private final AtomicBoolean over = new AtomicBoolean();
    private final List<Thread> helpers = new ArrayList<>();
    private Set<Thread> before;

    /** What units throw here. */
    private static final class Planted extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Planted(int unit) {
            super("unit " + unit);
        }
    }

    @BeforeEach
    void loadEveryCore() {
        before = workers();
        for (int i = 0; i < Runtime.getRuntime().availableProcessors(); i++) {
            helper(() -> {
                while (!over.get()) {
                    Thread.onSpinWait();
                }
            });
        }
    }

    @AfterEach
    void noThreadIsLeft() {
        over.set(true);
        for (Thread t : helpers) {
            while (t.isAlive()) {
                Thread.interrupted(); // one of them interrupts this thread
                LockSupport.parkNanos(100_000);
            }
        }
        Thread.interrupted();
        Set<Thread> left = workers();
        left.removeAll(before);
        assertEquals(Set.of(), left);
    }

    private void helper(Runnable work) {
        Thread t = new Thread(work, "helper");
        t.setDaemon(true);
        helpers.add(t);
        t.start();
    }

    private static Set<Thread> workers() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(t -> t.getName().startsWith("tiller-worker-"))
                .collect(Collectors.toSet());
    }

    private static void spin(int turns) {
        for (int i = 0; i < turns; i++) {
            Thread.onSpinWait();
        }
    }

    /** Regions of all sizes, some of which throw, while somebody interrupts the caller and the workers. */
    @ParameterizedTest
    @CsvSource({"1,true", "2,true", "3,true", "1,false", "2,false"})
    void everyUnitIsDoneOnceWhateverHappensAround(long seed, boolean all) {
        Random random = new Random(seed);
        Thread caller = Thread.currentThread();
        try (WorkerPool pool = all ? Crowd.pool(THREADS) : new WorkerPool(THREADS)) {
            helper(() -> interrupt(caller, seed));
            for (int region = 0; region < 8000; region++) {
                int units = random.nextInt(10) == 0 ? random.nextInt(3000) : random.nextInt(60);
                int portion = 1 + random.nextInt(5);
                int cost = random.nextInt(20) == 0 ? 400 : random.nextInt(20);
                int thrower = random.nextInt(8) == 0 ? random.nextInt(units + 1) : -1;
                int every = random.nextBoolean() ? 1 : Integer.MAX_VALUE; // several throw, or one
                region(pool, units, portion, cost, thrower, every);
                if (random.nextInt(300) == 0) {
                    LockSupport.parkNanos(1_000_000); // the workers park
                }
                Thread.interrupted();
            }
        }
    }

    private static void region(WorkerPool pool, int units, int portion, int cost, int thrower, int every) {
        AtomicIntegerArray count = new AtomicIntegerArray(units + 1);
        Set<Throwable> thrown = ConcurrentHashMap.newKeySet();
        Throwable found = null;
        try {
            pool.run(
                    (from, to, worker) -> {
                        for (int u = from; u < to; u++) {
                            spin(cost);
                            count.incrementAndGet(u);
                            if (u == thrower || thrower >= 0 && u > thrower && (u - thrower) % every == 0) {
                                Planted e = new Planted(u);
                                thrown.add(e);
                                throw e;
                            }
                        }
                    },
                    units,
                    portion);
        } catch (Planted e) {
            found = e;
        }
        boolean throwing = thrower >= 0 && thrower < units;
        assertEquals(throwing, found != null);
        for (int u = 0; u < units; u++) {
            assertTrue(count.get(u) == 1 || throwing && count.get(u) == 0, "unit " + u + ": " + count.get(u));
        }
        if (throwing) {
            List<Throwable> reported = new ArrayList<>(List.of(found.getSuppressed()));
            reported.add(found);
            assertEquals(thrown.size(), reported.size());
            assertTrue(thrown.containsAll(reported));
        }
    }

    private void interrupt(Thread caller, long seed) {
        Random random = new Random(seed);
        while (!over.get()) {
            for (Thread t : workers()) {
                if (random.nextInt(3) == 0) {
                    t.interrupt();
                }
            }
            caller.interrupt();
            LockSupport.parkNanos(random.nextInt(2_000_000));
        }
    }

    /** An interrupt that comes during a region is there when it has ended; the workers' own ones are not kept. */
    @RepeatedTest(20)
    void theInterruptOfTheCallerIsKept(RepetitionInfo repetition) {
        try (WorkerPool pool = Crowd.pool(THREADS)) {
            Thread caller = Thread.currentThread();
            AtomicInteger sum = new AtomicInteger();
            pool.run(
                    (from, to, worker) -> {
                        caller.interrupt();
                        spin(repetition.getCurrentRepetition() * 500);
                        sum.addAndGet(to - from);
                    },
                    64,
                    1);
            assertTrue(Thread.interrupted());
            assertEquals(64, sum.get());
            pool.run((from, to, worker) -> sum.addAndGet(to - from), 64, 1);
            assertFalse(Thread.interrupted());
            assertEquals(128, sum.get());
        }
    }

    /** Three threads close while a fourth runs regions: it finishes what it began, and then learns of it. */
    @ParameterizedTest
    @ValueSource(longs = {4, 5, 6})
    void closingMayComeAtAnyTime(long seed) throws InterruptedException {
        Random random = new Random(seed);
        for (int round = 0; round < 60; round++) {
            WorkerPool pool = Crowd.pool(THREADS);
            List<Throwable> ends = new ArrayList<>();
            AtomicInteger inside = new AtomicInteger();
            Set<String> wrong = ConcurrentHashMap.newKeySet();
            Thread runner = new Thread(() -> {
                try {
                    while (true) {
                        AtomicInteger sum = new AtomicInteger();
                        pool.run(
                                (from, to, worker) -> {
                                    inside.incrementAndGet();
                                    spin(200);
                                    sum.addAndGet(to - from);
                                    inside.decrementAndGet();
                                },
                                50,
                                1);
                        assertEquals(50, sum.get());
                    }
                } catch (Throwable e) {
                    ends.add(e);
                }
            });
            List<Thread> closers = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                long delay = random.nextInt(1_500_000);
                boolean interrupted = random.nextBoolean();
                closers.add(new Thread(() -> {
                    LockSupport.parkNanos(delay);
                    if (interrupted) {
                        Thread.currentThread().interrupt();
                    }
                    pool.close();
                    if (inside.get() != 0) {
                        wrong.add("closed while a task was under way");
                    }
                    if (Thread.interrupted() != interrupted) {
                        wrong.add("interrupted: " + !interrupted);
                    }
                }));
            }
            runner.start();
            closers.forEach(Thread::start);
            for (Thread t : closers) {
                t.join();
            }
            runner.join();
            assertEquals(Set.of(), wrong);
            assertEquals("the worker threads are stopped", ends.getFirst().getMessage());
        }
    }

    /** A unit that closes the pool does not wait for itself. */
    @RepeatedTest(30)
    void aUnitMayClose(RepetitionInfo repetition) {
        AtomicInteger sum = new AtomicInteger();
        WorkerPool pool = Crowd.pool(THREADS);
        pool.run(
                (from, to, worker) -> {
                    for (int u = from; u < to; u++) {
                        if (u == repetition.getCurrentRepetition() * 2) {
                            pool.close();
                        }
                        spin(50);
                        sum.incrementAndGet();
                    }
                },
                64,
                1);
        assertEquals(64, sum.get());
        pool.close();
    }

    /** A task that runs another one does it with the number of the thread it is on; a stranger is told off. */
    @RepeatedTest(10)
    void tasksInsideTasksAndOtherThreads() throws InterruptedException {
        try (WorkerPool pool = Crowd.pool(THREADS)) {
            AtomicIntegerArray inside = new AtomicIntegerArray(32 * 16);
            AtomicInteger wrongNumber = new AtomicInteger();
            Throwable[] stranger = new Throwable[1];
            Thread other = new Thread(() -> {
                try {
                    pool.run((from, to, worker) -> {}, 100, 1);
                } catch (Throwable e) {
                    stranger[0] = e;
                }
            });
            AtomicBoolean tried = new AtomicBoolean();
            pool.run(
                    (from, to, worker) -> {
                        if (tried.compareAndSet(false, true)) {
                            other.start();
                            join(other);
                        }
                        for (int u = from; u < to; u++) {
                            int row = u;
                            pool.run(
                                    (f, t, w) -> {
                                        wrongNumber.addAndGet(w == worker ? 0 : 1);
                                        for (int i = f; i < t; i++) {
                                            inside.incrementAndGet(row * 16 + i);
                                        }
                                    },
                                    16,
                                    1);
                        }
                    },
                    32,
                    1);
            for (int i = 0; i < inside.length(); i++) {
                assertEquals(1, inside.get(i));
            }
            assertEquals(0, wrongNumber.get());
            assertNotNull(stranger[0]);
            assertTrue(stranger[0].getMessage().startsWith("expected one thread at a time"), stranger[0].getMessage());
        }
    }

    private static void join(Thread t) {
        try {
            t.join();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
