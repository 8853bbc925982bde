package dev.tiller.engine;

/** Why a generation ended. */
public enum FinishReason {
    /** An end-of-turn token; it is not part of the answer. */
    STOP,
    /** The limit on new tokens. */
    LENGTH,
    /** The model's context is full. */
    CONTEXT,
    /** The token sink asked to stop. */
    CANCELLED
}
