package dev.tiller.engine;

import dev.tiller.loader.TillerException;
import java.util.Arrays;
import java.util.function.LongConsumer;
import java.util.stream.IntStream;

/**
 * How far what a model expects is from what another one of the same tokens expects, along a text: at every token of a window
 * but the first, KL(p || q) = sum_i p_i ln(p_i / q_i) in nats with p the distribution of the reference and q that of the
 * model. Meant for the same model with its weights in other formats.
 */
public final class Divergence {
    /** Logits of one step at most: a compromise between memory and the speed of large matmuls. */
    private static final int LOGITS = 1 << 23;

    private final Model reference;
    private final Model model;
    private final int window;
    private final int vocabulary;
    private final int room;

    /**
     * What came out, over all scored tokens.
     *
     * @param referenceNll sum of the negative log-likelihoods (nats) of the text's tokens with the reference
     * @param nll the same with the model
     * @param sameTop at how many tokens both hold the same token for the most probable (of equal ones the first)
     * @param divergence [tokens] KL in nats
     */
    public record Result(double referenceNll, double nll, long sameTop, double[] divergence) {
        /** Perplexity of the model over that of the reference. */
        public double ratio() {
            return Math.exp((nll - referenceNll) / divergence.length);
        }

        /** Perplexity of the model. */
        public double perplexity() {
            return Math.exp(nll / divergence.length);
        }

        /** Mean KL in nats. */
        public double mean() {
            return Arrays.stream(divergence).sum() / divergence.length;
        }

        /** The smallest KL that at least that share of the tokens do not exceed; 1 for the largest. */
        public double quantile(double share) {
            double[] sorted = divergence.clone();
            Arrays.sort(sorted);
            return sorted[Math.clamp((long) Math.ceil(share * sorted.length) - 1, 0, sorted.length - 1)];
        }
    }

    /** One token's part. */
    private record Row(double referenceNll, double nll, boolean sameTop, double divergence) {}

    /**
     * @param window tokens that are read together, from 2
     */
    public Divergence(Model reference, Model model, int window) {
        vocabulary = reference.spec().vocabulary();
        if (model.spec().vocabulary() != vocabulary) {
            throw new TillerException("expected models of the same vocabulary, found " + vocabulary + " and "
                    + model.spec().vocabulary() + " tokens");
        }
        int longest = Math.min(reference.spec().maxPositions(), model.spec().maxPositions()) + 1;
        if (window < 2 || window > longest) {
            throw new TillerException("expected a window of 2 to " + longest + " tokens, found " + window);
        }
        this.reference = reference;
        this.model = model;
        this.window = window;
        int rows = Math.min(reference.backend().rowsPerStep(), model.backend().rowsPerStep());
        this.room = Math.clamp(LOGITS / vocabulary, 1, rows);
    }

    /**
     * Runs both models over the windows of a text; a last window of one token is left out.
     *
     * @param progress hears how many tokens are done, again and again
     */
    public Result of(int[] tokens, LongConsumer progress) {
        if (tokens.length < 2) {
            throw new TillerException("expected a text of at least 2 tokens, found " + tokens.length);
        }
        double[] divergence = new double[tokens.length];
        double[] nll = new double[2];
        long same = 0;
        int done = 0;
        float[] p = new float[room * vocabulary];
        float[] q = new float[room * vocabulary];
        for (int begin = 0; begin + 1 < tokens.length; begin += window) {
            int last = Math.min(begin + window, tokens.length) - 1;
            try (Sequence first = reference.newSequence(SteeringPlan.NONE, 1);
                    Sequence second = model.newSequence(SteeringPlan.NONE, 1)) {
                for (int at = begin; at < last; at += room) {
                    int rows = Math.min(room, last - at);
                    logits(reference, first, tokens, at, rows, p);
                    logits(model, second, tokens, at, rows, q);
                    int next = at + 1;
                    Row[] found = IntStream.range(0, rows)
                            .parallel()
                            .mapToObj(r -> row(p, q, r * vocabulary, tokens[next + r]))
                            .toArray(Row[]::new);
                    for (Row r : found) {
                        nll[0] += r.referenceNll;
                        nll[1] += r.nll;
                        same += r.sameTop ? 1 : 0;
                        divergence[done++] = r.divergence;
                    }
                    progress.accept(done);
                }
            }
        }
        return new Result(nll[0], nll[1], same, Arrays.copyOf(divergence, done));
    }

    private static void logits(Model m, Sequence sequence, int[] tokens, int at, int rows, float[] out) {
        Step step = m.newStep();
        step.add(sequence, tokens, at, at + rows, Step.Logits.ALL);
        m.backend().read(m.forward(step), 0, rows, out, 0);
    }

    private Row row(float[] p, float[] q, int from, int token) {
        int topP = from;
        int topQ = from;
        for (int i = from; i < from + vocabulary; i++) {
            topP = p[i] > p[topP] ? i : topP;
            topQ = q[i] > q[topQ] ? i : topQ;
        }
        double sumP = 0;
        double sumQ = 0;
        double apart = 0; // sum of exp(p - largest p) (p - q)
        for (int i = from; i < from + vocabulary; i++) {
            double e = Math.exp((double) p[i] - p[topP]);
            sumP += e;
            sumQ += Math.exp((double) q[i] - q[topQ]);
            apart += e * ((double) p[i] - q[i]);
        }
        double totalP = p[topP] + Math.log(sumP);
        double totalQ = q[topQ] + Math.log(sumQ);
        double divergence = Math.max(0, apart / sumP - totalP + totalQ); // below 0 by rounding only
        if (!Double.isFinite(divergence)) {
            throw Sampler.notFinite(p[topP] + " and " + q[topQ]);
        }
        return new Row(totalP - p[from + token], totalQ - q[from + token], topP == topQ, divergence);
    }
}
