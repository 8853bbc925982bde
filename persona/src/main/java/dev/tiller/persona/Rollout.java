package dev.tiller.persona;

import dev.tiller.engine.TokenizedText;

/**
 * One answer under one pole.
 *
 * <p>The ids are the tokens of prompt and answer taken as one text, and the prompt's share is the number of tokens of the
 * prompt alone, as in the published method. Answers generated here are put through the same rule instead of keeping
 * the ids they were drawn with, so that a vector comes out the same from the rollouts in memory and from the file they
 * were written to.
 *
 * @param question index of the question in the trait
 * @param instruction index of the instruction pair; 0 for answers without one
 * @param sample index among the answers to the same prompt
 * @param pole which instruction of the pair was given; null if neither
 * @param questionText what the user asked
 * @param prompt the conversation as the chat template renders it
 * @param answer what the model said, without special tokens
 * @param ids [T] tokens of prompt and answer
 * @param promptLength how many of them are the prompt
 * @param ended true if the model ended its answer itself
 * @param scores of a judge; null if there was none
 */
public record Rollout(
        int question,
        int instruction,
        int sample,
        Pole pole,
        String questionText,
        String prompt,
        String answer,
        int[] ids,
        int promptLength,
        boolean ended,
        Scores scores) {

    /** True if no token belongs to the answer. */
    public boolean isEmpty() {
        return promptLength >= ids.length;
    }

    /** Prompt and answer for the engine. */
    public TokenizedText text() {
        return new TokenizedText(ids, promptLength);
    }

    /** True if both answer the same question under the same pair as the same sample. */
    boolean pairsWith(Rollout other) {
        return question == other.question && instruction == other.instruction && sample == other.sample;
    }

    /** Its place, for messages. */
    String place() {
        return "question " + question + ", instruction " + instruction + ", sample " + sample;
    }
}
