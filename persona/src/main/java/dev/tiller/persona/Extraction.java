package dev.tiller.persona;

import dev.tiller.engine.Activations;
import dev.tiller.engine.Model;
import dev.tiller.engine.PooledResiduals;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.TokenizedText;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.TillerException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * Finds the direction of a trait: the difference between the mean activations of answers under opposite instructions
 * (persona vectors, arXiv 2507.21509, section 2). Every answer counts the same, however long: means of means.
 */
public final class Extraction {
    private static final int CHUNK = 16;

    /** Token norms are measured on so many answers of each pole; they vary little from answer to answer. */
    private static final int NORM_ANSWERS = 4;

    private Extraction() {}

    /**
     * Filters the pairs, runs every kept prompt with its answer once, and subtracts the means.
     *
     * @param pos answers under the positive instructions
     * @param neg answers under the negative ones, row by row to the same questions
     * @return directions at every H[l]
     */
    public static PersonaVector run(
            Model model,
            String trait,
            List<Rollout> pos,
            List<Rollout> neg,
            ExtractionOptions options,
            Progress progress) {
        Selection selection = Selection.of(trait, pos, neg, options.threshold());
        List<TokenizedText> posTexts = texts(pos, selection);
        List<TokenizedText> negTexts = texts(neg, selection);
        long total = posTexts.size() + negTexts.size();
        Means posMeans = new Means(model, posTexts, 0, total, progress);
        Means negMeans = new Means(model, negTexts, posTexts.size(), total, progress);
        Map<PersonaVector.Pooled, float[][]> rows = new EnumMap<>(PersonaVector.Pooled.class);
        for (PersonaVector.Pooled which : PersonaVector.Pooled.values()) {
            rows.put(which, difference(posMeans.mean(which), negMeans.mean(which), trait));
        }
        float[][] directions = rows.get(PersonaVector.Pooled.RESPONSE_AVG);
        List<Separation> separation = new ArrayList<>();
        for (int l = 0; l < directions.length; l++) {
            separation.add(
                    Separation.of(posMeans.projections(l, directions[l]), negMeans.projections(l, directions[l])));
        }
        return new PersonaVector(
                trait,
                model.fingerprint(),
                rows,
                selection,
                residualNorms(model, posTexts, negTexts),
                separation,
                hash(posTexts, negTexts));
    }

    /**
     * The whole way from a trait to its vector: answers to the extraction questions under both poles, judged, filtered,
     * subtracted.
     *
     * @param judge may be null: then every finished answer counts
     * @param maxTokens longest answer
     * @param seed of the answers
     */
    public static PersonaVector find(
            Model model, Trait trait, Judge judge, int maxTokens, long seed, Progress progress) {
        RolloutOptions options = RolloutOptions.of(trait, maxTokens, seed);
        List<Rollout> pos = Rollouts.generate(model, trait, Pole.POS, options, judge, progress);
        List<Rollout> neg = Rollouts.generate(model, trait, Pole.NEG, options, judge, progress);
        return run(model, trait.name(), pos, neg, ExtractionOptions.DEFAULT, progress);
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
            double[][] mean = sums.get(which);
            for (double[] row : mean) {
                for (int i = 0; i < row.length; i++) {
                    row[i] /= responses.size();
                }
            }
            return mean;
        }

        /** Projections of the texts' response means at H[l]; only their order and ratios count, so v is not normalised. */
        double[] projections(int l, float[] v) {
            return responses.stream().mapToDouble(r -> Vectors.dot(r[l], v)).toArray();
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
