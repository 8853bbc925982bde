package dev.tiller.kernels.cpu;

import java.util.function.IntSupplier;

/**
 * How many threads share a task: all there are, but no more than processors, and fewer while other programs take these.
 * A thread that loses its processor for a time slice keeps the units it holds, and all others wait for it. So where too
 * much time goes by in waiting, one thread less takes part, until that helps; after a pause one more is tried again, and
 * where that was too early, the next pause is twice as long.
 *
 * <p>Used by one thread at a time. Times are those of {@link System#nanoTime}.
 */
class Parties {
    /** Time lost in a window that is put down to chance: a collection of garbage, a short visit of another program. */
    static final long TOLERATED = 10_000_000;

    /** The same when one more thread has just been tried. */
    static final long TOLERATED_IN_TRIAL = 2_000_000;

    /** Time after which a loss is forgotten and a trial has succeeded: many time slices. */
    static final long WINDOW = 50_000_000;

    /** Tasks that a trial takes at least: time in which nothing is asked for proves nothing. */
    static final int TRIAL_TASKS = 500;

    static final long SHORTEST_PAUSE = 10_000_000;
    static final long LONGEST_PAUSE = 1_280_000_000;

    private final int threads;
    private final IntSupplier processors;

    /** How many take part at present. */
    private int count;

    private long windowBegin;
    private long lost;

    /** Whether the window has begun with one more thread. */
    private boolean trial;

    /** Tasks since the window began. */
    private int tasks;

    private long nextTrial;
    private long pause = SHORTEST_PAUSE;

    /** @param processors how many there are at present */
    Parties(int threads, IntSupplier processors, long now) {
        if (threads < 1) {
            throw new IllegalArgumentException("expected at least 1 thread, found " + threads);
        }
        this.threads = threads;
        this.processors = processors;
        this.count = Math.clamp(processors.getAsInt(), 1, threads);
        this.nextTrial = now + pause;
        this.windowBegin = now;
    }

    /** As many as possible of so many threads. */
    static Parties of(int threads) {
        return new Parties(threads, Runtime.getRuntime()::availableProcessors, System.nanoTime());
    }

    /** How many take part at present. */
    int count() {
        return count;
    }

    /** How many are to share the next task. */
    int count(long now) {
        tasks++;
        if (count < threads && now - nextTrial >= 0) {
            if (trial && tasks < TRIAL_TASKS) {
                return count;
            }
            if (trial) {
                succeed();
            }
            if (count < processors.getAsInt()) {
                count++;
                trial = true;
                windowBegin = now;
                tasks = 0;
                lost = 0;
                nextTrial = now + WINDOW;
            } else {
                pauseLonger(now);
            }
        }
        return count;
    }

    private void succeed() {
        trial = false;
        pause = SHORTEST_PAUSE;
    }

    private void pauseLonger(long now) {
        pause = Math.min(2 * pause, LONGEST_PAUSE);
        nextTrial = now + pause;
    }

    /**
     * Tells that the asking thread had to wait for others at the end of a task.
     *
     * @param worked time that it was busy with the task before; waiting no longer than that is nothing unusual, for units
     *     may be large
     */
    void waited(long waited, long worked, long now) {
        if (waited <= worked) {
            return;
        }
        if (now - windowBegin > WINDOW && (!trial || tasks >= TRIAL_TASKS)) {
            succeed();
            windowBegin = now - waited;
            lost = 0;
        }
        lost += waited;
        if (lost > (trial ? TOLERATED_IN_TRIAL : TOLERATED) && count > 1) {
            count--;
            if (trial) {
                pauseLonger(now);
            } else {
                nextTrial = now + pause;
            }
            trial = false;
            windowBegin = now;
            lost = 0;
        }
    }
}
