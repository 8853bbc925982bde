package dev.tiller.kernels.cuda;

import java.util.ArrayDeque;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;

/**
 * The one platform thread that owns a GPU: a CUDA context belongs to the thread that made it current. Work of other
 * threads is handed over and waited for, in the order in which it came; work of this thread itself runs at once.
 *
 * <p>Both sides wait by looking for a few microseconds before they park: between two steps of a model the next work
 * comes sooner than a parked thread would wake up.
 */
final class GpuThread implements AutoCloseable {
    /** With few processors the thread that looks would take the place of the one that works. */
    private static final long LOOKING_NANOS = Runtime.getRuntime().availableProcessors() >= 4 ? 50_000 : 0;

    private final Thread thread;
    private final ArrayDeque<Task<?>> tasks = new ArrayDeque<>();
    private boolean closed;
    private volatile int waiting;

    GpuThread(String name) {
        thread = Thread.ofPlatform().daemon(true).name(name).unstarted(this::run);
        thread.start();
    }

    boolean isCurrent() {
        return Thread.currentThread() == thread;
    }

    boolean isClosed() {
        synchronized (tasks) {
            return closed;
        }
    }

    /**
     * Runs work on the GPU's thread and gives its result. What the work throws comes out here as it is, with the place
     * of this call among its suppressed exceptions. An interrupt of the caller does not disturb the work; it is kept for
     * the caller.
     *
     * @throws IllegalStateException if the thread has been closed
     */
    <T> T call(Supplier<T> work) {
        if (isCurrent()) {
            return work.get();
        }
        Task<T> task = new Task<>(work, Thread.currentThread());
        synchronized (tasks) {
            if (closed) {
                throw new IllegalStateException("the thread of the GPU has been closed");
            }
            tasks.add(task);
            waiting++;
        }
        LockSupport.unpark(thread);
        return task.await();
    }

    /** As {@link #call}, without a result. */
    void run(Runnable work) {
        call(() -> {
            work.run();
            return null;
        });
    }

    /** Finishes what was handed over before, then ends the thread. */
    @Override
    public void close() {
        synchronized (tasks) {
            closed = true;
            waiting++;
        }
        LockSupport.unpark(thread);
        if (isCurrent()) {
            return;
        }
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void run() {
        for (Task<?> task = next(); task != null; task = next()) {
            task.run();
        }
    }

    /** The next task, or null when there will be none. */
    private Task<?> next() {
        long start = System.nanoTime();
        for (; ; ) {
            if (waiting > 0) {
                synchronized (tasks) {
                    Task<?> task = tasks.poll();
                    if (task != null || closed) {
                        waiting--;
                        return task;
                    }
                }
            }
            if (System.nanoTime() - start < LOOKING_NANOS) {
                Thread.onSpinWait();
            } else {
                LockSupport.park(this);
            }
        }
    }

    private static final class Task<T> {
        private final Supplier<T> work;
        private final Thread caller;
        private T result;
        private Throwable failure;
        private volatile boolean done;

        Task(Supplier<T> work, Thread caller) {
            this.work = work;
            this.caller = caller;
        }

        void run() {
            try {
                result = work.get();
            } catch (Throwable e) {
                failure = e;
            }
            done = true;
            LockSupport.unpark(caller);
        }

        T await() {
            long start = System.nanoTime();
            boolean interrupted = false;
            while (!done) {
                if (System.nanoTime() - start < LOOKING_NANOS) {
                    Thread.onSpinWait();
                } else {
                    // A thread that is interrupted cannot park: the interrupt is taken away until the work is done.
                    interrupted |= Thread.interrupted();
                    LockSupport.park(this);
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
            if (failure != null) {
                failure.addSuppressed(new HandedOverHere(caller.getName()));
                throw GpuThread.<RuntimeException>unchecked(failure);
            }
            return result;
        }
    }

    /** Shows in a stack trace which call of which thread handed the failed work over. */
    private static final class HandedOverHere extends Exception {
        private static final long serialVersionUID = 1L;

        HandedOverHere(String thread) {
            super("handed over by " + thread);
        }
    }

    /** Throws an exception of whatever type without the compiler asking for a declaration. */
    @SuppressWarnings("unchecked")
    private static <E extends Throwable> E unchecked(Throwable failure) throws E {
        throw (E) failure;
    }
}
