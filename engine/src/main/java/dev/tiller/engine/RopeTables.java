package dev.tiller.engine;

import dev.tiller.kernels.RopeTable;
import dev.tiller.loader.RopeConfig;
import dev.tiller.loader.TillerException;
import java.util.List;

/**
 * Rotary angles, computed with the float32 roundings of the reference implementation (inverse frequencies and angles in
 * float32, cosine and sine of those). Grows with the positions asked for. Where long texts have other angles than short
 * ones, the table begins with those of short texts, as many as their longest has positions; those of long texts follow.
 */
final class RopeTables {
    private static final int FIRST = 1024;

    private final float[] inverseFrequency;
    /** Of texts beyond the original context; null if they have no others. */
    private final float[] beyond;

    private final int within;
    private final float attentionFactor;
    private final int maxPositions;
    private RopeTable table;

    RopeTables(RopeConfig config, int maxPositions) {
        this.inverseFrequency = inverseFrequencies(config);
        this.beyond = config.divisors() == null
                ? null
                : divided(config, config.divisors().beyond());
        this.within = beyond == null ? 0 : Math.min(config.originalMaxPositions(), maxPositions);
        this.attentionFactor = (float) config.attentionFactor();
        this.maxPositions = maxPositions;
        this.table = build(Math.min(maxPositions, FIRST));
    }

    /** A table that holds at least that many positions, of short texts (as far as they go) and of long ones. */
    RopeTable upTo(int positions) {
        int now = table.positions() - within;
        if (positions > now) {
            table = build(Math.min(maxPositions, Math.max(positions, 2 * now)));
        }
        return table;
    }

    private RopeTable build(int positions) {
        int half = inverseFrequency.length;
        float[] cos = new float[Math.multiplyExact(within + positions, half)];
        float[] sin = new float[cos.length];
        fill(inverseFrequency, 0, within, cos, sin);
        fill(beyond == null ? inverseFrequency : beyond, within, positions, cos, sin);
        return new RopeTable(half, cos, sin);
    }

    private void fill(float[] inverse, int row, int positions, float[] cos, float[] sin) {
        int at = row * inverse.length;
        for (int p = 0; p < positions; p++) {
            for (float f : inverse) {
                float angle = p * f;
                cos[at] = (float) Math.cos(angle) * attentionFactor;
                sin[at++] = (float) Math.sin(angle) * attentionFactor;
            }
        }
    }

    static float[] inverseFrequencies(RopeConfig c) {
        float[] out = plain(c);
        switch (c.type()) {
            // Dynamic NTK scaling (transformers): theta (factor n / context - (factor - 1))^(k / (k - 2)) with n the
            // length of
            // the text, or the context if that is more: theta itself up to the end of the context.
            case "default", "dynamic" -> {}
            case "linear" -> {
                for (int i = 0; i < out.length; i++) {
                    out[i] /= (float) c.factor();
                }
            }
            case "llama3" -> llama3(out, c);
            case "yarn" -> yarn(out, c);
            case "longrope" -> {
                return divided(c, c.divisors().within());
            }
            default ->
                throw new TillerException("config.json: rope type \"" + c.type()
                        + "\" is not supported; accepted: default, dynamic, linear, llama3, longrope, yarn");
        }
        return out;
    }

    private static float[] plain(RopeConfig c) {
        float[] out = new float[c.rotaryDim() / 2];
        for (int i = 0; i < out.length; i++) {
            out[i] = 1f / power(c, i);
        }
        return out;
    }

    /** theta^(2i/rotaryDim), wavelength i over 2 pi. */
    private static float power(RopeConfig c, int i) {
        float exponent = (float) (2 * i) / c.rotaryDim();
        return (float) Math.pow(c.theta(), exponent);
    }

    /** LongRoPE: a divisor for each frequency. */
    private static float[] divided(RopeConfig c, List<Double> divisors) {
        float[] out = new float[c.rotaryDim() / 2];
        for (int i = 0; i < out.length; i++) {
            out[i] = 1f / (divisors.get(i).floatValue() * power(c, i));
        }
        return out;
    }

    /** Llama 3.1: long wavelengths are stretched by the factor, short ones kept, those between interpolated. */
    private static void llama3(float[] inverse, RopeConfig c) {
        float original = c.originalMaxPositions();
        float low = (float) c.lowFreqFactor();
        float high = (float) c.highFreqFactor();
        for (int i = 0; i < inverse.length; i++) {
            float f = inverse[i];
            float wavelength = (float) (2 * Math.PI) / f;
            if (wavelength > original / low) {
                inverse[i] = f / (float) c.factor();
            } else if (wavelength >= original / high) {
                float smooth = (original / wavelength - low) / (high - low);
                inverse[i] = (1 - smooth) * f / (float) c.factor() + smooth * f;
            }
        }
    }

    /** YaRN: a ramp over the indices of the frequencies between those kept and those stretched by the factor. */
    private static void yarn(float[] inverse, RopeConfig c) {
        double low = index(c.ramp().fast(), c);
        double high = index(c.ramp().slow(), c);
        if (c.ramp().truncate()) {
            low = Math.floor(low);
            high = Math.ceil(high);
        }
        low = Math.max(low, 0);
        high = Math.min(high, c.rotaryDim() - 1);
        if (low == high) {
            high += 0.001; // as the reference does
        }
        for (int i = 0; i < inverse.length; i++) {
            float stretched = 1f / ((float) c.factor() * power(c, i));
            float ramp = (i - (float) low) / (float) (high - low);
            float kept = 1 - Math.clamp(ramp, 0f, 1f);
            inverse[i] = stretched * (1 - kept) + inverse[i] * kept;
        }
    }

    /** Index (a fraction) of the frequency that makes so many rotations within the original context. */
    private static double index(double rotations, RopeConfig c) {
        return c.rotaryDim()
                * Math.log(c.originalMaxPositions() / (rotations * 2 * Math.PI))
                / (2 * Math.log(c.theta()));
    }
}
