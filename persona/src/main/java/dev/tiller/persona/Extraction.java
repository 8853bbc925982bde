package dev.tiller.persona;

import dev.tiller.engine.Model;
import java.util.List;

/**
 * Finds the direction of a trait: the difference between the mean activations of answers under opposite instructions
 * (persona vectors, arXiv 2507.21509, section 2). Every answer counts the same, however long: means of means.
 */
public final class Extraction {
    private Extraction() {}

    /**
     * Filters the pairs, runs every kept prompt with its answer once, and makes directions of them by the method of the
     * options: if they say nothing else, subtracts the means.
     *
     * @param pos answers under the positive instructions
     * @param neg answers under the negative ones, row by row to the same questions
     * @return directions at every H[l]
     */
    public static PersonaVector run(
            Model model,
            String trait,
            List<Rollout> pos,
            List<Rollout> neg,
            ExtractionOptions options,
            Progress progress) {
        return AnswerResiduals.of(model, trait, pos, neg, options.threshold(), progress)
                .vector(options);
    }

    /**
     * The whole way from a trait to its vector: answers to the extraction questions under both poles, judged, filtered,
     * subtracted.
     *
     * @param judge may be null: then every finished answer counts
     * @param maxTokens longest answer
     * @param seed of the answers
     */
    public static PersonaVector find(
            Model model, Trait trait, Judge judge, int maxTokens, long seed, Progress progress) {
        RolloutOptions options = RolloutOptions.of(trait, maxTokens, seed);
        List<Rollout> pos = Rollouts.generate(model, trait, Pole.POS, options, judge, progress);
        List<Rollout> neg = Rollouts.generate(model, trait, Pole.NEG, options, judge, progress);
        return run(model, trait.name(), pos, neg, ExtractionOptions.DEFAULT, progress);
    }
}
