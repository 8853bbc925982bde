package dev.tiller.kernels.cpu;

import dev.tiller.loader.TillerException;
import java.lang.invoke.VarHandle;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.LockSupport;

/**
 * Threads that share the units of one task at a time with the thread that asks. Each has a share of its own, a range of
 * units that it takes from the front in falling portions; who is done with its own helps the others from the back of
 * theirs. So each thread walks through one range as long as all have a core, and one that loses its core delays nobody
 * but for the portion it holds. Who computes a unit must not matter to its result. Idle threads spin for a short while
 * and then park, the asking thread too. No more threads take part than there are processors, see {@link Parties}: woken
 * for each task, the others would take the processors from those that are at work.
 *
 * <p>One thread at a time may ask; a unit that asks does the units of its task itself, one after the other. An interrupt
 * of the asking thread does not disturb the work and is kept for the caller to see.
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

    private static final String STOPPED = "the worker threads are stopped";

    private static final int SPINS_PER_CLOCK = 64;

    /** How long to spin where each thread has a core; it spans the time between two tokens. */
    private static final long SPIN_NANOS = 200_000;

    /** The same where threads take each other's cores. */
    private static final long CROWDED_SPIN_NANOS = 5_000;

    /** Distance of words that different threads write: two cache lines, since they are fetched in pairs. */
    private static final int APART = 16;

    /** A share: number of its task, first unit left, end of the units left. */
    private static final int BITS = 20;

    private static final int MOST = (1 << BITS) - 1;

    /** Place in {@link #users}. */
    private static final int USER = APART;

    /**
     * The share of each thread, then the count of all units ever done by the workers. A share is one word together with
     * the number of its task, so that a thread which comes late cannot claim units of another task than it saw.
     */
    private final AtomicLongArray state;

    private final int finished;

    /** Not 0 once the pool is closed. Idle threads keep asking, so it is a word apart from those that change. */
    private final int closed;

    /** The thread that asks at present, or null; apart from what workers read, for they make each change of it slow. */
    private final AtomicReferenceArray<Thread> users = new AtomicReferenceArray<>(3 * APART);

    private final Worker[] workers;
    private final Parties parties;
    private final long spinNanos;
    private final Object closing = new Object();

    private Task task;
    private int units;
    private int grain;
    private int least;
    private int sharing;
    private long number;
    private long finishedBefore;
    private volatile Throwable failure;
    private volatile Thread waiting;

    WorkerPool(int threads) {
        this(threads, Parties.of(threads));
    }

    /** @param parties how many of the threads take part in a task */
    WorkerPool(int threads, Parties parties) {
        this.parties = parties;
        state = new AtomicLongArray((threads + 2) * APART);
        finished = threads * APART;
        closed = finished + APART;
        boolean crowded = parties.count() > Runtime.getRuntime().availableProcessors();
        spinNanos = crowded ? CROWDED_SPIN_NANOS : SPIN_NANOS;
        workers = new Worker[threads - 1];
        for (int i = 0; i < workers.length; i++) {
            workers[i] = new Worker(i + 1);
        }
        try {
            for (Worker w : workers) {
                w.start();
            }
        } catch (OutOfMemoryError e) {
            close();
            throw new TillerException("cannot start " + threads + " threads; ask for fewer", e);
        }
    }

    private boolean isClosed() {
        return state.get(closed) != 0;
    }

    /** Threads that work, the asking one included. */
    int threads() {
        return workers.length + 1;
    }

    /** How many of them take part at present. */
    int parties() {
        return parties.count();
    }

    /**
     * Does all units of a task and returns when they are done. What a unit throws is thrown here, with what others throw
     * as suppressed; units not begun by then are left out.
     *
     * @param portion least number of units worth handing to a thread; with no more than that nobody is woken
     */
    void run(Task task, int units, int portion) {
        Thread me = Thread.currentThread();
        if (!users.compareAndSet(USER, null, me)) {
            if (units > 0) {
                task.run(0, units, workerInside(me));
            }
            return;
        }
        try {
            if (isClosed()) {
                throw new IllegalStateException(STOPPED);
            }
            if (workers.length > 0 && units > portion) {
                begin(task, units, Math.max(1, portion));
            } else if (units > 0) {
                task.run(0, units, 0);
            }
        } finally {
            users.setRelease(USER, null);
        }
    }

    /** The number of a thread that asks from inside a unit. */
    private int workerInside(Thread me) {
        Thread now = users.get(USER);
        if (me == now) {
            return 0;
        }
        if (me instanceof Worker w && w.pool() == this) {
            return w.id;
        }
        if (isClosed()) {
            throw new IllegalStateException(STOPPED);
        }
        throw new IllegalStateException("expected one thread at a time, found " + me.getName() + " beside "
                + (now == null ? "another" : now.getName()));
    }

    private void begin(Task task, int units, int portion) {
        long start = System.nanoTime();
        int n = Math.min(parties.count(start), Math.ceilDiv(units, portion));
        if (n > 1) {
            share(task, units, portion, n, start);
        } else {
            task.run(0, units, 0);
        }
    }

    private void share(Task task, int units, int portion, int n, long start) {
        int size = Math.ceilDiv(units, MOST);
        int all = Math.ceilDiv(units, size);
        this.task = task;
        this.units = units;
        this.grain = size;
        this.least = Math.ceilDiv(portion, size);
        this.sharing = n;
        number++;
        int begun = claim(all / n, true);
        for (int i = n - 1; i >= 0; i--) { // the last first: who sees its own share sees those of the threads it wakes
            long from = i == 0 ? begun : (long) all * i / n;
            long to = (long) all * (i + 1) / n;
            state.setRelease(i * APART, number << 2 * BITS | from << BITS | to);
        }
        // The first portion is nobody else's and goes ahead while the other threads get to see the shares: to ask for
        // it
        // as for the others, or for a fence, would be to wait for that.
        wake(0);
        int end = (int) Math.min(units, begun * (long) size);
        attempt(task, 0, end, 0);
        VarHandle.fullFence(); // the shares are there before it is asked once more who is parked
        wake(0);
        finishedBefore += units - end - work(0);
        awaitFinished(finishedBefore, start);
        Throwable thrown = failure;
        if (thrown == null) {
            return;
        }
        failure = null;
        switch (thrown) {
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> throw new IllegalStateException(thrown);
        }
    }

    /** Wakes two of the threads that share the task, if they are parked; each of them does the same. */
    private void wake(int self) {
        for (int i = 2 * self + 1; i <= 2 * self + 2 && i < sharing; i++) {
            Worker w = workers[i - 1];
            if (w.parked && left(state.get(i * APART)) > 0) {
                w.parked = false;
                LockSupport.unpark(w);
            }
        }
    }

    private static int left(long share) {
        return (int) (share & MOST) - (int) (share >>> BITS & MOST);
    }

    /** Claims and does units until none are left, first of the own share; returns how many. */
    private int work(int self) {
        int n = sharing;
        int done = 0;
        for (int i = 0; i < n; i++) {
            done += workOn((self + i) % n, self);
        }
        return done;
    }

    private int workOn(int owner, int self) {
        int done = 0;
        while (true) {
            long share = state.get(owner * APART);
            int left = left(share);
            if (left <= 0) {
                return done;
            }
            // These belong to the share's task: before they change all its shares are used up; then the claim fails.
            Task t = task;
            int all = units;
            int size = grain;
            int claim = claim(left, owner == self);
            int from = owner == self ? (int) (share >>> BITS & MOST) : (int) (share & MOST) - claim;
            long rest = owner == self ? share + ((long) claim << BITS) : share - claim;
            if (state.compareAndSet(owner * APART, share, rest)) {
                int begin = from * size;
                int end = (int) Math.min(all, (from + claim) * (long) size);
                attempt(t, begin, end, self);
                done += end - begin;
            }
        }
    }

    /** How much to take of what is left of a share. */
    private int claim(int left, boolean own) {
        int claim = Math.max(least, left / (own ? 4 : 2));
        return left - claim < least ? left : claim;
    }

    private void attempt(Task t, int from, int to, int self) {
        if (failure == null) {
            try {
                t.run(from, to, self);
            } catch (Throwable e) {
                keep(e);
            }
        }
    }

    private synchronized void keep(Throwable e) {
        if (failure == null) {
            failure = e;
        } else if (failure != e) {
            try {
                failure.addSuppressed(e);
            } catch (Throwable noMemory) {
                // the first is what counts
            }
        }
    }

    /**
     * Waits until the workers have done so many units in all.
     *
     * @param begin when the task began
     */
    private void awaitFinished(long target, long begin) {
        if (state.get(finished) == target) {
            return;
        }
        long start = System.nanoTime();
        for (int spins = 1; state.get(finished) != target; spins++) {
            Thread.onSpinWait();
            if (spins % SPINS_PER_CLOCK == 0 && System.nanoTime() - start > spinNanos) {
                parkUntilFinished(target);
                long end = System.nanoTime();
                parties.waited(end - start, start - begin, end);
                return;
            }
        }
    }

    private void parkUntilFinished(long target) {
        boolean interrupted = false;
        waiting = Thread.currentThread();
        while (state.get(finished) != target) {
            LockSupport.park(this);
            interrupted |= Thread.interrupted(); // an interrupted thread cannot park
        }
        waiting = null;
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * Stops the threads; returns when the task under way is done and they have ended. From inside a unit it only says so:
     * they end when that task is done.
     */
    @Override
    public void close() {
        state.set(closed, 1);
        for (Worker w : workers) {
            LockSupport.unpark(w);
        }
        Thread me = Thread.currentThread();
        if (me == users.get(USER) || me instanceof Worker w && w.pool() == this) {
            return;
        }
        boolean interrupted = false;
        synchronized (closing) {
            while (!users.compareAndSet(USER, null, me)) {
                LockSupport.parkNanos(this, 100_000);
                interrupted |= Thread.interrupted();
            }
            for (Worker w : workers) {
                while (w.isAlive()) {
                    try {
                        w.join();
                    } catch (InterruptedException e) {
                        interrupted = true;
                    }
                }
            }
            users.setRelease(USER, null);
        }
        if (interrupted) {
            me.interrupt();
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

        WorkerPool pool() {
            return WorkerPool.this;
        }

        @Override
        public void run() {
            long seen = 0;
            while (!isClosed()) {
                seen = next(seen);
                wake(id);
                int done = work(id);
                if (done > 0) {
                    state.getAndAdd(finished, done);
                    LockSupport.unpark(waiting);
                }
            }
        }

        /** Waits until the own share belongs to another task than the one seen, or the pool is closed; returns its number. */
        private long next(long seen) {
            long start = System.nanoTime();
            for (int spins = 1; ; spins++) {
                long now = state.get(id * APART) >>> 2 * BITS;
                if (now != seen || isClosed()) {
                    return now;
                }
                Thread.onSpinWait();
                if (spins % SPINS_PER_CLOCK == 0 && System.nanoTime() - start > spinNanos) {
                    parked = true;
                    if (state.get(id * APART) >>> 2 * BITS == seen && !isClosed()) {
                        LockSupport.park(WorkerPool.this);
                        Thread.interrupted(); // nobody is told, and an interrupted thread cannot park
                    }
                    parked = false;
                }
            }
        }
    }
}
