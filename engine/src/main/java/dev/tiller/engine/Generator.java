package dev.tiller.engine;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.Draws;
import java.util.ArrayList;
import java.util.List;

/**
 * Continues many texts at once. Texts join as others leave; prefill chunks and single decode rows share each step;
 * common prefixes are computed once where the plans leave them unchanged. Each text is steered by its own plan and drawn
 * from its own seed, and its tokens do not depend on the texts beside it.
 */
public final class Generator {
    private final Model model;
    private final List<Probe> probes;
    private final TokenSink sink;
    private final Step step;
    private final List<Text> active = new ArrayList<>();
    private final float[] logits;
    private final Sampler.Scratch scratch = new Sampler.Scratch();
    private final int maxRows;
    private int maxSequences;

    private final Projections projections;

    /**
     * @param probes directions to watch at every generated token
     * @param sink called for every token as soon as it (and its projections) are known
     */
    public Generator(Model model, List<Probe> probes, TokenSink sink) {
        this.model = model;
        this.probes = List.copyOf(probes);
        this.sink = sink;
        this.step = model.newStep();
        this.maxRows = model.backend().rowsPerStep();
        this.maxSequences = model.backend().textsPerStep();
        this.logits = new float[model.spec().vocabulary()];
        this.projections = model.projections(probes);
    }

    /** At most that many texts at a time. */
    public Generator maxSequences(int n) {
        this.maxSequences = Math.max(1, n);
        return this;
    }

    /** Runs all requests to their end; results in the order of the requests. */
    public List<Generation> run(List<GenerationRequest> requests) {
        List<Text> waiting = new ArrayList<>();
        for (int i = 0; i < requests.size(); i++) {
            waiting.add(new Text(i, requests.get(i), model, probes.size(), scratch));
        }
        List<Text> all = List.copyOf(waiting);
        return model.exclusively(() -> {
            try {
                while (!waiting.isEmpty() || !active.isEmpty()) {
                    runStep(waiting);
                }
            } finally {
                active.forEach(Text::close);
                active.clear();
            }
            return all.stream().map(Text::result).toList();
        });
    }

    private void runStep(List<Text> waiting) {
        step.clear();
        int budget = maxRows;
        for (Text t : active) {
            budget -= t.addRows(step, budget);
        }
        while (!waiting.isEmpty() && active.size() < maxSequences && budget > 0) {
            Text next = waiting.getFirst();
            if (!sharePrefix(next)) {
                break; // a neighbour is still computing pages that this one can use
            }
            waiting.removeFirst();
            active.add(next);
            budget -= next.addRows(step, budget);
        }
        if (step.size() > 0) {
            Buffer out = model.transformer().forward(step, projections.taps(step.size()));
            deliverProjections();
            sample(out);
        }
        active.removeIf(t -> {
            if (t.done()) {
                t.close();
                sink.finished(t.index(), t.result());
            }
            return t.done();
        });
    }

    /** Takes over the longest usable prefix of an active text. False if waiting a step gives more. */
    private boolean sharePrefix(Text next) {
        Text best = null;
        int positions = 0;
        for (Text t : active) {
            int n = t.sharable(next);
            if (n > positions) {
                best = t;
                positions = n;
            }
        }
        if (best == null) {
            return true;
        }
        if (best.sequence().length() < positions) {
            return false;
        }
        next.shareFrom(best, positions);
        return true;
    }

    private void deliverProjections() {
        if (probes.isEmpty() || active.stream().noneMatch(Text::fedOwnToken)) {
            return;
        }
        projections.fetch(step.size());
        for (Text t : active) {
            if (!t.fedOwnToken()) {
                continue;
            }
            t.deliver(sink, projections.of(t.lastRow()));
        }
    }

    private void sample(Buffer out) {
        List<Text> texts = active.stream().filter(Text::wantsLogits).toList();
        Backend backend = model.backend();
        if (backend.canSample() && texts.stream().allMatch(Text::drawsFromLogitsAlone)) {
            drawThere(backend, texts, out);
            return;
        }
        for (int row = 0; row < texts.size(); row++) {
            backend.read(out, row, 1, logits, 0);
            if (!texts.get(row).done()) {
                texts.get(row).sample(logits, sink);
            }
        }
    }

    /** Draws where the logits are, so that only the tokens travel. */
    private void drawThere(Backend backend, List<Text> texts, Buffer out) {
        int n = texts.size();
        if (n == 0) {
            return;
        }
        Draws draws = new Draws(new float[n], new int[n], new double[n], new double[n], new double[n]);
        for (int row = 0; row < n; row++) {
            texts.get(row).fillDraw(draws, row);
        }
        int[] ids = new int[n];
        backend.sample(out, n, draws, ids);
        for (int row = 0; row < n; row++) {
            if (!texts.get(row).done()) {
                texts.get(row).take(ids[row], sink);
            }
        }
    }
}
