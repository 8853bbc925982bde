package dev.tiller.engine;

import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.SiteTaps;
import dev.tiller.loader.TillerException;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What residuals are like without steering where a vector acts: the mean of |h|, and mean and standard deviation of the
 * projection h.u with u = v/|v|, over all positions that foretell a token of an answer (those that edits of the span
 * {@code generation} act on), every position of every text alike; the standard deviation has n in its denominator.
 */
public final class NaturalProjections {
    /** Running sums of one block. */
    private static final class Sums {
        private long n;
        private double norm;
        private double mean;
        private double squares;

        void add(double length, double projection) {
            n++;
            norm += length;
            double apart = projection - mean;
            mean += apart / n;
            squares += apart * (projection - mean);
        }

        Calibration result() {
            return new Calibration(norm / n, mean, Math.sqrt(squares / n), new TreeMap<>());
        }
    }

    private final Model model;
    private final SteeringVector vector;
    private final Site site;
    private final List<Integer> blocks;

    /**
     * @param vector directions per block, one each
     * @param blocks that it has directions for
     */
    public NaturalProjections(Model model, SteeringVector vector, List<Integer> blocks) {
        this.model = model;
        this.vector = vector;
        this.site = vector.site();
        this.blocks = List.copyOf(blocks);
        if (site != Site.RESID_PRE && site != Site.RESID_MID && site != Site.RESID_POST) {
            throw new TillerException("vector \"" + vector.name() + "\": residuals are measured at the sites resid_pre,"
                    + " resid_mid, resid_post; it is for " + (site == null ? "any site" : site.key()));
        }
        if (vector.positions() > 1) {
            throw new TillerException("vector \"" + vector.name() + "\": holds " + vector.positions()
                    + " positions per block, one direction is expected");
        }
    }

    /** Measures; texts without an answer give nothing. An error if none has one. */
    public SortedMap<Integer, Calibration> of(List<TokenizedText> texts) {
        SortedMap<Integer, Sums> sums = new TreeMap<>();
        blocks.forEach(b -> sums.put(b, new Sums()));
        int longest = texts.stream()
                .mapToInt(t -> t.ids().length - t.promptLength() > 0 ? t.ids().length - 1 : 0)
                .max()
                .orElse(0);
        if (longest == 0) {
            throw new TillerException("calibration: none of the " + texts.size() + " prompts was answered");
        }
        SortedMap<Integer, Buffer> rows = new TreeMap<>();
        Taps taps = taps(rows, longest);
        model.exclusively(() -> {
            texts.forEach(t -> measure(t, taps, rows, sums));
            return null;
        });
        SortedMap<Integer, Calibration> out = new TreeMap<>();
        sums.forEach((block, s) -> out.put(block, s.result()));
        return out;
    }

    private Taps taps(SortedMap<Integer, Buffer> rows, int longest) {
        Taps taps = new Taps(model.spec().blocks());
        for (int b : blocks) {
            Buffer buffer = model.backend().buffer(longest, model.spec().width());
            rows.put(b, buffer);
            SiteTaps read = new SiteTaps(buffer, null, null, null, null, null);
            if (site == Site.RESID_MID) {
                taps.atMid(b, read);
            } else {
                taps.at(site == Site.RESID_POST ? b + 1 : b, read);
            }
        }
        return taps;
    }

    private void measure(
            TokenizedText text, Taps taps, SortedMap<Integer, Buffer> rows, SortedMap<Integer, Sums> sums) {
        int count = text.ids().length - 1; // the last token foretells nothing that is there
        if (count < text.promptLength()) {
            return;
        }
        model.cache().checkFree("a text of " + count + " tokens", count);
        Step step = model.newStep();
        float[] h = new float[model.spec().width()];
        try (Sequence sequence = model.newSequence(SteeringPlan.NONE, text.promptLength())) {
            step.add(sequence, text.ids(), 0, count, Step.Logits.NONE);
            model.transformer().forward(step, taps);
            for (int b : blocks) {
                float[] v = vector.at(site, b);
                double length = Vectors.norm(v);
                for (int p = text.promptLength() - 1; p < count; p++) {
                    model.backend().read(rows.get(b), p, 1, h, 0);
                    sums.get(b).add(Vectors.norm(h), Vectors.dot(h, v) / length);
                }
            }
        }
    }
}
