package dev.tiller.engine;

/**
 * A finished continuation.
 *
 * @param ids new tokens, without the end-of-turn token
 * @param text of the ids, special tokens left out
 * @param finish why it ended
 * @param promptTokens length of the prompt
 * @param projections [tokens][probes] of the run, or null if nothing was watched; NaN for a token that ended at the last
 *     position of the context, whose own row could not run
 * @param plan the steering that was asked for
 * @param applied the steering that was applied: resolved vectors, blocks and numbers, and which conditions held
 */
public record Generation(
        int[] ids,
        String text,
        FinishReason finish,
        int promptTokens,
        float[][] projections,
        SteeringPlan plan,
        AppliedPlan applied) {}
