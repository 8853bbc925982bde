package dev.tiller.persona;

import dev.tiller.engine.Comparison;
import dev.tiller.engine.Generation;
import dev.tiller.engine.GenerationRequest;
import dev.tiller.engine.Generator;
import dev.tiller.engine.Model;
import dev.tiller.engine.SamplingOptions;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.TokenSink;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.template.Message;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Lets the model answer prompts under a grid of coefficients, beside three baselines: unsteered, prompt-only (an instruction
 * as system prompt), and random vectors of the same norm at the same coefficients. All answers of all arms are rows of one
 * batch; the arms of a prompt share what comes before the answer. A prompt draws with the same seed in every arm, so arms
 * differ by what is done alone. The answers are then run through the model once more, steered and not, for divergence and
 * perplexity.
 */
public final class DoseResponse {
    /**
     * What came out.
     *
     * @param cells unsteered, prompt-only, the grid from its lowest coefficient on, then the random vectors
     * @param unjudged why there are no scores; empty if there are
     * @param judge which judge it was, or "none"
     */
    public record Result(DoseOptions options, List<DoseCell> cells, Optional<String> unjudged, String judge) {
        /** The baseline without anything. */
        public DoseCell unsteered() {
            return cells.getFirst();
        }

        /** Cells of that kind, in order. */
        public List<DoseCell> of(DoseArm.Kind kind) {
            return cells.stream().filter(c -> c.arm().kind() == kind).toList();
        }

        /** The random vectors at that coefficient. */
        public List<DoseCell> randomAt(double coefficient) {
            return of(DoseArm.Kind.RANDOM).stream()
                    .filter(c -> c.arm().coefficient() == coefficient)
                    .toList();
        }
    }

    private final Model model;
    private final DoseOptions options;
    private final Judge judge;
    private final Progress progress;
    private final List<DoseArm> arms;
    private final List<int[]> plain = new ArrayList<>();
    private final List<int[]> instructed = new ArrayList<>();

    private DoseResponse(Model model, DoseOptions options, Judge judge, Progress progress) {
        this.model = model;
        this.options = options;
        this.judge = judge;
        this.progress = progress;
        this.arms = DoseArm.of(options);
        for (String p : options.prompts()) {
            plain.add(Calibrator.prompt(model, p));
            instructed.add(instructed(p));
        }
    }

    /** Without a chat template the instruction is a paragraph before the prompt. */
    private int[] instructed(String prompt) {
        return model.template().isPresent()
                ? model.chat(List.of(new Message("system", options.instruction()), new Message("user", prompt)))
                : model.encode(options.instruction() + "\n\n" + prompt);
    }

    /**
     * Runs everything.
     *
     * @param judge scores the answers; null if there is none
     * @param answers file that keeps finished answers, so that an interrupted run can go on; null for none
     */
    public static Result run(Model model, DoseOptions options, Judge judge, Path answers, Progress progress) {
        DoseResponse run = new DoseResponse(model, options, judge, progress);
        run.arms.forEach(a -> model.check(a.plan()));
        if (answers == null) {
            return run.measure(run.answers(null));
        }
        DoseAnswer[] given;
        try (DoseJob job = DoseJob.open(answers, options, model)) {
            given = run.answers(job);
        }
        return run.measure(given);
    }

    /** The answer of prompt p in arm a is number {@code p * arms + a}: arms of a prompt stand together and share it. */
    private DoseAnswer[] answers(DoseJob job) {
        int all = plain.size() * arms.size();
        DoseAnswer[] out = new DoseAnswer[all];
        if (job != null) {
            job.finished().forEach((i, answer) -> out[checkRequest(i, all)] = answer);
        }
        List<Integer> open = new ArrayList<>();
        List<GenerationRequest> requests = new ArrayList<>();
        for (int i = 0; i < all; i++) {
            if (out[i] == null) {
                open.add(i);
                requests.add(request(i / arms.size(), arms.get(i % arms.size())));
            }
        }
        progress.update("answers", all - open.size(), all);
        new Generator(model, List.of(), new TokenSink() {
                    private int done = all - open.size();

                    @Override
                    public boolean token(int request, int id, String text, float[] projections) {
                        return true;
                    }

                    @Override
                    public void finished(int request, Generation generation) {
                        int i = open.get(request);
                        out[i] = DoseAnswer.of(generation);
                        if (job != null) {
                            job.append(i, out[i]);
                        }
                        progress.update("answers", ++done, all);
                    }
                })
                .run(requests);
        return out;
    }

    private static int checkRequest(int i, int all) {
        if (i < 0 || i >= all) {
            throw new TillerException("file of answers: has an answer " + i + ", these settings make " + all);
        }
        return i;
    }

    private GenerationRequest request(int prompt, DoseArm arm) {
        return new GenerationRequest(
                arm.kind() == DoseArm.Kind.PROMPT ? instructed.get(prompt) : plain.get(prompt),
                arm.plan(),
                SamplingOptions.temperature(options.temperature()),
                Seeds.of(options.seed(), prompt),
                options.maxTokens(),
                false);
    }

    private Result measure(DoseAnswer[] answers) {
        List<Comparison.Case> cases = new ArrayList<>();
        long total = 0;
        for (int i = 0; i < answers.length; i++) {
            int prompt = i / arms.size();
            DoseArm arm = arms.get(i % arms.size());
            int[] before = arm.kind() == DoseArm.Kind.PROMPT ? instructed.get(prompt) : plain.get(prompt);
            int room = model.spec().maxPositions() + 1 - Math.max(before.length, plain.get(prompt).length);
            int[] ids = answers[i].ids();
            int[] answer = ids.length > room ? Arrays.copyOf(ids, Math.max(0, room)) : ids;
            List<Comparison.Way> ways =
                    arm.kind() == DoseArm.Kind.UNSTEERED ? List.of() : List.of(new Comparison.Way(before, arm.plan()));
            cases.add(new Comparison.Case(plain.get(prompt), answer, ways));
            total += (long) ways.size() * answer.length;
        }
        long all = total;
        progress.update("divergence", 0, all);
        List<Comparison.Result> compared =
                new Comparison(model).run(cases, done -> progress.update("divergence", done, all));
        Scores[] scores = new Scores[answers.length];
        Optional<String> unjudged = judge(answers, scores);
        List<DoseCell> cells = new ArrayList<>();
        for (int a = 0; a < arms.size(); a++) {
            cells.add(cell(a, answers, compared, unjudged.isEmpty() ? scores : null));
        }
        return new Result(options, cells, unjudged, judge == null ? "none" : judge.describe());
    }

    /**
     * Scores the answers. Rules for one kind of text say nothing of another: a judge that finds the unsteered answers
     * incoherent does not know this model's language, and its scores are not used.
     *
     * @return why there are no scores; empty if there are
     */
    private Optional<String> judge(DoseAnswer[] answers, Scores[] scores) {
        if (judge == null) {
            return Optional.of("no judge");
        }
        for (int i = 0; i < answers.length; i++) {
            scores[i] = judge.score(options.prompts().get(i / arms.size()), answers[i].text(), answers[i].ended());
        }
        Scores[] unsteered = arm(scores, 0);
        double coherence = mean(Arrays.stream(unsteered)
                .filter(s -> s.coherence() != null)
                .mapToDouble(Scores::coherence)
                .toArray());
        if (!(coherence >= Selection.MIN_COHERENCE)) {
            return Optional.of(String.format(
                    java.util.Locale.ROOT,
                    "the judge (%s) gives the model's unsteered answers a coherence of %.1f, below %.0f: it cannot judge"
                            + " text like this, its scores are left out",
                    judge.describe(),
                    coherence,
                    Selection.MIN_COHERENCE));
        }
        return Optional.empty();
    }

    private <T> T[] arm(T[] all, int arm) {
        T[] out = Arrays.copyOf(all, plain.size());
        for (int p = 0; p < out.length; p++) {
            out[p] = all[p * arms.size() + arm];
        }
        return out;
    }

    private DoseCell cell(int arm, DoseAnswer[] answers, List<Comparison.Result> compared, Scores[] scores) {
        DoseArm a = arms.get(arm);
        DoseAnswer[] own = arm(answers, arm);
        List<Double> divergences = new ArrayList<>();
        List<Double> early = new ArrayList<>();
        double likelihood = 0;
        int tokens = 0;
        for (int p = 0; p < own.length; p++) {
            Comparison.Result r = compared.get(p * arms.size() + arm);
            double[] kl = r.divergence().length == 0 ? new double[r.logProbability().length] : r.divergence()[0];
            for (int t = 0; t < kl.length; t++) {
                divergences.add(kl[t]);
                if (t < Calibrator.EARLY) {
                    early.add(kl[t]);
                }
            }
            likelihood += Arrays.stream(r.logProbability()).sum();
            tokens += r.logProbability().length;
        }
        double[] trait = scores == null ? new double[0] : values(arm(scores, arm), true);
        double[] coherence = scores == null ? new double[0] : values(arm(scores, arm), false);
        return new DoseCell(
                a,
                applied(a),
                mean(trait),
                standardError(trait),
                mean(coherence),
                mean(divergences.stream().mapToDouble(d -> d).toArray()),
                worst(early),
                tokens == 0 ? Double.NaN : Math.exp(-likelihood / tokens),
                mean(Arrays.stream(own).mapToDouble(x -> repetition(x.ids())).toArray()),
                mean(Arrays.stream(own).mapToDouble(x -> x.ended() ? 1 : 0).toArray()),
                tokens,
                own[0].text());
    }

    private double applied(DoseArm arm) {
        return arm.plan().equals(SteeringPlan.NONE)
                ? 0
                : model.resolve(arm.plan()).edits().getFirst().coefficients().getFirst();
    }

    private static double[] values(Scores[] scores, boolean trait) {
        return Arrays.stream(scores)
                .map(s -> trait ? s.trait() : s.coherence())
                .filter(x -> x != null)
                .mapToDouble(Double::doubleValue)
                .toArray();
    }

    static double mean(double[] x) {
        return Arrays.stream(x).average().orElse(Double.NaN);
    }

    private static double standardError(double[] x) {
        double mean = mean(x);
        double squares = Arrays.stream(x).map(v -> (v - mean) * (v - mean)).sum();
        return x.length < 2 ? Double.NaN : Math.sqrt(squares / (x.length - 1) / x.length);
    }

    /** Mean of the largest 5 %, of one value at least. */
    private static double worst(List<Double> values) {
        List<Double> falling =
                values.stream().sorted((a, b) -> Double.compare(b, a)).toList();
        int n = (int) Math.ceil(falling.size() * Calibrator.WORST);
        return mean(falling.stream().limit(n).mapToDouble(d -> d).toArray());
    }

    /** Share of the runs of four tokens that have come before in the same text; 0 for texts of fewer than five. */
    static double repetition(int[] ids) {
        int all = ids.length - 3;
        if (all < 2) {
            return 0;
        }
        Set<List<Integer>> seen = new HashSet<>();
        for (int i = 0; i < all; i++) {
            seen.add(List.of(ids[i], ids[i + 1], ids[i + 2], ids[i + 3]));
        }
        return 1 - (double) seen.size() / all;
    }
}
