package dev.tiller.persona;

import dev.tiller.loader.TillerException;

/**
 * How pairs of answers are chosen.
 *
 * @param threshold a pair counts if its positive answer scores at least this and its negative one less than 100 minus
 *     this; 0..100
 */
public record ExtractionOptions(double threshold) {
    /** The published threshold, 50. */
    public static final ExtractionOptions DEFAULT = new ExtractionOptions(50);

    public ExtractionOptions {
        if (!(threshold >= 0 && threshold <= 100)) {
            throw new TillerException("threshold: expected 0 to 100, found " + threshold);
        }
    }
}
