package dev.tiller.persona;

import dev.tiller.loader.TillerException;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** How a direction is found. */
public enum Method {
    /** Difference of the means of two groups of answers (persona vectors, arXiv 2507.21509). */
    MEAN("difference of means", 1),
    /** First principal component of the differences of pairs less their mean (repeng's pca_diff). */
    PCA_DIFF("first principal component of the pairs' differences", 2),
    /** First principal component of both answers less the midpoint of each pair (repeng's pca_center). */
    PCA_CENTER("first principal component of the pairs about their midpoints", 1),
    /** Normal of the border that a penalised logistic regression draws. */
    LOGISTIC("logistic regression", 1),
    /** Difference of means, whitened by the shrunken covariance within the groups. */
    LDA("linear discriminant", 2),
    /** Difference at the answer letter of A/B questions (Rimsky et al. 2023, arXiv 2312.06681). */
    CAA("contrastive activation addition", 1),
    /** Difference of two prompts, position by position (Turner et al. 2023, arXiv 2308.10248). */
    ACTADD("activation addition", 1),
    /** The candidate of many positions and layers that acts both ways (Arditi et al. 2024, arXiv 2406.11717). */
    REFUSAL("selected difference of means", 1);

    private final String description;
    private final int leastPairs;

    Method(String description, int leastPairs) {
        this.description = description;
        this.leastPairs = leastPairs;
    }

    /** The name on the command line and in files, e.g. "pca_diff". */
    public String key() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** In words. */
    public String description() {
        return description;
    }

    /** True if it needs nothing but two groups of answers. */
    public boolean fromAnswers() {
        return ordinal() <= LDA.ordinal();
    }

    /** The method of that name; an error that lists the accepted names otherwise. */
    public static Method of(String key, String where) {
        for (Method m : values()) {
            if (m.key().equals(key)) {
                return m;
            }
        }
        throw new TillerException(where + ": unknown method \"" + key + "\"; accepted: "
                + Arrays.stream(values()).map(Method::key).collect(Collectors.joining(", ")));
    }

    void checkPairs(String trait, int pairs) {
        if (pairs < leastPairs) {
            throw new TillerException("trait " + trait + ": method " + key() + " needs at least " + leastPairs
                    + " pairs of answers, " + pairs + " is left");
        }
    }
}
