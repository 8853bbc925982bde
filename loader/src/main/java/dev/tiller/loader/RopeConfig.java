package dev.tiller.loader;

import java.util.List;

/**
 * Rotary position settings. Fields that the type does not use hold their neutral values: factors 1, the two frequency
 * factors 0, originalMaxPositions 0, null.
 *
 * @param type "default"; "linear" (positions divided by factor); "dynamic" (the same as default up to
 *     max_position_embeddings, where the context ends); "llama3" (long wavelengths stretched by factor); "yarn" (the same
 *     with a ramp between); "longrope" (a divisor for each frequency)
 * @param theta base of the wavelengths
 * @param factor how far the context is stretched, at least 1
 * @param lowFreqFactor llama3: wavelengths above originalMaxPositions / lowFreqFactor are stretched in full
 * @param highFreqFactor llama3: wavelengths below originalMaxPositions / highFreqFactor stay as they are
 * @param originalMaxPositions llama3, yarn, longrope: context length before stretching
 * @param rotaryDim how many leading elements of each head are rotated; even
 * @param attentionFactor yarn, longrope: factor on cosine and sine
 * @param ramp yarn
 * @param divisors longrope
 */
public record RopeConfig(
        String type,
        double theta,
        double factor,
        double lowFreqFactor,
        double highFreqFactor,
        int originalMaxPositions,
        int rotaryDim,
        double attentionFactor,
        Ramp ramp,
        Divisors divisors) {

    /**
     * Frequencies that make more than {@code fast} rotations within the original context stay as they are, those that make
     * fewer than {@code slow} are stretched in full.
     *
     * @param truncate the ends of the ramp are moved outwards to whole indices
     */
    public record Ramp(double fast, double slow, boolean truncate) {}

    /**
     * By what each frequency is divided, rotaryDim / 2 numbers each.
     *
     * @param within for texts no longer than the original context
     * @param beyond for longer ones, at all of their positions
     */
    public record Divisors(List<Double> within, List<Double> beyond) {
        public Divisors {
            within = List.copyOf(within);
            beyond = List.copyOf(beyond);
        }
    }

    /** Settings of a type without attention factor. */
    public RopeConfig(
            String type,
            double theta,
            double factor,
            double lowFreqFactor,
            double highFreqFactor,
            int originalMaxPositions,
            int rotaryDim) {
        this(type, theta, factor, lowFreqFactor, highFreqFactor, originalMaxPositions, rotaryDim, 1, null, null);
    }

    /** The same with another base. */
    RopeConfig withTheta(double other) {
        return new RopeConfig(
                type,
                other,
                factor,
                lowFreqFactor,
                highFreqFactor,
                originalMaxPositions,
                rotaryDim,
                attentionFactor,
                ramp,
                divisors);
    }
}
