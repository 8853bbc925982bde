package dev.tiller.loader.gguf;

import dev.tiller.loader.RopeConfig;
import dev.tiller.loader.TillerException;

/**
 * Converters write the llama3 rotary scaling as a tensor: for each frequency the number that divides it. The setting
 * behind it is recovered from the largest divisor and the published constants (low 1, high 4, 8192 positions), and
 * believed only if it gives back the tensor.
 */
final class RopeFactors {
    private static final double LOW = 1;
    private static final double HIGH = 4;
    private static final int ORIGINAL_POSITIONS = 8192;

    /** The tensor was computed in float32 by others; a wrong setting differs by percents. */
    private static final double TOLERANCE = 1e-4;

    private RopeFactors() {}

    /** The llama3 setting that gives these divisors [headDim / 2]; others are refused. */
    static RopeConfig toLlama3(GgufTensor tensor, double theta, int headDim) {
        if (tensor.dims().length != 1 || tensor.elements() != headDim / 2) {
            throw new TillerException(tensor.source() + ": tensor " + tensor.name() + ": expected " + headDim / 2
                    + " factors, found " + tensor.describe());
        }
        float[] factors = tensor.toFloats();
        double factor = factors[factors.length - 1];
        RopeConfig rope = new RopeConfig("llama3", theta, factor, LOW, HIGH, ORIGINAL_POSITIONS, headDim);
        for (int i = 0; i < factors.length; i++) {
            double expected = divisor(rope, i);
            if (!(factor >= 1 && Math.abs(factors[i] - expected) <= TOLERANCE * expected)) {
                throw new TillerException(tensor.source() + ": tensor " + tensor.name()
                        + ": expected the factors of llama3 scaling (" + expected + " at index " + i + "), found "
                        + factors[i]);
            }
        }
        return rope;
    }

    /** By what llama3 scaling divides the frequency of pair i. */
    static double divisor(RopeConfig rope, int i) {
        double wavelength = 2 * Math.PI * Math.pow(rope.theta(), 2.0 * i / rope.rotaryDim());
        double ratio = rope.originalMaxPositions() / wavelength;
        if (ratio < rope.lowFreqFactor()) {
            return rope.factor();
        }
        if (ratio > rope.highFreqFactor()) {
            return 1;
        }
        double smooth = (ratio - rope.lowFreqFactor()) / (rope.highFreqFactor() - rope.lowFreqFactor());
        return 1 / ((1 - smooth) / rope.factor() + smooth);
    }
}
