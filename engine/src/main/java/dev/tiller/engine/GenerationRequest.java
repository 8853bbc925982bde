package dev.tiller.engine;

import java.util.Arrays;

/**
 * One text to continue.
 *
 * @param prompt token ids, at least one
 * @param plan steering of this text only
 * @param sampling how tokens are drawn
 * @param seed of this text's own random generator
 * @param maxTokens most new tokens
 * @param ignoreEnd go on after end-of-turn tokens (they become part of the answer)
 * @param chat the conversation that the prompt was rendered from: plans with roles need it; null for a plain text
 */
public record GenerationRequest(
        int[] prompt,
        SteeringPlan plan,
        SamplingOptions sampling,
        long seed,
        int maxTokens,
        boolean ignoreEnd,
        ChatPrompt chat) {

    public GenerationRequest {
        if (chat != null && !Arrays.equals(chat.ids(), prompt)) {
            throw new IllegalArgumentException("the prompt is not that of the conversation");
        }
    }

    /** A plain text. */
    public GenerationRequest(
            int[] prompt, SteeringPlan plan, SamplingOptions sampling, long seed, int maxTokens, boolean ignoreEnd) {
        this(prompt, plan, sampling, seed, maxTokens, ignoreEnd, null);
    }

    /** A conversation. */
    public GenerationRequest(
            ChatPrompt chat, SteeringPlan plan, SamplingOptions sampling, long seed, int maxTokens, boolean ignoreEnd) {
        this(chat.ids(), plan, sampling, seed, maxTokens, ignoreEnd, chat);
    }

    /** Greedy, unsteered. */
    public static GenerationRequest greedy(int[] prompt, int maxTokens) {
        return new GenerationRequest(prompt, SteeringPlan.NONE, SamplingOptions.GREEDY, 0, maxTokens, false);
    }

    /** The same under another plan. */
    public GenerationRequest with(SteeringPlan otherPlan) {
        return new GenerationRequest(prompt, otherPlan, sampling, seed, maxTokens, ignoreEnd, chat);
    }

    /** The same, drawn otherwise. */
    public GenerationRequest with(SamplingOptions otherSampling, long otherSeed) {
        return new GenerationRequest(prompt, plan, otherSampling, otherSeed, maxTokens, ignoreEnd, chat);
    }
}
