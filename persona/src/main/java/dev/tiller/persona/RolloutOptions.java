package dev.tiller.persona;

import dev.tiller.engine.SamplingOptions;
import dev.tiller.loader.TillerException;
import java.util.List;

/**
 * How many answers to draw and how.
 *
 * @param samples answers to each prompt, at least 1
 * @param temperature 0 is greedy; the published method draws at 1
 * @param maxTokens longest answer
 * @param seed of the whole job; every answer has its own seed derived from it
 * @param questions indices of the trait's questions
 * @param instructionPairs how many of the trait's instruction pairs to use, from the first on
 */
public record RolloutOptions(
        int samples, double temperature, int maxTokens, long seed, List<Integer> questions, int instructionPairs) {

    public RolloutOptions {
        questions = List.copyOf(questions);
        atLeastOne(samples, "samples");
        atLeastOne(maxTokens, "max tokens");
        atLeastOne(instructionPairs, "instruction pairs");
        SamplingOptions.temperature(temperature);
        if (questions.isEmpty()) {
            throw new TillerException("rollouts: no question was chosen");
        }
    }

    /** One answer to each extraction question under each pair, at temperature 1. */
    public static RolloutOptions of(Trait trait, int maxTokens, long seed) {
        return new RolloutOptions(
                1,
                1,
                maxTokens,
                seed,
                trait.extractionQuestions(),
                trait.instructions().size());
    }

    private static void atLeastOne(int value, String what) {
        if (value < 1) {
            throw new TillerException("rollouts: " + what + ": expected 1 or more, found " + value);
        }
    }

    /** Checks the choice of questions and pairs against a trait. */
    void check(Trait trait) {
        if (instructionPairs > trait.instructions().size()) {
            throw new TillerException(trait.source() + ": has "
                    + trait.instructions().size() + " instruction pairs, " + instructionPairs + " were asked for");
        }
        for (int q : questions) {
            if (q < 0 || q >= trait.questions().size()) {
                throw new TillerException(trait.source() + ": has questions 0.."
                        + (trait.questions().size() - 1) + ", question " + q + " was asked for");
            }
        }
        if (questions.stream().distinct().count() < questions.size()) {
            throw new TillerException("rollouts: a question is chosen twice in " + questions);
        }
    }
}
