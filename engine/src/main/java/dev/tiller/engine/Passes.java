package dev.tiller.engine;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.SiteTaps;
import dev.tiller.loader.TillerException;
import java.util.Arrays;

/** Forward passes over whole texts in one step, with everything read that there is to read. */
final class Passes {
    private final Model model;
    private final Backend backend;
    private final ModelSpec spec;

    Passes(Model model) {
        this.model = model;
        this.backend = model.backend();
        this.spec = model.spec();
    }

    Activations run(int[] ids, int promptLength, CompiledPlan plan, Step.Logits wanted) {
        if (ids.length == 0 || promptLength < 1 || promptLength > ids.length) {
            throw new TillerException("activations: " + ids.length + " tokens with a prompt of " + promptLength
                    + "; expected 1 <= prompt <= tokens");
        }
        int rows = ids.length;
        model.cache().checkFree("a text of " + rows + " tokens", rows);
        Step step = model.newStep();
        Treatment treatment = Treatment.of(plan, promptLength);
        Measuring.decide(model, treatment, ids);
        try (Sequence sequence = model.newSequence(treatment)) {
            step.add(sequence, ids, 0, rows, wanted);
            Buffer[] captured = new Buffer[spec.blocks() + 2];
            Buffer out = model.transformer().forward(step, taps(captured, rows));
            float[][] levels = new float[captured.length][rows * spec.width()];
            for (int l = 0; l < captured.length; l++) {
                backend.read(captured[l], 0, rows, levels[l], 0);
            }
            float[] logits = out == null ? null : new float[rows * spec.vocabulary()];
            if (out != null) {
                backend.read(out, 0, rows, logits, 0);
            }
            float[][] posts = Arrays.copyOfRange(levels, 1, spec.blocks() + 1);
            return new Activations(logits, levels[0], posts, levels[spec.blocks() + 1]);
        }
    }

    /** Copies of every H[l], l = 0..L, and of the final norm. */
    private Taps taps(Buffer[] captured, int rows) {
        Taps taps = new Taps(spec.blocks());
        for (int l = 0; l < captured.length; l++) {
            captured[l] = backend.buffer(rows, spec.width());
            SiteTaps site = new SiteTaps(captured[l], null, null, null, null, null);
            if (l <= spec.blocks()) {
                taps.at(l, site);
            } else {
                taps.atFinalNorm(site);
            }
        }
        return taps;
    }
}
