package dev.tiller.engine;

import dev.tiller.loader.TillerException;
import java.util.Locale;

/**
 * How strong an additive edit is: a number and what it counts.
 *
 * @param value positive = more of the named trait
 * @param unit what value counts
 */
public record Amount(float value, Unit unit) {
    /** What a coefficient counts. */
    public enum Unit {
        /** The stored vector: h += value * v. */
        VECTOR,
        /** The mean length of the residual at the edited place: h += value * mean|h| * v/|v|. */
        NORM,
        /** Standard deviations of the natural projection h.u: h += value * sd(h.u) * u. */
        SD,
        /** Divergence of the next token's distribution in nats, by calibration; the sign is the direction. */
        KL;

        /** The name in plans, e.g. "norm"; a plain number in a plan is VECTOR. */
        public String key() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    public Amount {
        if (unit == null) {
            throw new TillerException("coefficient " + value + ": a unit is needed");
        }
        if (!Float.isFinite(value)) {
            throw new TillerException("coefficient " + value + " is not a finite number");
        }
    }

    /** A coefficient in units of the stored vector. */
    public static Amount of(float coefficient) {
        return new Amount(coefficient, Unit.VECTOR);
    }
}
