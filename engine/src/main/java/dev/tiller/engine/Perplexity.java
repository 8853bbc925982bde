package dev.tiller.engine;

import dev.tiller.kernels.Buffer;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import java.util.stream.IntStream;

/**
 * How well a model foretells a text: exp of the mean negative log-likelihood of its tokens. The text is cut into windows,
 * each begun anew; a token is scored in the first window that holds it, unless it is that window's first. With a stride
 * below the window, windows overlap and tokens of the later ones are scored with at least window - stride tokens before
 * them.
 */
public final class Perplexity {
    /** Logits of one step at most: a compromise between memory and the speed of large matmuls. */
    private static final int LOGITS = 1 << 23;

    private final Model model;
    private final int window;
    private final int stride;
    private final SteeringPlan plan;

    /**
     * What came out.
     *
     * @param windows how many windows were run
     * @param tokens tokens scored
     * @param logLikelihood sum of the natural logarithms of their probabilities
     * @param windowSums for each window the sum of the negative logarithms of the tokens that are scored in it
     */
    public record Result(int windows, long tokens, double logLikelihood, List<Double> windowSums) {
        /** exp of the mean negative log-likelihood. */
        public double perplexity() {
            return Math.exp(-logLikelihood / tokens);
        }
    }

    /**
     * Tokens begin..end-1 of the text.
     *
     * @param scored first token to score
     */
    private record Window(int begin, int scored, int end) {}

    /** Rows of a step whose logits are asked for: row i foretells token {@code next + i} of a window, scored from {@code scored} on. */
    private record Piece(int next, int rows, int scored, int window) {}

    /** Of a model, in windows of so many tokens, each beginning {@code stride} tokens after the one before. */
    public Perplexity(Model model, int window, int stride) {
        this(model, window, stride, SteeringPlan.NONE);
    }

    /** The same under a plan; the prompt of each window is its first token, so the span {@code generation} is all of it. */
    public Perplexity(Model model, int window, int stride, SteeringPlan plan) {
        int longest = model.spec().maxPositions() + 1; // a window's last token is only foretold
        if (window < 2 || window > longest) {
            throw new TillerException("expected a window of 2 to " + longest + " tokens, found " + window);
        }
        if (stride < 1 || stride > window) {
            throw new TillerException("expected a stride of 1 to the window's " + window + " tokens, found " + stride);
        }
        this.model = model;
        this.window = window;
        this.stride = stride;
        this.plan = plan;
        model.newSequence(plan, 1).close(); // what cannot be applied is refused now
    }

    /** How many tokens of a text of that length are scored. */
    public long scored(int tokens) {
        return windows(tokens).stream().mapToLong(w -> w.end - w.scored).sum();
    }

    private List<Window> windows(int tokens) {
        List<Window> windows = new ArrayList<>();
        int done = 0;
        for (int begin = 0; done < tokens; begin += stride) {
            int end = Math.min(tokens, begin + window);
            int scored = Math.max(done, begin + 1);
            if (scored < end) {
                windows.add(new Window(begin, scored, end));
            }
            done = end;
        }
        return windows;
    }

    /**
     * Runs the text through the model.
     *
     * @param progress hears how many tokens are scored, again and again
     */
    public Result of(int[] tokens, LongConsumer progress) {
        List<Window> windows = windows(tokens.length);
        if (windows.isEmpty()) {
            throw new TillerException("expected a text of at least 2 tokens, found " + tokens.length);
        }
        for (int id : tokens) {
            Step.check(id, model.spec().vocabulary());
        }
        int longest = Math.min(window, tokens.length);
        model.cache().checkFits("a window of " + longest + " tokens", longest, "take a shorter one (--window)");
        try (Run run = new Run(tokens, progress)) {
            windows.forEach(run::add);
            run.flush();
            return new Result(windows.size(), run.scored, run.logLikelihood, List.copyOf(run.sums));
        }
    }

    /** Windows on their way through the model, as many rows at a time as a step has room for. */
    private final class Run implements AutoCloseable {
        private final int[] tokens;
        private final LongConsumer progress;
        private final int vocabulary = model.spec().vocabulary();
        private final int room =
                Math.clamp(LOGITS / vocabulary, 1, model.backend().rowsPerStep());
        private final float[] logits = new float[room * vocabulary];
        private final Step step = model.newStep();
        private final List<Piece> pieces = new ArrayList<>();
        private final List<Sequence> over = new ArrayList<>();
        private Sequence current;
        private final List<Double> sums = new ArrayList<>();
        private long scored;
        private double logLikelihood;

        Run(int[] tokens, LongConsumer progress) {
            this.tokens = tokens;
            this.progress = progress;
        }

        void add(Window w) {
            current = model.newSequence(plan, 1);
            current.expect(w.end - w.begin);
            sums.add(0.0);
            int last = w.end - 1;
            for (int at = w.begin; at < last; ) {
                int rows = Math.min(room - step.size(), last - at);
                if (rows > 0) {
                    boolean wanted = at + rows >= w.scored;
                    step.add(current, tokens, at, at + rows, wanted ? Step.Logits.ALL : Step.Logits.NONE);
                    if (wanted) {
                        pieces.add(new Piece(at + 1, rows, w.scored, sums.size() - 1));
                    }
                    at += rows;
                }
                if (step.size() == room) {
                    forward();
                }
            }
            over.add(current); // its last rows may still be in the step
            current = null;
        }

        void flush() {
            if (step.size() > 0) {
                forward();
            }
        }

        private void forward() {
            Buffer out = model.forward(step);
            int outputs = step.outputs();
            if (outputs > 0) {
                model.backend().read(out, 0, outputs, logits, 0);
                score();
            }
            step.clear();
            pieces.clear();
            progress.accept(scored);
            over.forEach(Sequence::close);
            over.clear();
        }

        private void score() {
            int row = 0;
            for (Piece p : pieces) {
                int skip = Math.max(0, p.scored - p.next);
                int first = row + skip;
                double[] found = IntStream.range(0, p.rows - skip)
                        .parallel()
                        .mapToDouble(i -> logProbability(first + i, tokens[p.next + skip + i]))
                        .toArray();
                double sum = 0;
                for (double one : found) {
                    logLikelihood += one;
                    sum -= one;
                }
                sums.set(p.window, sums.get(p.window) + sum);
                scored += found.length;
                row += p.rows;
            }
        }

        private double logProbability(int row, int token) {
            int from = row * vocabulary;
            float largest = Float.NEGATIVE_INFINITY;
            for (int i = from; i < from + vocabulary; i++) {
                largest = Math.max(largest, logits[i]);
            }
            double sum = 0;
            for (int i = from; i < from + vocabulary; i++) {
                sum += Math.exp((double) logits[i] - largest);
            }
            if (!Float.isFinite(largest) || !Double.isFinite(sum)) {
                throw Sampler.notFinite(String.valueOf(largest));
            }
            return logits[from + token] - (double) largest - Math.log(sum);
        }

        @Override
        public void close() {
            over.forEach(Sequence::close);
            if (current != null) {
                current.close();
            }
        }
    }
}
