package dev.tiller.engine;

import java.util.List;

/**
 * A list of edits: what the user wants, independent of a model. The empty plan means no steering.
 *
 * @param edits in any order; the order of application at one site is fixed: ablate and replace_mean, add and
 *     rotate, clamp and set
 */
public record SteeringPlan(List<Edit> edits) {
    /** No steering. */
    public static final SteeringPlan NONE = new SteeringPlan(List.of());

    public SteeringPlan {
        edits = List.copyOf(edits);
    }

    public static SteeringPlan of(Edit... edits) {
        return new SteeringPlan(List.of(edits));
    }

    /**
     * Reads the JSON form. Unknown keys, vectors, sites and contradictory keys are errors that name the key and what
     * would be accepted.
     *
     * @param json the text
     * @param source file name for messages
     * @param resolver finds the vectors that the plan names
     */
    public static SteeringPlan parse(String json, String source, VectorResolver resolver) {
        return new PlanParser(source, resolver).parse(json);
    }
}
