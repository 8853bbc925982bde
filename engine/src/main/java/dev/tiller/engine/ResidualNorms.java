package dev.tiller.engine;

import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.SiteTaps;
import dev.tiller.loader.TillerException;
import java.util.EnumMap;
import java.util.Map;

/**
 * How long the residuals of a model are on average, for coefficients in that unit where the vector does not say it: the mean
 * of |h| over the tokens of a fixed text, without the first, whose residual is many times longer in most models.
 */
final class ResidualNorms implements Amounts.Norms {
    private static final String TEXT =
            "The ferry left the harbour a little after nine, when the fog had lifted from the water. On deck a teacher"
                    + " explained to her class how the tides work, and two of the children even listened. What would you"
                    + " like to know about the sea? Salt water freezes at about minus two degrees, so the ports of the"
                    + " north stay open for most of the winter. \"It is never as cold as people say,\" the captain told"
                    + " us, \"but bring a coat.\" By noon the first island came into view: grey rock, a white house, and"
                    + " a long pier with a single light at its end.";

    private final Model model;
    private final Map<Site, double[]> means = new EnumMap<>(Site.class);

    ResidualNorms(Model model) {
        this.model = model;
    }

    @Override
    public synchronized double at(Site site, int block) {
        if (site != Site.RESID_PRE && site != Site.RESID_MID && site != Site.RESID_POST) {
            throw new TillerException("steering plan: a coefficient in the unit norm at site " + site.key()
                    + ": accepted: resid_pre, resid_mid, resid_post");
        }
        if (means.isEmpty()) {
            if (!model.hasTokenizer()) {
                throw new TillerException("steering plan: a coefficient in the unit norm needs the mean residual norm:"
                        + " the vector file does not say it and the model has no tokenizer to measure it with; run "
                        + Calibration.COMMAND);
            }
            int[] ids = model.encode(TEXT);
            measure(
                    ids.length > model.spec().maxPositions()
                            ? java.util.Arrays.copyOf(ids, model.spec().maxPositions())
                            : ids);
        }
        return means.get(site)[block];
    }

    private void measure(int[] ids) {
        int blocks = model.spec().blocks();
        int rows = ids.length;
        Buffer[] levels = new Buffer[blocks + 1];
        Buffer[] middles = new Buffer[blocks];
        Taps taps = new Taps(blocks);
        for (int l = 0; l <= blocks; l++) {
            levels[l] = model.backend().buffer(rows, model.spec().width());
            taps.at(l, new SiteTaps(levels[l], null, null, null, null, null));
            if (l < blocks) {
                middles[l] = model.backend().buffer(rows, model.spec().width());
                taps.atMid(l, new SiteTaps(middles[l], null, null, null, null, null));
            }
        }
        Step step = model.newStep();
        try (Sequence s = model.newSequence(Treatment.of(CompiledPlan.NONE, rows))) {
            step.add(s, ids, 0, rows, Step.Logits.NONE);
            model.exclusively(() -> model.transformer().forward(step, taps));
        }
        double[] pre = new double[blocks];
        double[] mid = new double[blocks];
        double[] post = new double[blocks];
        for (int b = 0; b < blocks; b++) {
            pre[b] = mean(levels[b], rows);
            mid[b] = mean(middles[b], rows);
            post[b] = mean(levels[b + 1], rows);
        }
        means.put(Site.RESID_PRE, pre);
        means.put(Site.RESID_MID, mid);
        means.put(Site.RESID_POST, post);
    }

    private double mean(Buffer rows, int count) {
        float[] row = new float[model.spec().width()];
        double sum = 0;
        for (int t = Math.min(1, count - 1); t < count; t++) {
            model.backend().read(rows, t, 1, row, 0);
            sum += Vectors.norm(row);
        }
        return sum / Math.max(1, count - 1);
    }
}
