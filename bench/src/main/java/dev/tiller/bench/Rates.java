package dev.tiller.bench;

import dev.tiller.engine.Edit;
import dev.tiller.engine.Model;
import dev.tiller.engine.Sequence;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.SteeringVector;
import dev.tiller.engine.Step;
import dev.tiller.kernels.Buffer;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/** Tokens per second of one model on given shapes. */
final class Rates {
    /** Tokens before the first decoded one. */
    static final int CONTEXT = 16;

    /** Rows of one forward pass of a long prompt. */
    private static final int CHUNK = 512;

    /** Steps after which steered and unsteered decode change places: short, so that both see the same machine. */
    private static final int STRETCH = 8;

    private final Model model;
    private final Step step;
    private final int prompt;
    private final int decode;
    private final int batch;
    private final String weights;
    private final SteeringPlan steering;

    /**
     * @param prompt tokens of the prefill row
     * @param decode tokens decoded per sequence
     * @param batch sequences of the batch row
     */
    Rates(Model model, int prompt, int decode, int batch) {
        this.model = model;
        this.step = model.newStep();
        this.prompt = prompt;
        this.decode = decode;
        this.batch = batch;
        this.weights = model.weightFormats();
        this.steering = everyBlock();
        int longest = Math.max(prompt, CONTEXT + decode);
        if (longest > model.spec().maxPositions()) {
            throw new TillerException("--prompt " + prompt + " and --decode " + decode + " (after " + CONTEXT
                    + " tokens) need " + longest + " positions, the model's context has "
                    + model.spec().maxPositions());
        }
    }

    /** A random unit direction added at the output of every block, small enough to leave the text alone. */
    private SteeringPlan everyBlock() {
        SplittableRandom random = new SplittableRandom(11);
        float[] direction = new float[model.spec().width()];
        double squares = 0;
        for (int i = 0; i < direction.length; i++) {
            direction[i] = (float) random.nextGaussian();
            squares += direction[i] * direction[i];
        }
        for (int i = 0; i < direction.length; i++) {
            direction[i] /= (float) Math.sqrt(squares);
        }
        int[] all = IntStream.range(0, model.spec().blocks()).toArray();
        return SteeringPlan.of(Edit.add(SteeringVector.uniform("bench", direction), 1e-3f, all));
    }

    /** Measures every row once. */
    List<Sample> round() {
        List<Sample> samples = new ArrayList<>();
        samples.add(sample("prefill", 1, prompt / prefill()));
        try (Decoding plain = new Decoding(SteeringPlan.NONE, 1);
                Decoding steered = new Decoding(steering, 1)) {
            alternate(plain, steered);
            samples.add(sample("decode", 1, decode / plain.seconds));
            samples.add(sample("decode_steered", 1, decode / steered.seconds));
        }
        try (Decoding many = new Decoding(SteeringPlan.NONE, batch)) {
            many.advance(decode);
            samples.add(sample("decode_batch", batch, batch * decode / many.seconds));
        }
        return samples;
    }

    private Sample sample(String name, int sequences, double rate) {
        return new Sample(name, weights, sequences, rate);
    }

    /** Both run the same number of steps; who goes first changes each time. */
    private void alternate(Decoding a, Decoding b) {
        boolean aFirst = true;
        for (int done = 0; done < decode; done += STRETCH) {
            int steps = Math.min(STRETCH, decode - done);
            (aFirst ? a : b).advance(steps);
            (aFirst ? b : a).advance(steps);
            aFirst = !aFirst;
        }
    }

    /** Seconds from an empty sequence to the first token after the prompt. */
    private double prefill() {
        int[] ids = tokens(0, prompt);
        int[] next = new int[1];
        long start = System.nanoTime();
        try (Sequence sequence = model.newSequence(SteeringPlan.NONE, prompt)) {
            for (int from = 0; from < prompt; from += CHUNK) {
                int to = Math.min(from + CHUNK, prompt);
                step.clear();
                step.add(sequence, ids, from, to, to == prompt ? Step.Logits.LAST : Step.Logits.NONE);
                Buffer logits = model.forward(step);
                if (to == prompt) {
                    model.backend().argmax(logits, 1, next);
                }
            }
            return (System.nanoTime() - start) / 1e9;
        }
    }

    private int[] tokens(int seed, int count) {
        SplittableRandom random = new SplittableRandom(seed);
        return random.ints(count, 0, model.spec().vocabulary()).toArray();
    }

    /** Sequences that are decoded together, each with its own context; counts the seconds spent. */
    private final class Decoding implements AutoCloseable {
        private final List<Sequence> sequences = new ArrayList<>();
        private final int[][] last;
        private final int[] next;
        private double seconds;

        Decoding(SteeringPlan plan, int count) {
            last = new int[count][1];
            next = new int[count];
            step.clear();
            for (int s = 0; s < count; s++) {
                sequences.add(model.newSequence(plan, CONTEXT));
                step.add(sequences.get(s), tokens(s, CONTEXT), 0, CONTEXT, Step.Logits.LAST);
            }
            forward();
        }

        /** Decodes that many tokens of each sequence. */
        void advance(int steps) {
            long start = System.nanoTime();
            for (int i = 0; i < steps; i++) {
                step.clear();
                for (int s = 0; s < last.length; s++) {
                    last[s][0] = next[s];
                    step.add(sequences.get(s), last[s], 0, 1, Step.Logits.LAST);
                }
                forward();
            }
            seconds += (System.nanoTime() - start) / 1e9;
        }

        private void forward() {
            model.backend().argmax(model.forward(step), last.length, next);
        }

        @Override
        public void close() {
            sequences.forEach(Sequence::close);
        }
    }
}
