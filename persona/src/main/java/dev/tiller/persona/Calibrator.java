package dev.tiller.persona;

import dev.tiller.engine.Calibration;
import dev.tiller.engine.Comparison;
import dev.tiller.engine.Edit;
import dev.tiller.engine.Generation;
import dev.tiller.engine.GenerationRequest;
import dev.tiller.engine.Generator;
import dev.tiller.engine.Model;
import dev.tiller.engine.NaturalProjections;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.SteeringVector;
import dev.tiller.engine.TokenSink;
import dev.tiller.engine.TokenizedText;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.template.Message;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Measures what gives the coefficients of a vector a unit, on answers that the model gives greedily and without steering:
 * residual norms and natural projections at every block, and at chosen blocks the divergence that adding the vector causes.
 *
 * <p>The divergence of a coefficient is the mean, over every position of every answer that foretells one of its tokens, of
 * KL(steered || unsteered) of the next token's distribution in nats; each position counts the same, and the answers stay
 * those of the unsteered model. The edit acts on the span {@code generation}, at that block alone.
 */
public final class Calibrator {
    /** Positions at the beginning of an answer among which the worst are looked for. */
    static final int EARLY = 32;

    /** The share of them that counts as the worst. */
    static final double WORST = 0.05;

    /**
     * What to measure.
     *
     * @param klBlocks blocks whose divergence is measured
     * @param targets divergences in nats, above 0; each is looked for with both signs
     * @param maxTokens longest answer
     */
    public record Options(List<Integer> klBlocks, List<Double> targets, int maxTokens) {
        public Options {
            klBlocks = List.copyOf(klBlocks);
            targets = targets.stream().distinct().sorted().toList();
            for (double t : targets) {
                if (!(t > 0 && t <= 100)) {
                    throw new TillerException(
                            "calibration: a divergence of " + t + ": expected above 0 and up to 100 nats");
                }
            }
        }
    }

    /**
     * What came out.
     *
     * @param calibration by block
     * @param missed by block, with the sign of the coefficient: targets that adding the vector did not reach
     * @param prompts that were answered
     * @param positions measured
     */
    public record Result(
            SortedMap<Integer, Calibration> calibration,
            SortedMap<Integer, List<Double>> missed,
            int prompts,
            int positions) {}

    /** A search at one block in one direction. */
    private record Search(int block, int sign, KlSearch search) {}

    private final Model model;
    private final SteeringVector vector;
    private final List<TokenizedText> texts;

    private Calibrator(Model model, SteeringVector vector, List<TokenizedText> texts) {
        this.model = model;
        this.vector = vector;
        this.texts = texts;
    }

    /**
     * Measures.
     *
     * @param vector one direction per block
     * @param prompts what the user says; rendered by the chat template if the model has one
     */
    public static Result run(
            Model model, SteeringVector vector, List<String> prompts, Options options, Progress progress) {
        List<Integer> blocks = vector.blocks().stream()
                .filter(b -> Vectors.norm(vector.at(vector.site(), b)) > 0)
                .sorted()
                .toList();
        for (int b : options.klBlocks) {
            if (!blocks.contains(b)) {
                throw new TillerException("vector \"" + vector.name() + "\": has no direction for block " + b
                        + "; it has blocks " + blocks);
            }
        }
        NaturalProjections natural = new NaturalProjections(model, vector, blocks);
        List<TokenizedText> texts = answered(model, prompts, options.maxTokens, progress);
        SortedMap<Integer, Calibration> scale = natural.of(texts);
        Calibrator calibrator = new Calibrator(model, vector, texts);
        List<Search> searches = calibrator.search(scale, options, progress);
        SortedMap<Integer, Calibration> out = new TreeMap<>(scale);
        SortedMap<Integer, List<Double>> missed = new TreeMap<>();
        for (Search s : searches) {
            Calibration c = out.get(s.block);
            SortedMap<Double, Double> both = new TreeMap<>(c.coefficients());
            s.search.table().forEach((kl, coefficient) -> both.put(s.sign * kl, s.sign * coefficient));
            out.put(s.block, new Calibration(c.residualNorm(), c.mean(), c.sd(), both));
            s.search
                    .missed()
                    .forEach(t -> missed.computeIfAbsent(s.block, b -> new ArrayList<>())
                            .add(s.sign * t));
        }
        int positions =
                texts.stream().mapToInt(t -> t.ids().length - t.promptLength()).sum();
        return new Result(out, missed, texts.size(), positions);
    }

    /** Tokens of what the user says: a conversation if the model has a template for it. */
    static int[] prompt(Model model, String user) {
        return model.template().isPresent() ? model.chat(List.of(new Message("user", user))) : model.encode(user);
    }

    /** Prompts with their greedy answers; those that are answered by nothing are left out. */
    static List<TokenizedText> answered(Model model, List<String> prompts, int maxTokens, Progress progress) {
        List<GenerationRequest> requests = prompts.stream()
                .map(p -> GenerationRequest.greedy(prompt(model, p), maxTokens))
                .toList();
        progress.update("answers", 0, requests.size());
        List<Generation> answers =
                new Generator(model, List.of(), counting("answers", requests.size(), progress)).run(requests);
        List<TokenizedText> texts = new ArrayList<>();
        for (int i = 0; i < answers.size(); i++) {
            int[] prompt = requests.get(i).prompt();
            int[] answer = answers.get(i).ids();
            int room = model.spec().maxPositions() + 1 - prompt.length;
            int[] ids = Arrays.copyOf(prompt, prompt.length + Math.min(answer.length, room));
            System.arraycopy(answer, 0, ids, prompt.length, ids.length - prompt.length);
            if (ids.length > prompt.length) {
                texts.add(new TokenizedText(ids, prompt.length));
            }
        }
        return texts;
    }

    static TokenSink counting(String what, int total, Progress progress) {
        return new TokenSink() {
            private int done;

            @Override
            public boolean token(int request, int id, String text, float[] projections) {
                return true;
            }

            @Override
            public void finished(int request, Generation generation) {
                progress.update(what, ++done, total);
            }
        };
    }

    private List<Search> search(SortedMap<Integer, Calibration> scale, Options options, Progress progress) {
        List<Search> searches = new ArrayList<>();
        for (int block : options.targets.isEmpty() ? List.<Integer>of() : options.klBlocks) {
            double one = scale.get(block).residualNorm() / Vectors.norm(vector.at(vector.site(), block));
            for (int sign : new int[] {1, -1}) {
                searches.add(new Search(block, sign, new KlSearch(one, options.targets)));
            }
        }
        for (int round = 1; ; round++) {
            Map<Search, List<Double>> wanted = new LinkedHashMap<>();
            for (Search s : searches) {
                List<Double> next = s.search.next();
                if (!next.isEmpty()) {
                    wanted.put(s, next);
                }
            }
            if (wanted.isEmpty()) {
                return searches;
            }
            measure(wanted, "divergence, round " + round, progress);
        }
    }

    /** One round: all coefficients of all searches beside each other. */
    private void measure(Map<Search, List<Double>> wanted, String what, Progress progress) {
        List<SteeringPlan> plans = new ArrayList<>();
        wanted.forEach((s, list) -> list.forEach(c -> plans.add(plan(s.block, s.sign * c))));
        double[] means = meanDivergence(model, texts, plans, what, progress);
        int at = 0;
        for (Map.Entry<Search, List<Double>> e : wanted.entrySet()) {
            for (double c : e.getValue()) {
                e.getKey().search.learn(c, means[at++]);
            }
        }
    }

    private SteeringPlan plan(int block, double coefficient) {
        return SteeringPlan.of(Edit.add(vector, (float) coefficient, block)
                .with()
                .sites(List.of(vector.site()))
                .build());
    }

    /** Mean over all positions of all answers of KL(steered || unsteered) under each plan, in nats. */
    static double[] meanDivergence(
            Model model, List<TokenizedText> texts, List<SteeringPlan> plans, String what, Progress progress) {
        List<Comparison.Case> cases = new ArrayList<>();
        long total = 0;
        for (TokenizedText t : texts) {
            int[] prompt = Arrays.copyOf(t.ids(), t.promptLength());
            int[] answer = Arrays.copyOfRange(t.ids(), t.promptLength(), t.ids().length);
            List<Comparison.Way> ways =
                    plans.stream().map(p -> new Comparison.Way(prompt, p)).toList();
            cases.add(new Comparison.Case(prompt, answer, ways));
            total += (long) answer.length * plans.size();
        }
        long all = total;
        progress.update(what, 0, all);
        List<Comparison.Result> results = new Comparison(model).run(cases, done -> progress.update(what, done, all));
        double[] means = new double[plans.size()];
        for (int p = 0; p < means.length; p++) {
            int n = 0;
            for (Comparison.Result r : results) {
                for (double kl : r.divergence()[p]) {
                    means[p] += kl;
                    n++;
                }
            }
            means[p] /= n;
        }
        return means;
    }
}
