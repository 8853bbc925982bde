package dev.tiller.persona;

import dev.tiller.engine.Edit;
import dev.tiller.engine.Model;
import dev.tiller.engine.Op;
import dev.tiller.engine.SamplingOptions;
import dev.tiller.engine.Site;
import dev.tiller.engine.Span;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.SteeringVector;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.template.Message;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * Directions of several methods side by side: how well they tell answers apart, how they lie to the difference of means,
 * and what they do when added. All are added with the same length, a share of that of the difference of means at the same
 * place, so that none wins by being longer. Unsteered answers and a random direction of that length are always there.
 */
public final class MethodComparison {
    /** Seed of the random direction. */
    private static final long RANDOM = 1;

    /**
     * One method.
     *
     * @param name of the method, "unsteered" or "random"
     * @param block whose output is steered; -1 for none
     * @param separation of all answers, the directions' own; null if there is no direction
     * @param heldOut of answers that the direction was not made from; null for directions that were not made from answers
     * @param cosine with the difference of means; NaN if there is no direction
     * @param trait mean trait score of steered answers; NaN without a judge
     * @param coherence mean coherence of steered answers; NaN without a judge
     */
    public record Row(
            String name,
            int block,
            Separation separation,
            Separation heldOut,
            double cosine,
            double trait,
            double coherence) {}

    private final Model model;
    private final AnswerResiduals answers;
    private final PersonaVector mean;
    private final int block;
    private final double share;
    private final List<Row> rows = new ArrayList<>();
    private final List<SteeringPlan> plans = new ArrayList<>();
    private final Map<Method, PersonaVector> vectors = new EnumMap<>(Method.class);

    /**
     * Starts with the unsteered model, a random direction and all methods that work on answers.
     *
     * @param options of the methods
     * @param block whose output to steer at
     * @param share length of what is added, in lengths of the difference of means there
     */
    public MethodComparison(Model model, AnswerResiduals answers, ExtractionOptions options, int block, double share) {
        this.model = model;
        this.answers = answers;
        this.block = block;
        this.share = share;
        this.mean = answers.vector(options.with(Method.MEAN));
        plans.add(SteeringPlan.NONE);
        rows.add(new Row("unsteered", -1, null, null, Double.NaN, Double.NaN, Double.NaN));
        add("random", block + 1, mean.randomLike(RANDOM).residPost(block), null);
        for (Method m : Method.values()) {
            if (m.fromAnswers()) {
                PersonaVector v = m == Method.MEAN ? mean : answers.vector(options.with(m));
                vectors.put(m, v);
                add(m.key(), block + 1, v.residPost(block), answers.heldOut(options.with(m), block));
            }
        }
    }

    /** The vectors of the methods that work on answers. */
    public Map<Method, PersonaVector> vectors() {
        return vectors;
    }

    /** Adds a direction per block output. */
    public void add(Method method, VectorContent directions) {
        add(method.key(), block + 1, directions.at(block), null);
    }

    /** Adds a direction that was chosen together with its place, the input of a block. */
    public void add(Method method, float[] direction, int layer) {
        add(method.key(), layer, direction, null);
    }

    private void add(String name, int l, float[] v, Separation heldOut) {
        float[] reference = mean.rows(PersonaVector.Pooled.RESPONSE_AVG)[l];
        double length = Vectors.norm(v);
        if (!(length > 0)) {
            throw new TillerException("method " + name + ": finds no direction at H[" + l + "]");
        }
        Edit edit = Edit.of(Op.ADD, SteeringVector.uniform(name, v))
                .coefficient((float) (share * Vectors.norm(reference) / length))
                .blocks(List.of(l == 0 ? 0 : l - 1))
                .sites(List.of(l == 0 ? Site.RESID_PRE : Site.RESID_POST))
                .build();
        plans.add(SteeringPlan.of(edit));
        double cosine = Vectors.cosine(v, reference);
        rows.add(new Row(name, l - 1, answers.separation(l, v), heldOut, cosine, Double.NaN, Double.NaN));
    }

    /**
     * Adds a matrix of positions: it acts where the user's words begin, and its mean row is what is compared. Its rows
     * keep their ratios; their root mean square is the common length.
     */
    public void addMatrix(Method method, VectorContent matrix) {
        int l = block + 1;
        float[][] all = matrix.directions().get(l);
        if (all == null) {
            throw new TillerException("method " + method.key() + ": has no input of block " + l);
        }
        float[] sum = new float[all[0].length];
        double square = 0;
        int some = 0;
        for (float[] row : all) {
            for (int i = 0; i < sum.length; i++) {
                sum[i] += row[i];
            }
            square += Vectors.dot(row, row);
            some += Vectors.norm(row) > 0 ? 1 : 0;
        }
        float[] reference = mean.rows(PersonaVector.Pooled.RESPONSE_AVG)[l];
        int at = wordsBegin(model);
        Edit edit = Edit.of(Op.ADD, matrix.steering(method.key(), null))
                .coefficient((float) (share * Vectors.norm(reference) / Math.sqrt(square / some)))
                .blocks(List.of(l))
                .sites(List.of(Site.RESID_PRE))
                .span(new Span.Range(at, at + all.length))
                .build();
        plans.add(SteeringPlan.of(edit));
        double cosine = Vectors.cosine(sum, reference);
        rows.add(new Row(method.key(), block, answers.separation(l, sum), null, cosine, Double.NaN, Double.NaN));
    }

    /** Position of the first token that belongs to what the user says. */
    static int wordsBegin(Model model) {
        int[] a = model.chat(List.of(new Message("user", "x")));
        int[] b = model.chat(List.of(new Message("user", "Seven!")));
        int same = 0;
        while (same < Math.min(a.length, b.length) && a[same] == b[same]) {
            same++;
        }
        return same;
    }

    /** What is known without steering. */
    public List<Row> rows() {
        return List.copyOf(rows);
    }

    /**
     * Steers with each of them and lets a judge say what came of it, as {@link LayerSweep} does.
     *
     * @param questions each asked once under every method, with the same seed
     */
    public List<Row> steered(
            List<String> questions,
            Judge judge,
            SamplingOptions sampling,
            int maxTokens,
            long seed,
            Progress progress) {
        plans.forEach(model::check);
        double[][] means = LayerSweep.measure(model, plans, questions, judge, sampling, maxTokens, seed, progress);
        List<Row> out = new ArrayList<>();
        for (int i = 0; i < means.length; i++) {
            Row r = rows.get(i);
            out.add(new Row(r.name(), r.block(), r.separation(), r.heldOut(), r.cosine(), means[i][0], means[i][1]));
        }
        return out;
    }
}
