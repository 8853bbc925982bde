package dev.tiller.persona;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.engine.Activations;
import dev.tiller.engine.Edit;
import dev.tiller.engine.Model;
import dev.tiller.engine.Op;
import dev.tiller.engine.Site;
import dev.tiller.engine.Span;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.SteeringVector;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Chooses a direction by what it does, in the way of the refusal direction (Arditi et al. 2024, arXiv 2406.11717), for any
 * behaviour. Candidates: r[i][l] = mean over the positive prompts - mean over the negative prompts of the residual at the
 * input of block l, at the i-th of the template's tokens after the instruction, accumulated in double. Each is tried out on
 * other prompts:
 *
 * <ul>
 *   <li>bypass: score on positive prompts with r ablated from the input, the attention output and the MLP output of every
 *       block, at all positions
 *   <li>induce: score on negative prompts with r added once at the input of block l, at all positions
 *   <li>KL: mean divergence of the next token's distribution after negative prompts, unsteered against ablated, in nats
 * </ul>
 *
 * Dropped are candidates from the last fifth of the layers (l >= 0.8 L), with KL above 0.1, that do not induce the behaviour,
 * or with a number that is none. Of the rest the one with the lowest bypass score is chosen.
 */
public final class DirectionSelection {
    /** Layers from this share of all on are not considered. */
    public static final double FIRST_LAYERS = 0.8;

    /** Differences below this share of the residual's length are rounding. */
    private static final double ROUNDING = 1e-6;

    /** Most change of what follows negative prompts, in nats. */
    public static final double MOST_KL = 0.1;

    /**
     * One direction and what it does.
     *
     * @param position of the prompt's tokens, counted from the end: -1 is the last
     * @param layer block at whose input it was found
     * @param norm its length
     * @param bypass score on positive prompts with it ablated; NaN if it was not tried
     * @param induce score on negative prompts with it added; NaN if it was not tried
     * @param kl divergence on negative prompts with it ablated; NaN if it was not tried
     * @param dropped why it cannot be chosen; null if it can
     */
    public record Candidate(
            int position, int layer, double norm, double bypass, double induce, double kl, String dropped) {}

    private final Model model;
    private final String trait;
    private final ContrastPrompts prompts;
    private final Behaviour behaviour;
    private final Progress progress;
    private final double[] baseline;
    private final double[] residualNorms;
    private final float[][][] directions;
    private final List<Candidate> candidates;

    private DirectionSelection(
            Model model, String trait, ContrastPrompts prompts, Behaviour behaviour, Progress progress) {
        this.model = model;
        this.trait = trait;
        this.prompts = prompts;
        this.behaviour = behaviour;
        this.progress = progress;
        int tokens = prompts.tokensAfterInstruction(model);
        int layers = model.spec().blocks();
        this.residualNorms = new double[layers];
        double[][][] pos = means(prompts.posTrain(), tokens, "activations, positive prompts");
        double[][][] neg = means(prompts.negTrain(), tokens, "activations, negative prompts");
        this.directions = new float[tokens][layers][model.spec().width()];
        for (int i = 0; i < tokens; i++) {
            for (int l = 0; l < layers; l++) {
                for (int j = 0; j < directions[i][l].length; j++) {
                    directions[i][l][j] = (float) (pos[i][l][j] - neg[i][l][j]);
                }
            }
        }
        List<SteeringPlan> none = List.of(SteeringPlan.NONE);
        this.baseline = new double[] {
            behaviour.scores(model, none, prompts.posValidation())[0],
            behaviour.scores(model, none, prompts.negValidation())[0]
        };
        this.candidates = List.copyOf(measure());
    }

    /**
     * Makes all candidates, tries them out and chooses one.
     *
     * @param behaviour what the direction is to change
     */
    public static DirectionSelection run(
            Model model, String trait, ContrastPrompts prompts, Behaviour behaviour, Progress progress) {
        return new DirectionSelection(model, trait, prompts, behaviour, progress);
    }

    /** [tokens][L][d] mean residuals at the input of every block, at the last tokens. */
    private double[][][] means(List<ContrastPrompts.Prompt> group, int tokens, String what) {
        int d = model.spec().width();
        double[][][] sums = new double[tokens][residualNorms.length][d];
        int done = 0;
        for (ContrastPrompts.Prompt p : group) {
            Activations a = model.residuals(p.ids(), p.ids().length, SteeringPlan.NONE);
            for (int l = 0; l < residualNorms.length; l++) {
                float[] h = PromptMetadata.level(a, l);
                for (int i = 0; i < tokens; i++) {
                    int from = (p.ids().length - tokens + i) * d;
                    double square = 0;
                    for (int j = 0; j < d; j++) {
                        sums[i][l][j] += h[from + j] / (double) group.size();
                        square += (double) h[from + j] * h[from + j];
                    }
                    residualNorms[l] += Math.sqrt(square) / (2.0 * tokens * group.size());
                }
            }
            progress.update(what, ++done, group.size());
        }
        return sums;
    }

    private List<Candidate> measure() {
        List<int[]> negatives = prompts.negValidation().stream()
                .map(ContrastPrompts.Prompt::ids)
                .toList();
        List<double[]> normal = NextToken.logProbabilities(model, negatives, SteeringPlan.NONE);
        List<Candidate> out = new ArrayList<>();
        int total = directions.length * residualNorms.length;
        for (int i = 0; i < directions.length; i++) {
            for (int l = 0; l < residualNorms.length; l++) {
                out.add(candidate(i, l, negatives, normal));
                progress.update("candidates", out.size(), total);
            }
        }
        return out;
    }

    private Candidate candidate(int i, int l, List<int[]> negatives, List<double[]> normal) {
        float[] r = directions[i][l];
        double norm = Vectors.norm(r);
        int position = i - directions.length;
        if (!(norm > ROUNDING * residualNorms[l]) || !Double.isFinite(norm)) {
            return new Candidate(position, l, norm, Double.NaN, Double.NaN, Double.NaN, "no direction");
        }
        if (l >= FIRST_LAYERS * residualNorms.length) {
            return new Candidate(position, l, norm, Double.NaN, Double.NaN, Double.NaN, "late layer");
        }
        SteeringPlan ablated = ablation(r);
        double kl = NextToken.meanDivergence(normal, NextToken.logProbabilities(model, negatives, ablated));
        double bypass = behaviour.scores(model, List.of(ablated), prompts.posValidation())[0];
        double induce = behaviour.scores(model, List.of(addition(r, 1, l)), prompts.negValidation())[0];
        return new Candidate(position, l, norm, bypass, induce, kl, dropped(bypass, induce, kl));
    }

    private String dropped(double bypass, double induce, double kl) {
        if (Double.isNaN(bypass) || Double.isNaN(induce) || Double.isNaN(kl)) {
            return "not a number";
        }
        if (kl > MOST_KL) {
            return "KL above " + MOST_KL;
        }
        return induce < shown() ? "does not induce" : null;
    }

    /** Removes a direction [d] wherever a block reads or writes the residual, at every position. */
    static SteeringPlan ablation(float[] r) {
        return SteeringPlan.of(Edit.of(Op.ABLATE, SteeringVector.uniform("candidate", r))
                .sites(List.of(Site.RESID_PRE, Site.ATTN_OUT, Site.MLP_OUT))
                .span(Span.ALL)
                .build());
    }

    /** Adds a direction [d] at the input of one block, at every position. */
    static SteeringPlan addition(float[] r, float coefficient, int layer) {
        return SteeringPlan.of(Edit.of(Op.ADD, SteeringVector.uniform("candidate", r))
                .coefficient(coefficient)
                .blocks(List.of(layer))
                .sites(List.of(Site.RESID_PRE))
                .span(Span.ALL)
                .build());
    }

    /** All candidates, by position, then by layer. */
    public List<Candidate> candidates() {
        return candidates;
    }

    /** Scores without steering: on positive and on negative prompts. */
    public double[] baseline() {
        return baseline.clone();
    }

    /** The score of induced answers from which on the behaviour counts as shown. */
    public double shown() {
        return behaviour.shown(baseline[0], baseline[1]);
    }

    /** The candidate with the lowest bypass score; an error if every one was dropped. */
    public Candidate chosen() {
        return choose(candidates, trait);
    }

    static Candidate choose(List<Candidate> all, String trait) {
        return all.stream()
                .filter(c -> c.dropped() == null)
                .min(Comparator.comparingDouble(Candidate::bypass))
                .orElseThrow(() -> {
                    Map<String, Integer> reasons = new TreeMap<>();
                    all.forEach(c -> reasons.merge(c.dropped(), 1, Integer::sum));
                    return new TillerException("trait " + trait + ": none of " + all.size()
                            + " candidates is left; dropped for these reasons: " + reasons);
                });
    }

    /** [d] the direction of a candidate. */
    public float[] direction(Candidate c) {
        return directions[c.position() + directions.length][c.layer()].clone();
    }

    /**
     * The direction of a candidate at the input of its block, to be added (+1 induces, -1 bypasses); the same as tensor
     * {@code direction}, to be named in edits at other places, such as ablations everywhere.
     */
    public VectorContent content(Candidate best) {
        float[] r = direction(best);
        SortedMap<Integer, float[][]> rows = new TreeMap<>();
        rows.put(best.layer(), new float[][] {r});
        JsonObject details = new JsonObject();
        details.addProperty("positive_prompts", prompts.posTrain().size());
        details.addProperty("negative_prompts", prompts.negTrain().size());
        details.addProperty("behaviour", behaviour.describe());
        details.add("candidate", json(best));
        details.addProperty("candidates", candidates.size());
        details.addProperty(
                "texts_sha256",
                PromptMetadata.hash(
                        prompts.all().stream().map(ContrastPrompts.Prompt::ids).toList()));
        return new VectorContent(
                "add",
                Site.RESID_PRE,
                rows,
                Map.of("direction", r),
                PromptMetadata.of(
                        model,
                        trait,
                        Method.REFUSAL,
                        "token " + best.position() + " of the prompt",
                        details,
                        rows,
                        residualNorms));
    }

    /** Everything that was measured, for programs. */
    public JsonObject json() {
        JsonObject o = new JsonObject();
        o.addProperty("trait", trait);
        o.addProperty("behaviour", behaviour.describe());
        o.addProperty("shown_from", shown());
        o.addProperty("unsteered_positive", baseline[0]);
        o.addProperty("unsteered_negative", baseline[1]);
        JsonArray list = new JsonArray();
        candidates.forEach(c -> list.add(json(c)));
        o.add("candidates", list);
        boolean any = candidates.stream().anyMatch(c -> c.dropped() == null);
        o.add("chosen", any ? json(chosen()) : null);
        return o;
    }

    private static JsonObject json(Candidate c) {
        JsonObject o = new JsonObject();
        o.addProperty("position", c.position());
        o.addProperty("layer", c.layer());
        o.addProperty("norm", c.norm());
        number(o, "bypass", c.bypass());
        number(o, "induce", c.induce());
        number(o, "kl", c.kl());
        o.addProperty("dropped", c.dropped());
        return o;
    }

    private static void number(JsonObject o, String key, double value) {
        o.addProperty(key, Double.isFinite(value) ? value : null);
    }
}
