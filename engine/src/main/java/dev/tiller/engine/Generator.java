package dev.tiller.engine;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.Draws;
import dev.tiller.kernels.KvMemoryException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Continues many texts at once. Texts join as others leave; prefill chunks and single decode rows share each step;
 * common prefixes are computed once where the plans leave them unchanged. Each text is steered by its own plan and drawn
 * from its own seed, and its tokens do not depend on the texts beside it.
 */
public final class Generator {
    /**
     * Where texts are under way, prompts get this fraction of a full step (or as many rows as those texts, if they are
     * more), so that a long prompt delays the next token of the others by a fraction of a second only, while the matrices
     * that every step reads are still shared by dozens of rows.
     */
    private static final int BESIDE_OTHERS = 8;

    private final Model model;
    private final List<Probe> probes;
    private final TokenSink sink;
    private final Step step;
    private final List<Text> active = new ArrayList<>();
    private final float[] logits;
    private final Sampler.Scratch scratch = new Sampler.Scratch();
    private final int maxRows;
    private final Projections projections;
    private final Measuring measuring;
    /** Texts that get logits in this step, in the order of their rows. */
    private final List<Text> asked = new ArrayList<>();

    private long rowsRun;
    private int maxSequences;
    private int promptRows;

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
        this.promptRows = Math.max(1, maxRows / BESIDE_OTHERS);
        this.logits = new float[model.spec().vocabulary()];
        this.projections = model.projections(probes);
        this.measuring = new Measuring(model);
    }

    /** At most that many texts at a time. */
    public Generator maxSequences(int n) {
        this.maxSequences = Math.max(1, n);
        return this;
    }

    /** Rows of prompts at most in a step that also carries rows of texts under way. */
    public Generator promptRowsBesideOthers(int n) {
        this.promptRows = Math.max(1, n);
        return this;
    }

    /**
     * Runs all requests to their end; results in the order of the requests. A request that could not be stored even alone
     * is refused before anything runs; others wait until there is room.
     */
    public List<Generation> run(List<GenerationRequest> requests) {
        Deque<Text> waiting = new ArrayDeque<>();
        for (int i = 0; i < requests.size(); i++) {
            Text text = new Text(i, requests.get(i), model, probes.size(), scratch);
            int prompt = requests.get(i).prompt().length;
            String what = "request " + (i + 1) + " of " + requests.size() + " (prompt of " + prompt
                    + " tokens, at most " + requests.get(i).maxTokens() + " new ones)";
            model.cache().checkFits(what, text.mostPositions());
            waiting.add(text);
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

    /** Rows of all steps so far. */
    long rowsRun() {
        return rowsRun;
    }

    private void runStep(Deque<Text> waiting) {
        step.clear();
        asked.clear();
        int decoding = addActive(false, maxRows, waiting);
        int budget = maxRows - decoding;
        if (decoding > 0) {
            budget = Math.min(budget, Math.max(promptRows, decoding));
        }
        budget -= addActive(true, budget, waiting);
        while (!waiting.isEmpty() && active.size() < maxSequences && budget > 0 && admit(waiting.getFirst())) {
            Text next = waiting.removeFirst();
            active.add(next);
            budget -= add(next, budget, waiting);
        }
        if (step.size() > 0) {
            rowsRun += step.size();
            Buffer out = model.transformer().forward(step, taps());
            deliverProjections();
            measure();
            sample(out);
        }
        active.removeIf(t -> {
            if (t.done()) {
                t.end();
                sink.finished(t.index(), t.result());
            }
            return t.done();
        });
    }

    /** Adds rows of the active texts that have several to run, or of those that have one. Returns how many. */
    private int addActive(boolean several, int budget, Deque<Text> waiting) {
        int rows = 0;
        for (int i = 0; i < active.size(); ) {
            Text t = active.get(i);
            if (t.pending() > 1 == several) {
                rows += add(t, budget - rows, waiting);
            }
            i += i < active.size() && active.get(i) == t ? 1 : 0; // it may have stepped back
        }
        return rows;
    }

    /**
     * Adds the next rows of an active text. Its pages were promised when it was admitted, but the backend may run out of
     * memory earlier: then it steps back and waits until the others have ended.
     */
    private int add(Text t, int budget, Deque<Text> waiting) {
        try {
            int rows = t.addRows(step, budget);
            if (t.wantsLogits()) {
                asked.add(t);
            }
            return rows;
        } catch (KvMemoryException e) {
            if (active.size() == 1) {
                throw e;
            }
            model.cache().limitToNow();
            t.restart();
            active.remove(t);
            waiting.addFirst(t);
            return 0;
        }
    }

    /**
     * Gives a waiting text the longest beginning that others have computed, and makes sure that all the pages it may come
     * to need can be had while those of the active texts are, so that none of them can ever be stuck. False if it has to
     * wait: for room, or for a neighbour that is still computing pages it can use.
     */
    private boolean admit(Text next) {
        if (!next.done() && !sharePrefix(next)) {
            return false;
        }
        long promised = next.pagesToCome();
        for (Text t : active) {
            promised += t.pagesToCome();
        }
        if (promised <= model.cache().free()) {
            return true;
        }
        next.restart();
        if (active.isEmpty()) {
            model.cache().checkFree("request " + (next.index() + 1), next.mostPositions());
        }
        return false;
    }

    /** Takes over the longest usable prefix of an active or a kept text. False if waiting a step gives more. */
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
        if (next.kept() >= positions) {
            next.shareKept();
            return true;
        }
        if (best.sequence().length() < positions) {
            return false;
        }
        next.shareFrom(best, positions);
        return true;
    }

    private void deliverProjections() {
        if (probes.isEmpty()) {
            return;
        }
        boolean fetched = false;
        for (Text t : active) {
            if (!t.fedOwnToken()) {
                continue;
            }
            if (!fetched) {
                projections.fetch(step.size());
                fetched = true;
            }
            t.deliver(sink, projections.of(t.lastRow()));
        }
    }

    private Taps taps() {
        measuring.clear();
        for (Text t : active) {
            if (t.measuring()) {
                measuring.want(t.plan());
            }
        }
        return measuring.taps(step.size(), projections.taps(step.size()));
    }

    /** Decides conditions on prompts. A text that computes positions again has no use for its logits yet. */
    private void measure() {
        for (Text t : active) {
            if (t.measuring()) {
                t.measure(measuring);
            }
        }
    }

    private void sample(Buffer out) {
        List<Text> texts = asked;
        Backend backend = model.backend();
        if (backend.canSample() && texts.stream().allMatch(Text::drawsFromLogitsAlone)) {
            drawThere(backend, texts, out);
            return;
        }
        for (int row = 0; row < texts.size(); row++) {
            if (!texts.get(row).idle()) {
                backend.read(out, row, 1, logits, 0);
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
            if (!texts.get(row).idle()) {
                texts.get(row).take(ids[row], sink);
            }
        }
    }
}
