package dev.tiller.loader.gguf;

import dev.tiller.loader.TillerException;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/**
 * Converters write the llama3 rotary scaling as a tensor: for each frequency the number that divides it. The setting
 * behind it is recovered from the largest divisor and the published constants (low 1, high 4, 8192 positions, or as many
 * as a divisor between the extremes tells), and believed only if it gives back the tensor.
 *
 * @param factor the largest divisor, at least 1
 * @param originalMaxPositions context length before stretching
 */
record RopeFactors(double factor, int originalMaxPositions) {
    static final double LOW = 1;
    static final double HIGH = 4;
    private static final int ORIGINAL_POSITIONS = 8192;

    /** The tensor was computed in float32 by others; a wrong setting differs by percents. */
    private static final double TOLERANCE = 1e-4;

    /** The llama3 setting that gives these divisors [rotaryDim / 2]; others are refused. */
    static RopeFactors of(GgufTensor tensor, double theta, int rotaryDim) {
        float[] factors = values(tensor, rotaryDim);
        double factor = GgufKeys.decimal(factors[factors.length - 1]);
        RopeFactors published = new RopeFactors(factor, ORIGINAL_POSITIONS);
        int wrong = published.firstWrong(factors, theta, rotaryDim);
        if (wrong < 0) {
            return published;
        }
        OptionalInt inner = IntStream.range(0, factors.length)
                .filter(i -> factors[i] > 1.01 && factors[i] < 0.99 * factor)
                .findFirst();
        if (inner.isPresent()) {
            int i = inner.getAsInt();
            double smooth = (1 / (double) factors[i] - 1 / factor) / (1 - 1 / factor);
            double positions = (LOW + smooth * (HIGH - LOW)) * wavelength(theta, i, rotaryDim);
            RopeFactors found = new RopeFactors(factor, Math.clamp(Math.round(positions), 1, Integer.MAX_VALUE));
            if (found.firstWrong(factors, theta, rotaryDim) < 0) {
                return found;
            }
        }
        throw new TillerException(tensor.source() + ": tensor " + tensor.name()
                + ": expected the factors of llama3 scaling (" + published.divisor(theta, wrong, rotaryDim)
                + " at index " + wrong + "), found " + factors[wrong]);
    }

    /** The numbers of a tensor that has one for each rotated pair; each must be positive. */
    static float[] values(GgufTensor tensor, int rotaryDim) {
        if (tensor.dims().length != 1 || tensor.elements() != rotaryDim / 2) {
            throw new TillerException(tensor.source() + ": tensor " + tensor.name() + ": expected " + rotaryDim / 2
                    + " factors, found " + tensor.describe());
        }
        float[] factors = tensor.toFloats();
        for (float f : factors) {
            if (!(f > 0 && f < Float.POSITIVE_INFINITY)) {
                throw new TillerException(
                        tensor.source() + ": tensor " + tensor.name() + ": expected positive factors, found " + f);
            }
        }
        return factors;
    }

    /** Index of the first factor that is not of this setting; -1 if all are. */
    private int firstWrong(float[] factors, double theta, int rotaryDim) {
        for (int i = 0; i < factors.length; i++) {
            double expected = divisor(theta, i, rotaryDim);
            if (!(factor >= 1 && Math.abs(factors[i] - expected) <= TOLERANCE * expected)) {
                return i;
            }
        }
        return -1;
    }

    private static double wavelength(double theta, int i, int rotaryDim) {
        return 2 * Math.PI * Math.pow(theta, 2.0 * i / rotaryDim);
    }

    /** By what llama3 scaling divides the frequency of pair i. */
    private double divisor(double theta, int i, int rotaryDim) {
        double ratio = originalMaxPositions / wavelength(theta, i, rotaryDim);
        if (ratio < LOW) {
            return factor;
        }
        if (ratio > HIGH) {
            return 1;
        }
        double smooth = (ratio - LOW) / (HIGH - LOW);
        return 1 / ((1 - smooth) / factor + smooth);
    }
}
