package dev.tiller.engine;

import java.util.List;

/** Measures the conditions of one text on its prompt, as its rows come, and decides them with the last one. */
final class Decision {
    private final Treatment treatment;
    private final List<Condition> conditions;
    private final float[][] units;
    /** Projection at the last position, or the sum over all. */
    private final double[] measured;

    private int positions;

    Decision(Treatment treatment) {
        this.treatment = treatment;
        this.conditions = treatment.plan().conditions();
        this.units = conditions.stream().map(Condition::unit).toArray(float[][]::new);
        this.measured = new double[conditions.size()];
    }

    /** True if every position of the prompt has to be run, because a mean over all of them is to be measured. */
    boolean needsAll() {
        return !treatment.decided() && conditions.stream().anyMatch(c -> c.measure() == Condition.Measure.PROMPT_MEAN);
    }

    /**
     * Takes rows of the step that just ran.
     *
     * @param row the first of them in the step
     * @param position its position
     * @param rows how many
     */
    void measure(Measuring measuring, int row, int position, int rows) {
        int prompt = treatment.promptLength();
        int end = Math.min(position + rows, prompt);
        for (int i = 0; i < measured.length; i++) {
            Condition c = conditions.get(i);
            boolean mean = c.measure() == Condition.Measure.PROMPT_MEAN;
            for (int p = mean ? position : Math.max(position, prompt - 1); p < end; p++) {
                measured[i] += measuring.projection(c, units[i], row + p - position);
            }
        }
        positions += end - position;
        if (end == prompt) {
            decide();
        }
    }

    private void decide() {
        for (int i = 0; i < measured.length; i++) {
            if (conditions.get(i).measure() == Condition.Measure.PROMPT_MEAN) {
                if (positions != treatment.promptLength()) {
                    throw new IllegalStateException(
                            "measured " + positions + " positions of a prompt of " + treatment.promptLength());
                }
                measured[i] /= positions;
            }
        }
        treatment.decide(measured);
    }

    /** The rows will come again. */
    void restart() {
        if (!treatment.decided()) {
            java.util.Arrays.fill(measured, 0);
            positions = 0;
        }
    }

    /** What was measured, one number for each condition of the plan. Not a copy. */
    double[] measured() {
        return measured;
    }
}
