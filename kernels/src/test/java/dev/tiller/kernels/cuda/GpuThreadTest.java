package dev.tiller.kernels.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class GpuThreadTest {
    private final GpuThread gpu = new GpuThread("gpu-test");

    @AfterEach
    void close() {
        gpu.close();
    }

    @Test
    void workRunsOnTheOneThread() {
        Thread first = gpu.call(Thread::currentThread);
        assertSame(first, gpu.call(Thread::currentThread));
        assertEquals("gpu-test", first.getName());
        assertTrue(first.isDaemon() && !first.isVirtual());
        assertFalse(gpu.isCurrent());
        assertTrue(gpu.call(gpu::isCurrent));
    }

    @Test
    void workOfTheThreadItselfRunsAtOnce() {
        List<String> order = new ArrayList<>();
        gpu.run(() -> {
            order.add("outer");
            gpu.run(() -> order.add("inner"));
            order.add("after");
        });
        assertEquals(List.of("outer", "inner", "after"), order);
    }

    @Test
    void exceptionsKeepTheirTypeAndShowTheCaller() {
        ArithmeticException thrown = new ArithmeticException("planted");
        ArithmeticException seen = assertThrows(
                ArithmeticException.class,
                () -> gpu.run(() -> {
                    throw thrown;
                }));
        assertSame(thrown, seen);
        assertEquals(1, seen.getSuppressed().length);
        assertTrue(Arrays.stream(seen.getSuppressed()[0].getStackTrace())
                .anyMatch(e -> e.getMethodName().equals("exceptionsKeepTheirTypeAndShowTheCaller")));
        assertEquals(7, gpu.call(() -> 7), "the thread goes on");
        assertThrows(StackOverflowError.class, () -> gpu.run(GpuThreadTest::forever));
        assertEquals(8, gpu.call(() -> 8));
    }

    private static void forever() {
        forever();
    }

    @Test
    void manyCallersGetTheirOwnResults() throws InterruptedException {
        AtomicInteger sum = new AtomicInteger();
        AtomicInteger wrong = new AtomicInteger();
        int[] unguarded = {0};
        List<Thread> callers = new ArrayList<>();
        for (int t = 0; t < 8; t++) {
            int id = t;
            // Virtual threads, too: servers have them.
            Thread.Builder builder = t % 2 == 0 ? Thread.ofPlatform() : Thread.ofVirtual();
            callers.add(builder.start(() -> {
                for (int i = 0; i < 500; i++) {
                    int mine = id * 1000 + i;
                    int result = gpu.call(() -> {
                        unguarded[0]++;
                        return mine;
                    });
                    wrong.addAndGet(result == mine ? 0 : 1);
                    sum.incrementAndGet();
                }
            }));
        }
        for (Thread t : callers) {
            t.join();
        }
        assertEquals(4000, sum.get());
        assertEquals(0, wrong.get());
        assertEquals(4000, unguarded[0], "one thread alone counted");
    }

    @Test
    void interruptsAreKeptForTheCaller() throws InterruptedException {
        CountDownLatch started = new CountDownLatch(1);
        CountDownLatch release = new CountDownLatch(1);
        int[] result = {0};
        boolean[] interrupted = {false};
        Thread caller = Thread.ofPlatform().start(() -> {
            result[0] = gpu.call(() -> {
                started.countDown();
                awaitQuietly(release);
                return 42;
            });
            interrupted[0] = Thread.currentThread().isInterrupted();
        });
        started.await();
        caller.interrupt();
        release.countDown();
        caller.join();
        assertEquals(42, result[0]);
        assertTrue(interrupted[0]);
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new AssertionError("the interrupt came to the wrong thread", e);
        }
    }

    @Test
    void closeFinishesWhatWasHandedOverAndRefusesMore() throws InterruptedException {
        CountDownLatch started = new CountDownLatch(1);
        CountDownLatch release = new CountDownLatch(1);
        AtomicInteger done = new AtomicInteger();
        List<Thread> callers = new ArrayList<>();
        callers.add(Thread.ofPlatform()
                .start(() -> gpu.run(() -> {
                    started.countDown();
                    awaitQuietly(release);
                    done.incrementAndGet();
                })));
        started.await();
        for (int i = 0; i < 3; i++) {
            Thread t = Thread.ofPlatform().start(() -> gpu.run(done::incrementAndGet));
            callers.add(t);
            while (t.getState() != Thread.State.WAITING) {
                Thread.onSpinWait();
            }
        }
        Thread closer = Thread.ofPlatform().start(gpu::close);
        while (closer.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
        release.countDown();
        closer.join();
        for (Thread t : callers) {
            t.join();
        }
        assertEquals(4, done.get());
        assertThrows(IllegalStateException.class, () -> gpu.run(done::incrementAndGet));
        gpu.close();
    }

    @Test
    void closesFromItsOwnThread() throws InterruptedException {
        Thread thread = gpu.call(() -> {
            gpu.close();
            return Thread.currentThread();
        });
        thread.join();
        assertThrows(IllegalStateException.class, () -> gpu.run(() -> {}));
    }
}
