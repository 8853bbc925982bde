package dev.tiller.engine;

import dev.tiller.loader.TillerException;
import java.util.Collections;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What was measured about a direction v at one block of a model, on prompts without steering, u = v/|v|. It gives
 * coefficients a unit. Numbers that were not measured are NaN.
 *
 * @param residualNorm mean of |h|
 * @param mean mean of the natural projection h.u
 * @param sd standard deviation of h.u
 * @param coefficients by divergence: adding coefficient * v at this block alone changes the next token's distribution by
 *     |key| nats on average; the sign of the key is that of the coefficient. Empty if not measured
 */
public record Calibration(double residualNorm, double mean, double sd, SortedMap<Double, Double> coefficients) {
    /** The command that measures it, for messages. */
    static final String COMMAND = "tiller calibrate";

    public Calibration {
        coefficients = Collections.unmodifiableSortedMap(new TreeMap<>(coefficients));
        coefficients.forEach((kl, c) -> {
            if (!(Double.isFinite(kl) && Double.isFinite(c) && Math.signum(kl) == Math.signum(c) && kl != 0)) {
                throw new TillerException("calibration: coefficient " + c + " for a divergence of " + kl
                        + ": expected finite numbers of the same sign, not 0");
            }
        });
    }

    /** Only the mean norm is known. */
    public static Calibration ofNorm(double residualNorm) {
        return new Calibration(residualNorm, Double.NaN, Double.NaN, new TreeMap<>());
    }

    /**
     * The coefficient for a divergence: the divergence grows with the square of a small coefficient, so between the measured
     * points (and 0) the coefficient is linear in its root.
     *
     * @param kl nats; the sign is that of the coefficient
     * @param what begins the message where the divergence is outside the measured range
     */
    public double coefficient(double kl, String what) {
        double low = 0;
        double atLow = 0;
        for (Map.Entry<Double, Double> e : side(kl).entrySet()) {
            double root = Math.sqrt(e.getKey());
            double wanted = Math.sqrt(Math.abs(kl));
            if (wanted <= root) {
                return atLow + (e.getValue() - atLow) * (wanted - low) / (root - low);
            }
            low = root;
            atLow = e.getValue();
        }
        throw new TillerException(what + "is outside the calibrated range "
                + (coefficients.isEmpty() ? "(none)" : coefficients.firstKey() + ".." + coefficients.lastKey())
                + "; run " + COMMAND + " with a wider one");
    }

    /** By |kl|, for the sign that was asked for. */
    private SortedMap<Double, Double> side(double kl) {
        SortedMap<Double, Double> out = new TreeMap<>();
        coefficients.forEach((key, c) -> {
            if (key > 0 == kl > 0) {
                out.put(Math.abs(key), c);
            }
        });
        return out;
    }
}
