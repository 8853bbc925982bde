package dev.tiller.engine;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.KvPages;
import dev.tiller.kernels.SiteTaps;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.List;

/**
 * Mean residuals over prompt and response of many texts, in one forward pass each (several short texts share a pass).
 * The means are running sums inside the residual site; no residual is stored.
 */
final class Pooling {
    /** Accumulators per text: prompt sum, response sum, last prompt token. */
    private static final int SLOTS = 3;

    private static final int MAX_ROWS = 512;

    private final Model model;

    Pooling(Model model) {
        this.model = model;
    }

    List<PooledResiduals> run(List<TokenizedText> texts, CompiledPlan compiled) {
        texts.forEach(this::check);
        List<PooledResiduals> out = new ArrayList<>();
        int from = 0;
        while (from < texts.size()) {
            int to = from;
            int rows = 0;
            while (to < texts.size() && (to == from || rows + texts.get(to).ids().length <= MAX_ROWS)) {
                rows += texts.get(to++).ids().length;
            }
            out.addAll(pass(texts.subList(from, to), compiled));
            from = to;
        }
        return out;
    }

    private void check(TokenizedText t) {
        if (t.promptLength() < 1 || t.promptLength() >= t.ids().length) {
            throw new TillerException("text to pool: prompt of " + t.promptLength() + " tokens in " + t.ids().length
                    + "; prompt and response need at least one token each");
        }
    }

    private List<PooledResiduals> pass(List<TokenizedText> texts, CompiledPlan plan) {
        Backend backend = model.backend();
        int levels = model.spec().blocks() + 2;
        int d = model.spec().width();
        int positions = texts.stream()
                .mapToInt(t -> KvCache.pagesFor(t.ids().length) * KvPages.PAGE)
                .sum();
        model.cache().checkFree(texts.size() + " texts", positions);
        Step step = model.newStep();
        List<Sequence> sequences = new ArrayList<>();
        try {
            for (TokenizedText t : texts) {
                Treatment treatment = Treatment.of(plan, t.promptLength());
                Measuring.decide(model, treatment, t.ids());
                Sequence s = model.newSequence(treatment);
                sequences.add(s);
                step.add(s, t.ids(), 0, t.ids().length, Step.Logits.NONE);
            }
            int[] start = new int[step.size() + 1];
            int[] slot = slots(texts, start);
            Buffer[] sums = new Buffer[levels];
            Taps taps = new Taps(model.spec().blocks());
            for (int l = 0; l < levels; l++) {
                sums[l] = backend.buffer(SLOTS * texts.size(), d);
                SiteTaps site = new SiteTaps(null, null, null, sums[l], start, slot);
                if (l < levels - 1) {
                    taps.at(l, site);
                } else {
                    taps.atFinalNorm(site);
                }
            }
            model.transformer().forward(step, taps);
            List<PooledResiduals> out = new ArrayList<>();
            for (int i = 0; i < texts.size(); i++) {
                out.add(read(sums, i, texts.get(i)));
            }
            return out;
        } finally {
            sequences.forEach(Sequence::close);
        }
    }

    /** Which accumulators each row is added to. */
    private static int[] slots(List<TokenizedText> texts, int[] start) {
        int[] slot = new int[start.length - 1 + texts.size()];
        int row = 0;
        int at = 0;
        for (int i = 0; i < texts.size(); i++) {
            TokenizedText t = texts.get(i);
            for (int p = 0; p < t.ids().length; p++) {
                slot[at++] = SLOTS * i + (p < t.promptLength() ? 0 : 1);
                if (p == t.promptLength() - 1) {
                    slot[at++] = SLOTS * i + 2;
                }
                start[++row] = at;
            }
        }
        return slot;
    }

    private PooledResiduals read(Buffer[] sums, int text, TokenizedText t) {
        int d = model.spec().width();
        float[][][] pooled = new float[SLOTS][sums.length][d];
        int[] count = {t.promptLength(), t.ids().length - t.promptLength(), 1};
        for (int l = 0; l < sums.length; l++) {
            for (int k = 0; k < SLOTS; k++) {
                model.backend().read(sums[l], SLOTS * text + k, 1, pooled[k][l], 0);
                for (int i = 0; i < d; i++) {
                    pooled[k][l][i] /= count[k];
                }
            }
        }
        return new PooledResiduals(pooled[0], pooled[1], pooled[2]);
    }
}
