package dev.tiller.persona;

import java.util.Optional;

/** Scores answers for one trait. */
public interface Judge {
    /**
     * @param question what the user asked
     * @param answer what the model said
     * @param ended true if the model ended its answer itself, false if it was cut off
     */
    Scores score(String question, String answer, boolean ended);

    /** Names the judge well enough to tell whether two runs were judged alike. */
    String describe();

    /** The adjective of the opposite pole, e.g. "pessimistic", if the judge knows it. */
    Optional<String> negName();
}
