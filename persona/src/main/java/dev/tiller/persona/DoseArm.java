package dev.tiller.persona;

import dev.tiller.engine.Amount;
import dev.tiller.engine.Edit;
import dev.tiller.engine.Site;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.SteeringVector;
import dev.tiller.engine.Vectors;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * One way of answering all prompts.
 *
 * @param kind what is done
 * @param coefficient of the vector; 0 for the baselines without one
 * @param random number of the random vector, counted from 1; 0 if it is not random
 * @param plan the steering
 */
public record DoseArm(Kind kind, double coefficient, int random, SteeringPlan plan) {
    /** What an arm does. */
    public enum Kind {
        /** Nothing. */
        UNSTEERED,
        /** An instruction as system prompt. */
        PROMPT,
        /** Adds the vector. */
        VECTOR,
        /** Adds a random vector of the same norm. */
        RANDOM;

        /** The name in JSON and tables. */
        public String key() {
            return name().toLowerCase(java.util.Locale.ROOT);
        }
    }

    /** The baselines and the grid. */
    static List<DoseArm> of(DoseOptions o) {
        List<DoseArm> arms = new ArrayList<>();
        arms.add(new DoseArm(Kind.UNSTEERED, 0, 0, SteeringPlan.NONE));
        arms.add(new DoseArm(Kind.PROMPT, 0, 0, SteeringPlan.NONE));
        for (double c : o.coefficients()) {
            arms.add(new DoseArm(Kind.VECTOR, c, 0, plan(o, o.vector(), c)));
        }
        for (int r = 1; r <= o.randomVectors(); r++) {
            SteeringVector random = random(o.vector(), o.block(), Seeds.of(o.seed(), -r), r);
            for (double c : o.coefficients()) {
                arms.add(new DoseArm(Kind.RANDOM, c, r, plan(o, random, c)));
            }
        }
        return arms;
    }

    private static SteeringPlan plan(DoseOptions o, SteeringVector vector, double coefficient) {
        return SteeringPlan.of(Edit.add(vector, 1, o.block())
                .at(vector.site())
                .with()
                .amount(new Amount((float) coefficient, o.unit()))
                .build());
    }

    /** A Gaussian direction as long as that of the block; its coefficients mean the same additions, whatever the unit. */
    static SteeringVector random(SteeringVector like, int block, long seed, int number) {
        Site site = like.site();
        float[] from = like.at(site, block);
        Random random = new Random(seed);
        float[] v = new float[from.length];
        for (int i = 0; i < v.length; i++) {
            v[i] = (float) random.nextGaussian();
        }
        double scale = Vectors.norm(from) / Vectors.norm(v);
        for (int i = 0; i < v.length; i++) {
            v[i] *= (float) scale;
        }
        return new SteeringVector(
                "random " + number, null, site, Map.of(block, v), like.modelFingerprint(), 1, null, like.calibration());
    }
}
