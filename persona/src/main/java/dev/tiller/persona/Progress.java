package dev.tiller.persona;

/** Hears how far a long job is. Calls come from the thread that runs the job. */
@FunctionalInterface
public interface Progress {
    /** Tells nobody. */
    Progress NONE = (what, done, total) -> {};

    /**
     * @param what the step under way, in a few words
     * @param done finished units of it
     * @param total all units of it
     */
    void update(String what, long done, long total);
}
