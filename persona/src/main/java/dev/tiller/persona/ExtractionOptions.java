package dev.tiller.persona;

import dev.tiller.loader.TillerException;

/**
 * How pairs of answers are chosen, and what is made of them.
 *
 * @param threshold a pair counts if its positive answer scores at least this and its negative one less than 100 minus
 *     this; 0..100
 * @param method one that works on answers
 * @param c weight of the samples against the penalty, for LOGISTIC; above 0
 * @param shrinkage of the covariance, for LDA, 0..1; NaN: estimated (Ledoit and Wolf 2004)
 */
public record ExtractionOptions(double threshold, Method method, double c, double shrinkage) {
    /** The published threshold, 50, and the difference of means. */
    public static final ExtractionOptions DEFAULT = new ExtractionOptions(50);

    public ExtractionOptions {
        if (!(threshold >= 0 && threshold <= 100)) {
            throw new TillerException("threshold: expected 0 to 100, found " + threshold);
        }
        if (!method.fromAnswers()) {
            throw new TillerException("method " + method.key() + ": does not work on answers to questions");
        }
        if (!(c > 0 && c < Double.POSITIVE_INFINITY)) {
            throw new TillerException("c: expected a number above 0, found " + c);
        }
        if (shrinkage < 0 || shrinkage > 1) {
            throw new TillerException("shrinkage: expected 0 to 1, found " + shrinkage);
        }
    }

    /** Difference of means. */
    public ExtractionOptions(double threshold) {
        this(threshold, Method.MEAN, 1, Double.NaN);
    }

    /** The same pairs, another method. */
    public ExtractionOptions with(Method other) {
        return new ExtractionOptions(threshold, other, c, shrinkage);
    }
}
