package dev.tiller.kernels.lab;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.StepShape;
import java.util.ArrayList;
import java.util.List;

/**
 * Times one case on one backend: many calls in a row, as one step of the backend (which a GPU replays as one graph), over
 * several sets of inputs so that weights come from memory as they do in a model, then a wait for the end.
 */
public final class Stopwatch {
    private static final double SET_BYTES = 256e6;
    private static final int CALLS_PER_STEP = 64;
    private static final int MOST_POSITIONS = 1 << 15;

    private final Backend backend;
    private final List<LabCase.Prepared> sets = new ArrayList<>();
    private final Buffer flag;
    private final boolean waits;
    private int steps = 1;

    public Stopwatch(Operation operation, LabCase labCase, Backend backend) {
        this.backend = backend;
        this.waits = operation.waits();
        this.flag = backend.buffer(1, 1);
        int count = (int) Math.clamp(Math.ceil(SET_BYTES / Math.max(1, labCase.bytes())), 2, 8);
        for (int i = 0; i < count; i++) {
            sets.add(labCase.setting().on(backend));
        }
    }

    /** Runs until the code is warm, and finds how many calls make a sample of that many seconds. */
    public void warmUp(double seconds) {
        long start = System.nanoTime();
        while (System.nanoTime() - start < seconds * 1e9) {
            run(1);
        }
        double once = run(1);
        steps = (int) Math.clamp(Math.ceil(seconds / 4 / Math.max(once, 1e-9)), 1, 100_000);
    }

    /** Seconds of one call, the mean over one sample. */
    public double sample() {
        return run(steps) / steps / CALLS_PER_STEP;
    }

    private double run(int times) {
        long start = System.nanoTime();
        for (int i = 0; i < times; i++) {
            if (waits) {
                calls();
            } else {
                backend.step(new StepShape(1, 0, true, MOST_POSITIONS), this::calls);
            }
        }
        backend.read(flag, 0, 1, new float[1], 0); // waits for what was started
        return (System.nanoTime() - start) / 1e9;
    }

    private void calls() {
        for (int i = 0; i < CALLS_PER_STEP; i++) {
            sets.get(i % sets.size()).call();
        }
    }
}
