package dev.tiller.kernels.cpu;

import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.locks.LockSupport;

/**
 * Threads that share the units of one task at a time with the thread that asks. Units are claimed in falling portions
 * through one counter, so that a thread which loses its core delays nobody but itself; who computes a unit must not
 * matter to its result. Idle threads spin for a short while and then park, the asking thread too.
 */
final class WorkerPool implements AutoCloseable {
    /** A piece of work made of independent units. */
    interface Task {
        /**
         * Does units {@code from} to {@code to - 1}.
         *
         * @param worker 0 for the thread that asked, 1.. for the others; for per-thread scratch memory
         */
        void run(int from, int to, int worker);
    }

    private static final long SPIN_NANOS = 50_000;
    private static final int SPINS_PER_CLOCK = 64;

    /** Indices into {@link #state}, on cache lines of their own. */
    private static final int TICKET = 16;

    private static final int FINISHED = 32;

    /** Low half of a ticket that offers no units. */
    private static final long NONE_LEFT = 0xffff_ffffL;

    /**
     * TICKET: number of the task in the high half, next unit in the low half. One word, so that a thread which comes late
     * cannot claim units of another task than it saw. FINISHED: units done.
     */
    private final AtomicLongArray state = new AtomicLongArray(48);

    private final Worker[] workers;
    private Task task;
    private int units;
    private int portion;
    private long number;
    private volatile Throwable failure;
    private volatile Thread waiting;
    private volatile boolean closed;

    WorkerPool(int threads) {
        workers = new Worker[threads - 1];
        state.set(TICKET, NONE_LEFT);
        for (int i = 0; i < workers.length; i++) {
            workers[i] = new Worker(i + 1);
            workers[i].start();
        }
    }

    /** Threads that work, the asking one included. */
    int threads() {
        return workers.length + 1;
    }

    /**
     * Does all units of a task and returns when they are done. What a unit throws is thrown here, after the others have
     * finished.
     *
     * @param portion least number of units worth handing to a thread; with no more than that nobody is woken
     */
    void run(Task task, int units, int portion) {
        if (workers.length == 0 || units <= portion) {
            if (units > 0) {
                task.run(0, units, 0);
            }
            return;
        }
        if (closed) {
            throw new IllegalStateException("the worker threads are stopped");
        }
        this.task = task;
        this.units = units;
        this.portion = Math.max(1, portion);
        state.set(FINISHED, 0);
        number++;
        state.set(TICKET, number << 32);
        for (Worker w : workers) {
            if (w.parked) {
                LockSupport.unpark(w);
            }
        }
        work(0);
        awaitFinished();
        state.set(TICKET, number << 32 | NONE_LEFT);
        Throwable thrown = failure;
        failure = null;
        switch (thrown) {
            case null -> {}
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> throw new IllegalStateException(thrown);
        }
    }

    /** Claims and does units until none are left. */
    private void work(int worker) {
        while (true) {
            long ticket = state.get(TICKET);
            long next = ticket & NONE_LEFT;
            // These belong to the ticket's task: whoever changes them changes the ticket first, and then the claim
            // fails.
            Task t = task;
            int n = units;
            if (next >= n || next == NONE_LEFT) {
                return;
            }
            int size = (int) Math.min(n - next, Math.max(portion, (n - next) / (2 * threads())));
            if (state.compareAndSet(TICKET, ticket, ticket + size)) {
                try {
                    t.run((int) next, (int) next + size, worker);
                } catch (Throwable e) {
                    failure = e;
                }
                if (state.addAndGet(FINISHED, size) == n && waiting != null) {
                    LockSupport.unpark(waiting);
                }
            }
        }
    }

    private void awaitFinished() {
        long start = System.nanoTime();
        for (int spins = 1; state.get(FINISHED) < units; spins++) {
            Thread.onSpinWait();
            if (spins % SPINS_PER_CLOCK == 0 && System.nanoTime() - start > SPIN_NANOS) {
                break;
            }
        }
        if (state.get(FINISHED) < units) {
            waiting = Thread.currentThread();
            while (state.get(FINISHED) < units) {
                LockSupport.park(this);
            }
            waiting = null;
        }
    }

    /** Stops the threads; returns when they have ended. */
    @Override
    public void close() {
        closed = true;
        for (Worker w : workers) {
            LockSupport.unpark(w);
        }
        boolean interrupted = false;
        for (Worker w : workers) {
            while (w.isAlive()) {
                try {
                    w.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private final class Worker extends Thread {
        private final int id;
        volatile boolean parked;

        Worker(int id) {
            super("tiller-worker-" + id);
            this.id = id;
            setDaemon(true);
        }

        @Override
        public void run() {
            long seen = NONE_LEFT;
            while (!closed) {
                seen = next(seen);
                work(id);
            }
        }

        /** Waits until the ticket shows another task than the one seen, or the pool is closed; returns the ticket. */
        private long next(long seen) {
            long start = System.nanoTime();
            for (int spins = 1; ; spins++) {
                long ticket = state.get(TICKET);
                if (ticket >>> 32 != seen >>> 32 || closed) {
                    return ticket;
                }
                Thread.onSpinWait();
                if (spins % SPINS_PER_CLOCK == 0 && System.nanoTime() - start > SPIN_NANOS) {
                    parked = true;
                    if (state.get(TICKET) >>> 32 == seen >>> 32 && !closed) {
                        LockSupport.park(WorkerPool.this);
                    }
                    parked = false;
                }
            }
        }
    }
}
