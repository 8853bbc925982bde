package dev.tiller.persona;

import dev.tiller.engine.Activations;
import dev.tiller.engine.Calibration;
import dev.tiller.engine.Divergence;
import dev.tiller.engine.Edit;
import dev.tiller.engine.Model;
import dev.tiller.engine.Op;
import dev.tiller.engine.Site;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.SteeringVector;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Measures what gives the coefficients of a vector a unit, block by block: the mean length of the residual, mean and standard
 * deviation of the natural projection h.u over the tokens of some prompts (without each prompt's first, whose residual is
 * many times longer in most models), and the coefficients that move the next token's distribution by given divergences.
 */
public final class Calibrator {
    /** Divergences in nats that are looked for by default, in both directions. */
    public static final List<Double> DIVERGENCES = List.of(0.1, 0.25, 0.5, 1.0, 2.0);

    /** Lengths of the added vector that are tried first: the residual's mean length times powers of two. */
    private static final int LEAST_POWER = -7;

    private static final int MOST_POWER = 2;
    private static final int HALVINGS = 7;

    private final Model model;
    private final SteeringVector vector;
    private final Site site;
    private final List<int[]> prompts;

    /** @param prompts token ids, at least two tokens each */
    public Calibrator(Model model, SteeringVector vector, List<int[]> prompts) {
        this.model = model;
        this.vector = vector.unbound();
        this.site = vector.site() == null ? Site.RESID_POST : vector.site();
        this.prompts = List.copyOf(prompts);
        if (site != Site.RESID_POST && site != Site.RESID_PRE) {
            throw new TillerException("calibration of \"" + vector.name() + "\": site " + site.key()
                    + " is not measured; accepted: resid_pre, resid_post");
        }
        if (vector.positions() > 1) {
            throw new TillerException("calibration of \"" + vector.name() + "\": a matrix of positions has no scale");
        }
        if (prompts.isEmpty() || prompts.stream().anyMatch(p -> p.length < 2)) {
            throw new TillerException("calibration: expected prompts of at least 2 tokens");
        }
    }

    /**
     * Norms and projections at those blocks, and the coefficients for those divergences.
     *
     * @param blocks 0-based
     * @param divergences in nats, above 0; those that no coefficient reaches are left out
     */
    public Map<Integer, Calibration> measure(List<Integer> blocks, List<Double> divergences, Progress progress) {
        if (divergences.stream().anyMatch(k -> !(k > 0 && Double.isFinite(k)))) {
            throw new TillerException("calibration: expected divergences above 0, found " + divergences);
        }
        Moments[] moments = new Moments[blocks.size()];
        for (int i = 0; i < moments.length; i++) {
            moments[i] = new Moments(vector.at(site, blocks.get(i)));
        }
        int total = prompts.size() + blocks.size();
        for (int p = 0; p < prompts.size(); p++) {
            int[] ids = prompts.get(p);
            Activations a = model.residuals(ids, ids.length, SteeringPlan.NONE);
            for (int i = 0; i < moments.length; i++) {
                moments[i].add(rows(a, blocks.get(i)), ids.length);
            }
            progress.update("calibration", p + 1, total);
        }
        Map<Integer, Calibration> out = new TreeMap<>();
        for (int i = 0; i < moments.length; i++) {
            Moments m = moments[i];
            SortedMap<Double, Double> kl = new TreeMap<>();
            if (!divergences.isEmpty()) {
                double unit = m.norm() / Vectors.norm(vector.at(site, blocks.get(i)));
                kl.putAll(coefficients(blocks.get(i), unit, divergences));
            }
            out.put(blocks.get(i), new Calibration(m.norm(), m.mean(), m.sd(), kl));
            progress.update("calibration", prompts.size() + i + 1, total);
        }
        return out;
    }

    private float[] rows(Activations a, int block) {
        return site == Site.RESID_POST ? a.residPost()[block] : block == 0 ? a.embed() : a.residPost()[block - 1];
    }

    /** Running mean of |h|, and mean and variance of h.u (Welford). */
    private static final class Moments {
        private final float[] unit;
        private long count;
        private double norms;
        private double mean;
        private double squares;

        Moments(float[] direction) {
            this.unit = Vectors.unit(direction, "direction");
        }

        void add(float[] rows, int positions) {
            int d = unit.length;
            for (int t = 1; t < positions; t++) {
                float[] h = Arrays.copyOfRange(rows, t * d, (t + 1) * d);
                count++;
                norms += Vectors.norm(h);
                double p = Vectors.dot(h, unit);
                double delta = p - mean;
                mean += delta / count;
                squares += delta * (p - mean);
            }
        }

        double norm() {
            return norms / count;
        }

        double mean() {
            return mean;
        }

        double sd() {
            return count < 2 ? Double.NaN : Math.sqrt(squares / (count - 1));
        }
    }

    // ---- divergence ----

    /** Coefficients by signed divergence: the first doubling that passes it is found, and then halved again and again. */
    private Map<Double, Double> coefficients(int block, double unit, List<Double> divergences) {
        List<Double> grid = new ArrayList<>();
        for (int power = LEAST_POWER; power <= MOST_POWER; power++) {
            grid.add(unit * Math.pow(2, power));
            grid.add(-unit * Math.pow(2, power));
        }
        double[] found = divergence(block, grid);
        List<Double> targets = new ArrayList<>();
        List<double[]> brackets = new ArrayList<>();
        for (double k : divergences) {
            for (int sign = 0; sign < 2; sign++) {
                double[] bracket = bracket(grid, found, sign, k);
                if (bracket != null) {
                    targets.add(sign == 0 ? k : -k);
                    brackets.add(bracket);
                }
            }
        }
        for (int i = 0; i < HALVINGS; i++) {
            List<Double> middles = brackets.stream().map(b -> (b[0] + b[1]) / 2).toList();
            double[] at = divergence(block, middles);
            for (int j = 0; j < at.length; j++) {
                brackets.get(j)[at[j] < Math.abs(targets.get(j)) ? 0 : 1] = middles.get(j);
            }
        }
        Map<Double, Double> out = new TreeMap<>();
        for (int j = 0; j < targets.size(); j++) {
            out.put(targets.get(j), (brackets.get(j)[0] + brackets.get(j)[1]) / 2);
        }
        return out;
    }

    /** The coefficients of one sign between which the divergence first passes a target; null if it never does. */
    private static double[] bracket(List<Double> grid, double[] found, int sign, double target) {
        double below = 0;
        for (int i = sign; i < found.length; i += 2) {
            if (found[i] >= target) {
                return new double[] {below, grid.get(i)};
            }
            below = grid.get(i);
        }
        return null;
    }

    /** Mean over the prompts, all coefficients in one batch. */
    private double[] divergence(int block, List<Double> coefficients) {
        List<SteeringPlan> plans = coefficients.stream()
                .map(c -> SteeringPlan.of(Edit.of(Op.ADD, vector)
                        .blocks(List.of(block))
                        .sites(List.of(site))
                        .coefficient(c.floatValue())
                        .build()))
                .toList();
        double[] mean = new double[plans.size()];
        Divergence divergence = new Divergence(model);
        for (int[] prompt : prompts) {
            double[] one = divergence.of(prompt, plans);
            for (int i = 0; i < mean.length; i++) {
                mean[i] += one[i] / prompts.size();
            }
        }
        return mean;
    }
}
