package dev.tiller.persona.methods;

import java.util.Map;

/**
 * Directions of greatest variance in pairs of samples (representation engineering, Zou et al. 2023, arXiv 2310.01405, in the
 * form of the repeng library). Unit length. Both look at pairs p_i, n_i and their differences D_i = p_i - n_i:
 *
 * <ul>
 *   <li>of differences: v = argmax over |v| = 1 of sum_i ((D_i - mean D).v)^2. The mean, which is the difference of means,
 *       is taken out: this is the direction in which the pairs <em>differ from each other</em> most.
 *   <li>centred: every pair is moved to its midpoint c_i = (p_i + n_i) / 2 and v is the first component of all p_i - c_i
 *       and n_i - c_i. These are +-D_i / 2 with mean zero, so v = argmax sum_i (D_i.v)^2.
 * </ul>
 *
 * The sign of a component is arbitrary: v is negated if strictly more pairs have p_i.v &lt; n_i.v than p_i.v &gt; n_i.v.
 * If it is a draw, which repeng leaves to chance, the difference of means decides. The share of the sum of squares that v
 * explains is kept as {@code explained_variance}.
 */
public final class PrincipalComponent {
    private PrincipalComponent() {}

    /**
     * The first component of the differences less their mean.
     *
     * @param pos [n][d]
     * @param neg [n][d] the partners, row by row
     */
    public static Fit ofDifferences(double[][] pos, double[][] neg) {
        double[][] differences = Dense.minus(pos, neg);
        return fit(Dense.shifted(differences, Dense.mean(differences)), pos, neg);
    }

    /** The first component of both groups less the midpoint of each pair. */
    public static Fit centred(double[][] pos, double[][] neg) {
        return fit(Dense.minus(pos, neg), pos, neg);
    }

    private static Fit fit(double[][] rows, double[][] pos, double[][] neg) {
        TopEigen top = TopEigen.ofGram(rows);
        double[] v = Dense.unit(Dense.combine(rows, top.vector()));
        double total = 0;
        int votes = 0;
        for (int i = 0; i < rows.length; i++) {
            total += Dense.dot(rows[i], rows[i]);
            votes += Double.compare(Dense.dot(pos[i], v), Dense.dot(neg[i], v));
        }
        if (votes == 0) {
            votes = Dense.dot(Dense.minus(Dense.mean(pos), Dense.mean(neg)), v) < 0 ? -1 : 1;
        }
        if (votes < 0) {
            for (int i = 0; i < v.length; i++) {
                v[i] = -v[i];
            }
        }
        double share = total > 0 ? top.value() / total : 0;
        return Fit.halfway(v, Dense.mean(pos), Dense.mean(neg), Map.of("explained_variance", share));
    }
}
