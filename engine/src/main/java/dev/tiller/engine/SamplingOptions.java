package dev.tiller.engine;

import dev.tiller.loader.TillerException;

/**
 * How the next token is drawn. Order as in transformers: repetition penalty, temperature, top-k, top-p, min-p.
 *
 * @param temperature 0 is greedy
 * @param topK keep the k largest (and what ties with the k-th); 0 for all
 * @param topP keep the smallest set whose probability reaches it; 1 for all
 * @param minP drop what is less likely than minP times the most likely; 0 for none
 * @param repetitionPenalty positive logits of seen tokens (prompt included) are divided by it, negative multiplied; 1
 *     for none
 */
public record SamplingOptions(double temperature, int topK, double topP, double minP, double repetitionPenalty) {
    /** Always the most likely token. */
    public static final SamplingOptions GREEDY = new SamplingOptions(0, 0, 1, 0, 1);

    public SamplingOptions {
        check(
                temperature == 0 || temperature >= 1e-30 && temperature <= 1000,
                "temperature",
                temperature,
                "0 (greedy) or 1e-30 to 1000");
        check(topK >= 0, "top-k", topK, "0 (all) or more");
        check(topP > 0 && topP <= 1, "top-p", topP, "above 0, at most 1");
        check(minP >= 0 && minP <= 1, "min-p", minP, "0 to 1");
        check(repetitionPenalty > 0 && repetitionPenalty <= 1000, "repetition penalty", repetitionPenalty, "above 0");
    }

    /** Plain sampling at a temperature. */
    public static SamplingOptions temperature(double t) {
        return new SamplingOptions(t, 0, 1, 0, 1);
    }

    private static void check(boolean ok, String what, double found, String expected) {
        if (!ok) {
            throw new TillerException(what + ": expected " + expected + ", found " + found);
        }
    }
}
