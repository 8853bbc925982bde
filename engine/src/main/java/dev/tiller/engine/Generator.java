package dev.tiller.engine;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.Draws;
import dev.tiller.kernels.SiteTaps;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

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

    /** Where the projections of the probes come from: the levels watched and, for each, the probes on it. */
    private final SortedMap<Integer, List<Integer>> probesAt = new TreeMap<>();

    private final SortedMap<Integer, Buffer> directions = new TreeMap<>();
    private final SortedMap<Integer, Buffer> projected = new TreeMap<>();

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
        for (int i = 0; i < probes.size(); i++) {
            addProbe(i, probes.get(i));
        }
    }

    /** At most that many texts at a time. */
    public Generator maxSequences(int n) {
        this.maxSequences = Math.max(1, n);
        return this;
    }

    private void addProbe(int i, Probe p) {
        if (p.block() < 0 || p.block() >= model.spec().blocks()) {
            throw new TillerException("probe: block " + p.block() + " is out of range; the model has blocks 0.."
                    + (model.spec().blocks() - 1));
        }
        if (p.direction().length != model.spec().width()) {
            throw new TillerException("probe: width " + p.direction().length
                    + ", the model's residual stream has width " + model.spec().width());
        }
        probesAt.computeIfAbsent(p.block() + 1, l -> new ArrayList<>()).add(i);
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
            Buffer out = model.transformer().forward(step, taps());
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

    private Taps taps() {
        if (probes.isEmpty()) {
            return Taps.NONE;
        }
        Taps taps = new Taps(model.spec().blocks());
        Backend backend = model.backend();
        for (var e : probesAt.entrySet()) {
            List<Integer> indices = e.getValue();
            Buffer d = directions.computeIfAbsent(e.getKey(), l -> probeDirections(indices));
            Buffer p = projected.get(e.getKey());
            if (p == null || p.rows() < step.size()) {
                p = backend.buffer(Math.max(step.size(), maxRows), indices.size());
                projected.put(e.getKey(), p);
            }
            taps.at(e.getKey(), new SiteTaps(null, d, p, null, null, null));
        }
        return taps;
    }

    private Buffer probeDirections(List<Integer> indices) {
        int d = model.spec().width();
        float[] all = new float[indices.size() * d];
        for (int i = 0; i < indices.size(); i++) {
            System.arraycopy(Vectors.unit(probes.get(indices.get(i)).direction(), "probe"), 0, all, i * d, d);
        }
        return model.backend().buffer(indices.size(), d, all);
    }

    private void deliverProjections() {
        if (probes.isEmpty()) {
            return;
        }
        for (Text t : active) {
            if (!t.fedOwnToken()) {
                continue;
            }
            float[] values = new float[probes.size()];
            for (var e : probesAt.entrySet()) {
                float[] row = new float[e.getValue().size()];
                model.backend().read(projected.get(e.getKey()), t.lastRow(), 1, row, 0);
                for (int i = 0; i < row.length; i++) {
                    values[e.getValue().get(i)] = row[i];
                }
            }
            t.deliver(sink, values);
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
