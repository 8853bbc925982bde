package dev.tiller.persona;

import dev.tiller.engine.Activations;
import dev.tiller.engine.Model;
import dev.tiller.engine.PooledResiduals;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.TokenizedText;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.methods.Fit;
import dev.tiller.persona.methods.LinearDiscriminant;
import dev.tiller.persona.methods.LogisticProbe;
import dev.tiller.persona.methods.MeanDifference;
import dev.tiller.persona.methods.PrincipalComponent;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/** Residuals of the answers that count, run through the model once; each method makes its directions of them. */
public final class AnswerResiduals {
    private static final int CHUNK = 16;

    /** Token norms are measured on so many answers of each pole; they vary little from answer to answer. */
    private static final int NORM_ANSWERS = 4;

    private final Model model;
    private final String trait;
    private final Selection selection;
    private final boolean[] odd;
    private final Means posMeans;
    private final Means negMeans;
    private final double[] residualNorms;
    private final String textsHash;

    private AnswerResiduals(
            Model model, String trait, List<Rollout> pos, List<Rollout> neg, double threshold, Progress progress) {
        this.model = model;
        this.trait = trait;
        this.selection = Selection.of(trait, pos, neg, threshold);
        List<TokenizedText> posTexts = texts(pos, selection);
        List<TokenizedText> negTexts = texts(neg, selection);
        long total = posTexts.size() + negTexts.size();
        this.posMeans = new Means(model, posTexts, 0, total, progress);
        this.negMeans = new Means(model, negTexts, posTexts.size(), total, progress);
        this.residualNorms = residualNorms(model, posTexts, negTexts);
        this.textsHash = hash(posTexts, negTexts);
        this.odd = new boolean[posTexts.size()];
        long questions = selection.kept().stream()
                .map(i -> pos.get(i).question())
                .distinct()
                .count();
        for (int i = 0; i < odd.length; i++) {
            odd[i] = (questions > 1 ? pos.get(selection.kept().get(i)).question() : i) % 2 != 0;
        }
    }

    /**
     * Filters the pairs and runs every kept prompt with its answer once.
     *
     * @param pos answers under the positive instructions
     * @param neg answers under the negative ones, row by row to the same questions
     * @param threshold of the scores
     */
    public static AnswerResiduals of(
            Model model, String trait, List<Rollout> pos, List<Rollout> neg, double threshold, Progress progress) {
        return new AnswerResiduals(model, trait, pos, neg, threshold, progress);
    }

    /** Which pairs count. */
    public Selection selection() {
        return selection;
    }

    /** Directions at every H[l] by the method of the options; their threshold is that of the residuals. */
    public PersonaVector vector(ExtractionOptions options) {
        if (options.threshold() != selection.threshold()) {
            throw new TillerException(
                    "threshold " + options.threshold() + ": the answers were chosen with " + selection.threshold());
        }
        options.method().checkPairs(trait, selection.kept().size());
        Map<PersonaVector.Pooled, float[][]> rows = new EnumMap<>(PersonaVector.Pooled.class);
        Map<String, double[]> details = new LinkedHashMap<>();
        if (options.method() == Method.MEAN) {
            for (PersonaVector.Pooled which : PersonaVector.Pooled.values()) {
                rows.put(which, difference(posMeans.mean(which), negMeans.mean(which), trait));
            }
        } else {
            rows.put(PersonaVector.Pooled.RESPONSE_AVG, fitted(options, details));
        }
        float[][] directions = rows.get(PersonaVector.Pooled.RESPONSE_AVG);
        List<Separation> separation = new ArrayList<>();
        for (int l = 0; l < directions.length; l++) {
            separation.add(separation(l, directions[l], i -> true));
        }
        return new PersonaVector(
                trait,
                model.fingerprint(),
                rows,
                selection,
                residualNorms,
                separation,
                textsHash,
                new PersonaVector.Making(options, details));
    }

    private float[][] fitted(ExtractionOptions options, Map<String, double[]> details) {
        int levels = model.spec().blocks() + 2;
        float[][] out = new float[levels][];
        for (int l = 0; l < levels; l++) {
            Fit fit = fit(options, l, i -> true);
            out[l] = narrow(fit.direction(), l, trait);
            Map<String, Double> numbers = new LinkedHashMap<>(fit.details());
            numbers.put("bias", fit.bias());
            for (Map.Entry<String, Double> e : numbers.entrySet()) {
                details.computeIfAbsent(e.getKey(), k -> new double[levels])[l] = e.getValue();
            }
        }
        return out;
    }

    private Fit fit(ExtractionOptions options, int l, IntPredicate which) {
        double[][] pos = posMeans.rows(l, which);
        double[][] neg = negMeans.rows(l, which);
        return switch (options.method()) {
            case PCA_DIFF -> PrincipalComponent.ofDifferences(pos, neg);
            case PCA_CENTER -> PrincipalComponent.centred(pos, neg);
            case LOGISTIC -> LogisticProbe.fit(pos, neg, options.c());
            case LDA -> LinearDiscriminant.fit(pos, neg, options.shrinkage());
            case MEAN -> MeanDifference.fit(pos, neg);
            case CAA, ACTADD, REFUSAL ->
                throw new IllegalStateException(options.method().key());
        };
    }

    private Separation separation(int l, float[] direction, IntPredicate which) {
        return Separation.of(posMeans.projections(l, direction, which), negMeans.projections(l, direction, which));
    }

    /** How well any direction at H[l] separates the poles of the answers. */
    Separation separation(int l, float[] direction) {
        return separation(l, direction, i -> true);
    }

    /**
     * How well the method separates answers that it has not seen, at the output of a block: directions from the even
     * questions judged on the odd ones, and the other way round; both numbers are the means of the two. Pairs of a single
     * question are dealt out by turns.
     */
    public Separation heldOut(ExtractionOptions options, int block) {
        Separation[] s = new Separation[2];
        for (int fold = 0; fold < 2; fold++) {
            boolean learnOdd = fold == 1;
            long learned = IntStream.range(0, odd.length)
                    .filter(i -> odd[i] == learnOdd)
                    .count();
            if (learned < 2 || odd.length - learned < 2) {
                return new Separation(Double.NaN, Double.NaN);
            }
            Fit fit = fit(options, block + 1, i -> odd[i] == learnOdd);
            float[] direction = narrow(fit.direction(), block + 1, trait);
            s[fold] = separation(block + 1, direction, i -> odd[i] != learnOdd);
        }
        return new Separation((s[0].auc() + s[1].auc()) / 2, (s[0].cohenD() + s[1].cohenD()) / 2);
    }

    private static float[] narrow(double[] direction, int l, String trait) {
        float[] out = new float[direction.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = (float) direction[i];
            if (!Float.isFinite(out[i])) {
                throw new TillerException("trait " + trait + ": the activations at H[" + l + "] are not finite");
            }
        }
        return out;
    }

    static double[] wide(float[] v) {
        double[] out = new double[v.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = v[i];
        }
        return out;
    }

    private static List<TokenizedText> texts(List<Rollout> rollouts, Selection selection) {
        return selection.kept().stream().map(i -> rollouts.get(i).text()).toList();
    }

    /** Sums over the texts of one pole. */
    private static final class Means {
        private final Map<PersonaVector.Pooled, double[][]> sums = new EnumMap<>(PersonaVector.Pooled.class);
        private final List<float[][]> responses = new ArrayList<>();

        Means(Model model, List<TokenizedText> texts, int before, long total, Progress progress) {
            for (PersonaVector.Pooled which : PersonaVector.Pooled.values()) {
                sums.put(
                        which,
                        new double[model.spec().blocks() + 2][model.spec().width()]);
            }
            for (int from = 0; from < texts.size(); from += CHUNK) {
                int to = Math.min(texts.size(), from + CHUNK);
                for (PooledResiduals p : model.pooled(texts.subList(from, to))) {
                    add(PersonaVector.Pooled.PROMPT_AVG, p.promptAvg());
                    add(PersonaVector.Pooled.RESPONSE_AVG, p.responseAvg());
                    add(PersonaVector.Pooled.PROMPT_LAST, p.promptLast());
                    responses.add(p.responseAvg());
                }
                progress.update("activations", before + to, total);
            }
        }

        private void add(PersonaVector.Pooled which, float[][] rows) {
            double[][] sum = sums.get(which);
            for (int l = 0; l < rows.length; l++) {
                for (int i = 0; i < rows[l].length; i++) {
                    sum[l][i] += rows[l][i];
                }
            }
        }

        double[][] mean(PersonaVector.Pooled which) {
            double[][] sum = sums.get(which);
            double[][] mean = new double[sum.length][sum[0].length];
            for (int l = 0; l < mean.length; l++) {
                for (int i = 0; i < mean[l].length; i++) {
                    mean[l][i] = sum[l][i] / responses.size();
                }
            }
            return mean;
        }

        /** Projections of some texts' response means at H[l]; only their order and ratios count, so v is not normalised. */
        double[] projections(int l, float[] v, IntPredicate which) {
            return IntStream.range(0, responses.size())
                    .filter(which)
                    .mapToDouble(i -> Vectors.dot(responses.get(i)[l], v))
                    .toArray();
        }

        /** [n][d] response means of some texts at H[l]. */
        double[][] rows(int l, IntPredicate which) {
            return IntStream.range(0, responses.size())
                    .filter(which)
                    .mapToObj(i -> wide(responses.get(i)[l]))
                    .toArray(double[][]::new);
        }
    }

    private static float[][] difference(double[][] pos, double[][] neg, String trait) {
        float[][] out = new float[pos.length][pos[0].length];
        for (int l = 0; l < out.length; l++) {
            for (int i = 0; i < out[l].length; i++) {
                out[l][i] = (float) (pos[l][i] - neg[l][i]);
                if (!Float.isFinite(out[l][i])) {
                    throw new TillerException("trait " + trait + ": the activations at H[" + l + "] are not finite");
                }
            }
        }
        return out;
    }

    /** Mean Euclidean norm of the residual over answer tokens, for each H[l]. */
    private static double[] residualNorms(Model model, List<TokenizedText> pos, List<TokenizedText> neg) {
        List<TokenizedText> some = new ArrayList<>(pos.subList(0, Math.min(NORM_ANSWERS, pos.size())));
        some.addAll(neg.subList(0, Math.min(NORM_ANSWERS, neg.size())));
        double[] sums = new double[model.spec().blocks() + 1];
        long tokens = 0;
        for (TokenizedText t : some) {
            Activations a = model.residuals(t.ids(), t.promptLength(), SteeringPlan.NONE);
            int from = t.promptLength();
            int to = t.ids().length;
            for (int l = 0; l < sums.length; l++) {
                sums[l] += sumOfNorms(
                        l == 0 ? a.embed() : a.residPost()[l - 1], model.spec().width(), from, to);
            }
            tokens += to - from;
        }
        for (int l = 0; l < sums.length; l++) {
            sums[l] /= tokens;
        }
        return sums;
    }

    private static double sumOfNorms(float[] rows, int d, int from, int to) {
        double sum = 0;
        for (int t = from; t < to; t++) {
            double square = 0;
            for (int i = t * d; i < (t + 1) * d; i++) {
                square += (double) rows[i] * rows[i];
            }
            sum += Math.sqrt(square);
        }
        return sum;
    }

    /** Identifies the texts that went in. */
    private static String hash(List<TokenizedText> pos, List<TokenizedText> neg) {
        MessageDigest digest = Hashes.digest();
        List<TokenizedText> all = new ArrayList<>(pos);
        all.addAll(neg);
        for (TokenizedText t : all) {
            ByteBuffer bytes = ByteBuffer.allocate(4 * (t.ids().length + 2));
            bytes.putInt(t.promptLength()).putInt(t.ids().length);
            for (int id : t.ids()) {
                bytes.putInt(id);
            }
            digest.update(bytes.flip());
        }
        return Hashes.hex(digest);
    }
}
