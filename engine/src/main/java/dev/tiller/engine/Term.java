package dev.tiller.engine;

/**
 * When and where edits act: those with an equal term act at the same positions with the same factor.
 *
 * @param span positions
 * @param schedule factor while the answer grows; null: 1
 * @param when condition that is decided once on the prompt; null: always. Conditions on every token are part of the
 *     tables that the kernels read
 */
record Term(Span span, Schedule schedule, Condition when) {
    /** True if the factor takes other values than 0 and 1. */
    boolean varies() {
        return schedule instanceof Schedule.Decay || schedule instanceof Schedule.Ramp;
    }

    static Term of(Edit e) {
        boolean once = e.when() != null && e.when().measure() != Condition.Measure.TOKEN;
        return new Term(e.span(), e.schedule(), once ? e.when() : null);
    }
}
