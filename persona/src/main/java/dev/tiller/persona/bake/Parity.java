package dev.tiller.persona.bake;

import dev.tiller.engine.Model;
import dev.tiller.engine.SteeringPlan;
import java.nio.file.Path;
import java.util.Random;
import java.util.function.Function;

/**
 * How far the logits of two models are apart, the worst of some texts of random tokens.
 *
 * @param texts compared
 * @param tokens of each text
 * @param relative |difference| / |logits| of a text
 * @param largest absolute difference of a logit
 * @param unsteered {@code relative} between the steered and the unsteered model: what the steering itself does
 */
public record Parity(int texts, int tokens, double relative, double largest, double unsteered) {
    private static final int TEXTS = 4;
    private static final int TOKENS = 24;
    private static final long SEED = 20_240_611;

    static Parity of(Model steered, SteeringPlan plan, Path baked, Function<Path, Model> load) {
        double relative = 0;
        double largest = 0;
        double unsteered = 0;
        Random random = new Random(SEED);
        try (Model other = load.apply(baked)) {
            for (int i = 0; i < TEXTS; i++) {
                int tokens = Math.min(TOKENS, steered.spec().maxPositions());
                int[] ids = random.ints(tokens, 0, steered.spec().vocabulary()).toArray();
                float[] want = steered.activations(ids, 1, plan).logits();
                float[] plain = steered.activations(ids, 1, SteeringPlan.NONE).logits();
                float[] found = other.activations(ids, 1, SteeringPlan.NONE).logits();
                relative = Math.max(relative, relative(want, found));
                unsteered = Math.max(unsteered, relative(want, plain));
                for (int k = 0; k < want.length; k++) {
                    largest = Math.max(largest, Math.abs((double) want[k] - found[k]));
                }
            }
        }
        return new Parity(TEXTS, TOKENS, relative, largest, unsteered);
    }

    private static double relative(float[] want, float[] found) {
        double difference = 0;
        double norm = 0;
        for (int k = 0; k < want.length; k++) {
            double e = (double) want[k] - found[k];
            difference += e * e;
            norm += (double) want[k] * want[k];
        }
        return Math.sqrt(difference / norm);
    }
}
