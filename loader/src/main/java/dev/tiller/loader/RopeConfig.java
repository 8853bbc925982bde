package dev.tiller.loader;

/**
 * Rotary position settings. Fields that the type does not use hold their neutral values: factor 1, the two frequency
 * factors 0, originalMaxPositions 0.
 *
 * @param type "default"; "linear" (positions divided by factor); "llama3" (long wavelengths stretched by factor)
 * @param theta base of the wavelengths
 * @param factor how far the context is stretched, at least 1
 * @param lowFreqFactor llama3: wavelengths above originalMaxPositions / lowFreqFactor are stretched in full
 * @param highFreqFactor llama3: wavelengths below originalMaxPositions / highFreqFactor stay as they are
 * @param originalMaxPositions llama3: context length before stretching
 * @param rotaryDim how many leading elements of each head are rotated; even
 */
public record RopeConfig(
        String type,
        double theta,
        double factor,
        double lowFreqFactor,
        double highFreqFactor,
        int originalMaxPositions,
        int rotaryDim) {}
