package dev.tiller.persona.vectors;

import dev.tiller.engine.Model;

/**
 * What the user says about a file of another tool; null where nothing is said.
 *
 * @param from who wrote it
 * @param layer the layer of a single direction, as that tool counts
 * @param position the position to take of a file with several, as stored: 0 is the first, -1 the last
 * @param experiment the experiment to take of an assistant-axis capping file
 * @param op what the directions are for
 * @param name name of the trait
 * @param measured put directions where they were measured, if the tool applies them elsewhere
 * @param model the model they belong to
 */
public record ImportOptions(
        Tool from,
        Integer layer,
        Integer position,
        String experiment,
        String op,
        String name,
        boolean measured,
        Model model) {
    /** Nothing but the tool is known, or not even that. */
    public static ImportOptions from(Tool tool) {
        return new ImportOptions(tool, null, null, null, null, null, false, null);
    }
}
