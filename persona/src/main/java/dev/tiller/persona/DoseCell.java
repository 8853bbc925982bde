package dev.tiller.persona;

/**
 * What came of one arm. Numbers that were not measured are NaN.
 *
 * @param arm what was done
 * @param applied coefficient of the stored vector that was added; 0 without one
 * @param trait mean trait score 0..100
 * @param traitError standard error of that mean over the prompts
 * @param coherence mean coherence 0..100
 * @param kl mean over all positions of all answers of KL(this arm || unsteered model) of the next token, nats
 * @param klWorst the mean of the largest 5 % of those among the first 32 positions of each answer
 * @param perplexity of the answers under the unsteered model, after the prompt without an instruction
 * @param repetition mean share of the runs of four tokens in an answer that it has had before
 * @param ended share of answers that the model ended itself
 * @param tokens of all answers
 * @param sample the answer to the first prompt
 */
public record DoseCell(
        DoseArm arm,
        double applied,
        double trait,
        double traitError,
        double coherence,
        double kl,
        double klWorst,
        double perplexity,
        double repetition,
        double ended,
        int tokens,
        String sample) {}
