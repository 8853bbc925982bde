package dev.tiller.bench;

import dev.tiller.engine.Capture;
import dev.tiller.engine.Model;
import dev.tiller.engine.Projections;
import dev.tiller.engine.Sequence;
import dev.tiller.engine.Step;
import dev.tiller.kernels.Buffer;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Sequences that are decoded together, greedily, each with its own context; counts the seconds spent. */
final class Decoding implements AutoCloseable {
    private final Model model;
    private final Step step;
    private final Projections watched;
    private final Capture capture;
    private final List<Integer> captured;
    private final int probes;
    private final float[] copy;
    private final List<Sequence> sequences = new ArrayList<>();
    private final int[][] last;
    private final int[] next;
    private double seconds;
    private double seen;

    /**
     * Runs the contexts; what follows is decoded.
     *
     * @param context tokens before the first decoded one
     * @param count sequences
     */
    Decoding(Model model, Workload workload, int context, int count) {
        this.model = model;
        this.step = model.newStep();
        this.watched = model.projections(workload.probes());
        this.probes = workload.probes().size();
        this.captured = workload.capture();
        this.capture = model.capture(captured);
        this.copy = new float[captured.isEmpty() ? 0 : count * model.spec().width()];
        this.last = new int[count][1];
        this.next = new int[count];
        int together = Math.max(1, model.backend().rowsPerStep() / context);
        for (int from = 0; from < count; from += together) {
            int to = Math.min(from + together, count);
            step.clear();
            for (int s = from; s < to; s++) {
                sequences.add(model.newSequence(workload.plan(s), context));
                step.add(sequences.get(s), tokens(model, s, context), 0, context, Step.Logits.LAST);
            }
            int[] first = new int[to - from];
            model.backend().argmax(model.forward(step), first.length, first);
            System.arraycopy(first, 0, next, from, first.length);
        }
    }

    /** Token ids that depend on the seed alone. */
    static int[] tokens(Model model, int seed, int count) {
        SplittableRandom random = new SplittableRandom(seed);
        return random.ints(count, 0, model.spec().vocabulary()).toArray();
    }

    /** Decodes that many tokens of each sequence and counts the time. */
    void advance(int steps) {
        long start = System.nanoTime();
        skip(steps);
        seconds += (System.nanoTime() - start) / 1e9;
    }

    /** Decodes that many tokens of each sequence. */
    void skip(int steps) {
        for (int i = 0; i < steps; i++) {
            step.clear();
            for (int s = 0; s < last.length; s++) {
                last[s][0] = next[s];
                step.add(sequences.get(s), last[s], 0, 1, Step.Logits.LAST);
            }
            Buffer logits = captured.isEmpty() ? model.forward(step, watched) : model.forward(step, capture);
            model.backend().argmax(logits, last.length, next);
            look();
        }
    }

    /** Reads what was watched, as a monitor does. */
    private void look() {
        if (probes > 0) {
            watched.fetch(last.length);
            for (int s = 0; s < last.length; s++) {
                seen += watched.of(s)[0];
            }
        }
        for (int block : captured) {
            capture.read(block, last.length, copy);
            seen += copy[0];
        }
    }

    /** Seconds of all that was counted. */
    double seconds() {
        return seconds;
    }

    @Override
    public void close() {
        sequences.forEach(Sequence::close);
    }
}
