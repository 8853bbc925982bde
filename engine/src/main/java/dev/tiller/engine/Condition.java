package dev.tiller.engine;

import dev.tiller.loader.TillerException;
import java.util.Locale;

/**
 * When an edit acts: the projection h.u of the residual on a probe, u = probe/|probe|, is above or below a threshold.
 * The probe reads its point before the edits of that point.
 *
 * @param probe direction
 * @param site where in the block it reads
 * @param block 0-based block it reads
 * @param threshold a projection on the unit vector
 * @param above true: acts if {@code h.u > threshold}; false: if {@code h.u < threshold}
 * @param measure on which positions
 */
public record Condition(SteeringVector probe, Site site, int block, float threshold, boolean above, Measure measure) {
    /** Which positions are measured. */
    public enum Measure {
        /** Once, at the last prompt token; holds for the whole answer. */
        PROMPT_LAST,
        /** Once, the mean over the prompt's tokens; holds for the whole answer. */
        PROMPT_MEAN,
        /** At every position, for that position. */
        TOKEN;

        /** The name in plans, e.g. "prompt_last". */
        public String key() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    public Condition {
        if (probe == null || site == null || measure == null) {
            throw new TillerException("when: probe, site and measure are needed");
        }
        if (!Float.isFinite(threshold)) {
            throw new TillerException("when: threshold " + threshold + " is not a finite number");
        }
    }

    /** [d] the probe as a unit vector. */
    float[] unit() {
        return Vectors.unit(probe.at(site, block), probe.name());
    }

    /** Whether the edit acts for that projection; a projection that is no number does not count. */
    public boolean holds(double projection) {
        return above ? projection > threshold : projection < threshold;
    }
}
