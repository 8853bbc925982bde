package dev.tiller.engine;

import dev.tiller.kernels.RopeTable;
import dev.tiller.loader.RopeConfig;
import dev.tiller.loader.TillerException;

/**
 * Rotary angles, computed with the float32 roundings of the reference implementation (inverse frequencies and angles in
 * float32, cosine and sine of those). Grows with the positions asked for.
 */
final class RopeTables {
    private final float[] inverseFrequency;
    private final int maxPositions;
    private RopeTable table;

    RopeTables(RopeConfig config, int maxPositions) {
        this.inverseFrequency = inverseFrequencies(config);
        this.maxPositions = maxPositions;
        this.table = build(Math.min(maxPositions, 1024));
    }

    /** A table that holds at least that many positions. */
    RopeTable upTo(int positions) {
        if (positions > table.positions()) {
            table = build(Math.min(maxPositions, Math.max(positions, 2 * table.positions())));
        }
        return table;
    }

    private RopeTable build(int positions) {
        int half = inverseFrequency.length;
        float[] cos = new float[positions * half];
        float[] sin = new float[positions * half];
        for (int p = 0; p < positions; p++) {
            for (int i = 0; i < half; i++) {
                float angle = p * inverseFrequency[i];
                cos[p * half + i] = (float) Math.cos(angle);
                sin[p * half + i] = (float) Math.sin(angle);
            }
        }
        return new RopeTable(half, cos, sin);
    }

    static float[] inverseFrequencies(RopeConfig c) {
        int half = c.rotaryDim() / 2;
        float[] out = new float[half];
        for (int i = 0; i < half; i++) {
            float exponent = (float) (2 * i) / c.rotaryDim();
            out[i] = 1f / (float) Math.pow(c.theta(), exponent);
        }
        switch (c.type()) {
            case "default" -> {}
            case "linear" -> {
                for (int i = 0; i < half; i++) {
                    out[i] /= (float) c.factor();
                }
            }
            case "llama3" -> llama3(out, c);
            default ->
                throw new TillerException("config.json: rope type \"" + c.type()
                        + "\" is not supported; accepted: default, linear, llama3");
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
}
