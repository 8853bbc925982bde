package dev.tiller.engine;

/**
 * One text to continue.
 *
 * @param prompt token ids, at least one
 * @param plan steering of this text only
 * @param sampling how tokens are drawn
 * @param seed of this text's own random generator
 * @param maxTokens most new tokens
 * @param ignoreEnd go on after end-of-turn tokens (they become part of the answer)
 */
public record GenerationRequest(
        int[] prompt, SteeringPlan plan, SamplingOptions sampling, long seed, int maxTokens, boolean ignoreEnd) {

    /** Greedy, unsteered. */
    public static GenerationRequest greedy(int[] prompt, int maxTokens) {
        return new GenerationRequest(prompt, SteeringPlan.NONE, SamplingOptions.GREEDY, 0, maxTokens, false);
    }

    public GenerationRequest with(SteeringPlan otherPlan) {
        return new GenerationRequest(prompt, otherPlan, sampling, seed, maxTokens, ignoreEnd);
    }

    public GenerationRequest with(SamplingOptions otherSampling, long otherSeed) {
        return new GenerationRequest(prompt, plan, otherSampling, otherSeed, maxTokens, ignoreEnd);
    }
}
