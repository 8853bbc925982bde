package dev.tiller.engine;

import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.SiteTaps;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads the residuals that conditions on the prompt ask for, out of steps that texts with such conditions take part in.
 * The projections are computed here, from the rows of one text alone and in the order of their positions, so they depend
 * neither on the texts beside it nor on how the prompt is cut into steps.
 */
final class Measuring {
    /**
     * A place that is read.
     *
     * @param mid true: after the attention of block {@code index}; false: H[index], the output of block index-1 and input of
     *     block index
     */
    private record Place(boolean mid, int index) {
        static Place of(Condition c) {
            return switch (c.site()) {
                case RESID_MID -> new Place(true, c.block());
                case RESID_POST -> new Place(false, c.block() + 1);
                default -> new Place(false, c.block());
            };
        }
    }

    private final Model model;
    private final Map<Place, Buffer> rows = new HashMap<>();
    private final List<Place> wanted = new ArrayList<>();
    private final float[] row;
    private int room;

    Measuring(Model model) {
        this.model = model;
        this.row = new float[model.spec().width()];
    }

    /** Runs a prompt alone to decide the conditions of its treatment, if it has any. */
    static void decide(Model model, Treatment treatment, int[] ids) {
        if (treatment.decided()) {
            return;
        }
        Decision decision = new Decision(treatment);
        Measuring measuring = new Measuring(model);
        measuring.want(treatment.plan());
        Step step = model.newStep();
        int most = model.backend().rowsPerStep();
        try (Sequence s = model.newSequence(treatment)) {
            s.expect(treatment.promptLength());
            for (int from = 0; from < treatment.promptLength(); from += most) {
                int rows = Math.min(most, treatment.promptLength() - from);
                step.clear();
                step.add(s, ids, from, from + rows, Step.Logits.NONE);
                model.transformer().forward(step, measuring.taps(rows, Taps.NONE));
                decision.measure(measuring, 0, from, rows);
            }
        }
    }

    /** Forgets what the last step was asked for. */
    void clear() {
        wanted.clear();
    }

    /** Asks for what that plan's conditions read. */
    void want(CompiledPlan plan) {
        for (Condition c : plan.conditions()) {
            if (!wanted.contains(Place.of(c))) {
                wanted.add(Place.of(c));
            }
        }
    }

    /**
     * Taps for a step of so many rows that read what is wanted besides what others want.
     *
     * @param others left as they are
     */
    Taps taps(int stepRows, Taps others) {
        if (wanted.isEmpty()) {
            return others;
        }
        if (stepRows > room) {
            room = Math.max(stepRows, model.backend().rowsPerStep());
            rows.clear();
        }
        Taps taps = others.copy(model.spec().blocks());
        for (Place p : wanted) {
            Buffer buffer = rows.computeIfAbsent(
                    p, q -> model.backend().buffer(room, model.spec().width()));
            if (p.mid) {
                taps.atMid(p.index, with(taps.mid(p.index), buffer));
            } else {
                taps.at(p.index, with(taps.level(p.index), buffer));
            }
        }
        return taps;
    }

    private static SiteTaps with(SiteTaps t, Buffer rows) {
        if (t.rows() != null && t.rows() != rows) {
            throw new IllegalStateException("the rows of this place are read already");
        }
        return new SiteTaps(rows, t.probes(), t.projections(), t.sums(), t.sumStart(), t.sumSlot());
    }

    /** The projection of a row of the step that just ran. */
    double projection(Condition c, float[] unit, int stepRow) {
        model.backend().read(rows.get(Place.of(c)), stepRow, 1, row, 0);
        return Vectors.dot(row, unit);
    }
}
