package dev.tiller.engine;

import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.KvPages;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongConsumer;
import java.util.stream.IntStream;

/**
 * How far treatments of a model change what it expects next, measured on given answers: at every position that foretells a
 * token of the answer, KL(p || q) = sum_i p_i ln(p_i / q_i) in nats, with p the distribution of the treated model and q that
 * of the model without steering. All treatments of an answer run beside each other as rows of one batch, and what they have
 * in common with the unsteered text before the answer is computed once. The result of a treatment does not depend on those
 * beside it.
 */
public final class Comparison {
    /** Logits of one step at most: a compromise between memory and the speed of large matmuls. */
    private static final int LOGITS = 1 << 23;

    /** Rows that each text should have in a step at least. */
    private static final int ROWS_EACH = 8;

    /**
     * One treatment.
     *
     * @param prompt tokens before the answer; other ones than those of the unsteered text for, say, an instruction
     * @param plan steering; conditions on the prompt and spans of roles are refused
     */
    public record Way(int[] prompt, SteeringPlan plan) {}

    /**
     * An answer and its treatments.
     *
     * @param prompt tokens before the answer in the unsteered text
     * @param answer tokens; may be empty
     */
    public record Case(int[] prompt, int[] answer, List<Way> ways) {}

    /**
     * What came out for a case.
     *
     * @param divergence [ways][answer tokens] nats
     * @param logProbability [answer tokens] natural logarithm of the token's probability in the unsteered text
     */
    public record Result(double[][] divergence, double[] logProbability) {}

    private final Model model;
    private final int vocabulary;
    private final int room;
    private final float[] logits;

    public Comparison(Model model) {
        this.model = model;
        this.vocabulary = model.spec().vocabulary();
        this.room =
                Math.clamp(LOGITS / vocabulary, 2, Math.max(2, model.backend().rowsPerStep()));
        this.logits = new float[room * vocabulary];
    }

    /**
     * Runs all cases.
     *
     * @param progress hears how many tokens of answers are done, again and again; each counts once for every treatment
     * @return in the order of the cases
     */
    public List<Result> run(List<Case> cases, LongConsumer progress) {
        List<Result> results = new ArrayList<>();
        List<Part> parts = new ArrayList<>();
        for (Case c : cases) {
            check(c);
            int m = c.answer.length;
            Result r = new Result(new double[c.ways.size()][m], new double[m]);
            results.add(r);
            int most = waysAtATime(c);
            for (int from = 0; m > 0 && (from == 0 || from < c.ways.size()); from += most) {
                parts.add(new Part(c, from, Math.min(c.ways.size(), from + most), r));
            }
        }
        long done = 0;
        for (int from = 0; from < parts.size(); ) {
            int to = groupEnd(parts, from);
            List<Part> group = parts.subList(from, to);
            try {
                done = runGroup(group, done, progress);
            } finally {
                group.forEach(Part::close);
            }
            from = to;
        }
        return results;
    }

    private void check(Case c) {
        if (c.prompt.length == 0 || c.ways.stream().anyMatch(w -> w.prompt.length == 0)) {
            throw new TillerException("comparison: a prompt is empty: at least one token is needed");
        }
        int longest = longest(c);
        model.cache()
                .checkFits(
                        "a text of " + longest + " tokens beside another",
                        2 * KvPages.PAGE * KvCache.pagesFor(longest));
    }

    /** Positions of the longest text of a case. */
    private static int longest(Case c) {
        int prompt = c.ways.stream().mapToInt(w -> w.prompt.length).max().orElse(0);
        return Math.max(prompt, c.prompt.length) + c.answer.length;
    }

    private int waysAtATime(Case c) {
        return Math.clamp(
                model.cache().free() / KvCache.pagesFor(longest(c)) - 1L, 1, Math.max(1, room / ROWS_EACH - 1));
    }

    /** As many parts as give each text enough rows and find room for their keys and values; at least one. */
    private int groupEnd(List<Part> parts, int from) {
        int to = from;
        int texts = 0;
        long pages = 0;
        do {
            Part p = parts.get(to++);
            texts += p.texts();
            pages += (long) p.texts() * KvCache.pagesFor(longest(p.c));
        } while (to < parts.size()
                && texts + parts.get(to).texts() <= room / ROWS_EACH
                && pages + (long) parts.get(to).texts() * KvCache.pagesFor(longest(parts.get(to).c))
                        <= model.cache().free());
        return to;
    }

    private long runGroup(List<Part> group, long before, LongConsumer progress) {
        int texts = group.stream().mapToInt(Part::texts).sum();
        List<Line> unsteered = group.stream().map(p -> p.lines.getFirst()).toList();
        prefill(unsteered);
        group.forEach(Part::share);
        prefill(group.stream().flatMap(p -> p.lines.stream().skip(1)).toList());
        int rows = Math.max(1, room / texts);
        int longest = group.stream().mapToInt(p -> p.c.answer.length).max().orElse(0);
        Step step = model.newStep();
        long done = before;
        for (int from = 0; from < longest; from += rows) {
            step.clear();
            for (Part p : group) {
                p.add(step, from, from + rows);
            }
            Buffer out = model.forward(step);
            model.backend().read(out, 0, step.outputs(), logits, 0);
            int row = 0;
            for (Part p : group) {
                row = p.score(row, from, from + rows);
                done += (long) (p.to - p.from) * Math.max(0, Math.min(rows, p.c.answer.length - from));
            }
            progress.accept(done);
        }
        return done;
    }

    /** Runs everything before the last token of the prompts. */
    private void prefill(List<Line> lines) {
        Step step = model.newStep();
        int most = model.backend().rowsPerStep();
        for (boolean more = true; more; ) {
            step.clear();
            more = false;
            for (Line l : lines) {
                int at = l.sequence.length();
                int to = Math.min(l.promptLength - 1, at + most - step.size());
                if (to > at) {
                    step.add(l.sequence, l.tokens, at, to, Step.Logits.NONE);
                }
                more |= Math.max(at, to) < l.promptLength - 1;
            }
            if (step.size() > 0) {
                model.forward(step);
            }
        }
    }

    /** One text: a prompt and the answer. */
    private static final class Line {
        final int[] tokens;
        final int promptLength;
        final Sequence sequence;

        Line(Model model, int[] prompt, int[] answer, SteeringPlan plan) {
            this.tokens = Arrays.copyOf(prompt, prompt.length + answer.length);
            System.arraycopy(answer, 0, tokens, prompt.length, answer.length);
            this.promptLength = prompt.length;
            this.sequence = model.newSequence(plan, promptLength);
            sequence.expect(tokens.length);
        }

        /** Begins with what both have in common before the answer. */
        void share(Line other) {
            boolean alike = sequence.isLong() == other.sequence.isLong();
            int most = alike ? Math.min(promptLength, other.promptLength) - 1 : 0;
            int same = 0;
            while (same < most
                    && tokens[same] == other.tokens[same]
                    && sequence.treatment().actsLike(other.sequence.treatment(), same)) {
                same++;
            }
            sequence.shareFrom(other.sequence, same);
        }
    }

    /** A case with some of its treatments; the first line is the unsteered text. */
    private final class Part {
        final Case c;
        final int from;
        final int to;
        final Result result;
        final List<Line> lines = new ArrayList<>();

        Part(Case c, int from, int to, Result result) {
            this.c = c;
            this.from = from;
            this.to = to;
            this.result = result;
            lines.add(new Line(model, c.prompt, c.answer, SteeringPlan.NONE));
            c.ways.subList(from, to).forEach(w -> lines.add(new Line(model, w.prompt, c.answer, w.plan)));
        }

        int texts() {
            return to - from + 1;
        }

        void share() {
            lines.stream().skip(1).forEach(l -> l.share(lines.getFirst()));
        }

        /** Adds the rows that foretell tokens first..last-1 of the answer. */
        void add(Step step, int first, int last) {
            int end = Math.min(last, c.answer.length);
            for (Line l : lines) {
                if (first < end) {
                    int at = l.promptLength - 1;
                    step.add(l.sequence, l.tokens, at + first, at + end, Step.Logits.ALL);
                }
            }
        }

        /** Takes the logits of those rows, the first of them in row {@code row}; returns the row after them. */
        int score(int row, int first, int last) {
            int n = Math.max(0, Math.min(last, c.answer.length) - first);
            IntStream.range(0, n).parallel().forEach(i -> {
                double normal = logSum(row + i);
                result.logProbability[first + i] = logits[(row + i) * vocabulary + c.answer[first + i]] - normal;
                for (int w = 1; w < lines.size(); w++) {
                    result.divergence[from + w - 1][first + i] = divergence(row + w * n + i, row + i, normal);
                }
            });
            return row + n * lines.size();
        }

        void close() {
            lines.forEach(l -> l.sequence.close());
        }
    }

    /** ln of the sum of exp over a row of logits. */
    private double logSum(int row) {
        float largest = largest(row);
        double sum = 0;
        for (int i = row * vocabulary; i < (row + 1) * vocabulary; i++) {
            sum += Math.exp((double) logits[i] - largest);
        }
        return largest + Math.log(sum);
    }

    private float largest(int row) {
        float largest = Float.NEGATIVE_INFINITY;
        for (int i = row * vocabulary; i < (row + 1) * vocabulary; i++) {
            largest = Math.max(largest, logits[i]);
        }
        if (!Float.isFinite(largest)) {
            throw Sampler.notFinite(String.valueOf(largest));
        }
        return largest;
    }

    /** KL(p || q) of the rows p and q: sum p (a - b) - ln Z_p + ln Z_q with their logits a and b. */
    private double divergence(int p, int q, double normalOfQ) {
        float largest = largest(p);
        int a = p * vocabulary;
        int b = q * vocabulary;
        double sum = 0;
        double apart = 0;
        for (int i = 0; i < vocabulary; i++) {
            double e = Math.exp((double) logits[a + i] - largest);
            if (e > 0) { // a logit of -infinity has no share
                sum += e;
                apart += e * ((double) logits[a + i] - logits[b + i]);
            }
        }
        double kl = apart / sum - largest - Math.log(sum) + normalOfQ;
        if (Double.isNaN(kl)) {
            throw Sampler.notFinite("NaN");
        }
        return Math.max(0, kl); // rounding
    }
}
