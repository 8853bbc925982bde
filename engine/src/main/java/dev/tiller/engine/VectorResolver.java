package dev.tiller.engine;

/** Finds the vector that a plan refers to. Unknown names and unreadable files are errors that say what was looked for. */
@FunctionalInterface
public interface VectorResolver {
    /**
     * @param reference what the plan says
     * @return the vector
     */
    SteeringVector resolve(Reference reference);

    /**
     * @param name name in a vector store, or null
     * @param file file name as written in the plan, or null
     * @param tensor tensor inside the file, or null for a vector file with one direction per block
     * @param incremental use u_b = v_b - v_(b-1)
     */
    record Reference(String name, String file, String tensor, boolean incremental) {}
}
