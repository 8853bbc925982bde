package dev.tiller.engine;

import dev.tiller.kernels.Draws;
import dev.tiller.kernels.KvPages;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.tokenizer.StreamDecoder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** One request under way inside the generator. */
final class Text {
    private final int index;
    private final GenerationRequest request;
    private final Model model;
    private final Treatment treatment;
    private final Decision decision;
    private final boolean watched;
    private final int probes;
    private final Sampler sampler;
    private final StreamDecoder decoder;
    private final StringBuilder text = new StringBuilder();
    private final List<float[]> projections = new ArrayList<>();
    private final Sequence sequence;
    private int[] tokens;
    private int count;
    private int fed;
    private int firstRow;
    private int stepRows;
    private int lastRow;
    private boolean logitsAsked;
    private boolean lastPending;
    private boolean steppedBack;
    private FinishReason finish;

    Text(int index, GenerationRequest request, Model model, int probes, Sampler.Scratch scratch) {
        this.index = index;
        this.request = request;
        this.model = model;
        this.watched = probes > 0;
        this.probes = probes;
        int n = request.prompt().length;
        if (n == 0) {
            throw new TillerException("the prompt is empty: at least one token is needed");
        }
        if (n > model.spec().maxPositions()) {
            throw new TillerException("the prompt has " + n + " tokens, the model's context has "
                    + model.spec().maxPositions() + " positions");
        }
        if (request.maxTokens() < 0) {
            throw new TillerException("max tokens: expected 0 or more, found " + request.maxTokens());
        }
        for (int id : request.prompt()) {
            if (id < 0 || id >= model.spec().vocabulary()) {
                throw new TillerException("prompt: token id " + id + " is outside the model's vocabulary of "
                        + model.spec().vocabulary());
            }
        }
        this.treatment = Treatment.of(model.compile(request.plan()), n, request.chat(), model);
        this.decision = new Decision(treatment);
        this.sampler = new Sampler(request.sampling(), request.seed(), scratch);
        this.decoder = model.hasTokenizer() ? model.tokenizer().streamDecoder(true) : null;
        this.tokens = Arrays.copyOf(request.prompt(), n + 16);
        this.count = n;
        this.sequence = model.newSequence(treatment);
        sequence.expect(n);
        if (request.maxTokens() == 0) {
            finish = FinishReason.LENGTH;
        }
    }

    /** Its place in the list of requests. */
    int index() {
        return index;
    }

    Sequence sequence() {
        return sequence;
    }

    /** True once nothing is left to compute or deliver. */
    boolean done() {
        return finish != null && !lastPending;
    }

    /** Adds the next rows: a prompt chunk within the budget, or the token just drawn. Returns the rows added. */
    int addRows(Step step, int budget) {
        logitsAsked = false;
        steppedBack = false;
        stepRows = 0;
        if (!done() && sequence.outgrows(count)) {
            fed = sequence.truncate(0); // all of its keys change
            sequence.expect(count);
        }
        int n = Math.min(count - fed, budget);
        if (n <= 0 || done()) {
            return 0;
        }
        boolean complete = fed + n == count;
        logitsAsked = complete && finish == null;
        firstRow = step.add(sequence, tokens, fed, fed + n, logitsAsked ? Step.Logits.LAST : Step.Logits.NONE);
        lastRow = firstRow + n - 1;
        stepRows = n;
        fed += n;
        return n;
    }

    boolean wantsLogits() {
        return logitsAsked;
    }

    /** True if the logits it asked for are of no use: it is done, or computes its prompt again with other edits. */
    boolean idle() {
        return steppedBack || done();
    }

    /** True if rows of it in this step are to be measured. */
    boolean measuring() {
        return stepRows > 0 && !treatment.decided();
    }

    CompiledPlan plan() {
        return treatment.plan();
    }

    /**
     * Measures the rows of the step that just ran. With the last of the prompt the conditions are decided; if one holds,
     * the positions that it has edits for are given back, to be computed again with them.
     */
    void measure(Measuring measuring) {
        decision.measure(measuring, firstRow, fed - stepRows, stepRows);
        if (!treatment.decided()) {
            return;
        }
        int first = treatment.firstConditional(fed);
        if (first < fed) {
            fed = sequence.truncate(first);
            steppedBack = true;
        }
    }

    /** True if the last row of this step is a generated token whose projections are due. */
    boolean fedOwnToken() {
        return fed == count && count > request.prompt().length && !done() && projections.size() < generated();
    }

    int lastRow() {
        return lastRow;
    }

    private int generated() {
        return count - request.prompt().length;
    }

    /** Positions of this text that another one could take over, whole pages, its last prompt token excluded. */
    int sharable(Text other) {
        boolean alike = sequence.isLong() == other.sequence.isLong();
        int limit = alike ? Math.min(request.prompt().length, other.most()) : 0;
        int same = 0;
        while (same < limit && tokens[same] == other.tokens[same] && treatment.actsLike(other.treatment, same)) {
            same++;
        }
        return same / KvPages.PAGE * KvPages.PAGE;
    }

    void shareFrom(Text donor, int positions) {
        fed = sequence.shareFrom(donor.sequence, positions);
    }

    /** Positions that it could take over at most: not its last one, and none while it measures every one. */
    private int most() {
        return decision.needsAll() ? 0 : count - 1;
    }

    /** Positions that are kept of an earlier text. */
    int kept() {
        return model.cache().kept().longest(sequence, tokens, most());
    }

    void shareKept() {
        fed = model.cache().kept().share(sequence, tokens, most());
    }

    /** Positions that this text takes up at most; the last token has none, unless it is watched. */
    int mostPositions() {
        long all = (long) request.prompt().length + request.maxTokens() - (watched ? 0 : 1);
        return (int)
                Math.min(Math.max(all, request.prompt().length), model.spec().maxPositions());
    }

    /** Pages that it may still come to need. */
    int pagesToCome() {
        return done() ? 0 : KvCache.pagesFor(mostPositions()) - sequence.pageCount();
    }

    /** Rows that it has not run yet. */
    int pending() {
        return done() ? 0 : count - fed;
    }

    /** Gives its pages back. What it has said stays said; its tokens will be computed again when there is room. */
    void restart() {
        sequence.close();
        sequence.expect(count);
        fed = 0;
        logitsAsked = false;
        decision.restart();
    }

    void sample(float[] logits, TokenSink sink) {
        take(sampler.next(logits, logits.length, tokens, count), sink);
    }

    /** True if the next token depends on nothing but the logits and the seed. */
    boolean drawsFromLogitsAlone() {
        return sampler.drawsFromLogitsAlone();
    }

    /** Says how the next token is to be drawn. A text that is idle draws like any other, but takes no random number. */
    void fillDraw(Draws draws, int row) {
        sampler.fillDraw(draws, row, idle());
    }

    /** Takes the token drawn; -1 if the logits were not finite. */
    void take(int id, TokenSink sink) {
        if (id < 0) {
            throw Sampler.notFinite("NaN or infinite");
        }
        if (!request.ignoreEnd() && model.isEnd(id)) {
            finish = FinishReason.STOP;
            flush(sink);
            return;
        }
        if (count == tokens.length) {
            tokens = Arrays.copyOf(tokens, count * 2);
        }
        tokens[count++] = id;
        treatment.append(id);
        boolean room = sequence.length() < model.spec().maxPositions();
        if (generated() >= request.maxTokens()) {
            finish = FinishReason.LENGTH;
        } else if (!room) {
            finish = FinishReason.CONTEXT;
        }
        // A watched token is handed out after its own row has run; the last one needs one more row for that.
        lastPending = watched && finish != null && room;
        if (!watched) {
            emit(sink, id, null);
        } else if (finish != null && !room) {
            deliver(sink, notANumber()); // there is no position left to run it
        }
    }

    private float[] notANumber() {
        float[] out = new float[probes];
        Arrays.fill(out, Float.NaN);
        return out;
    }

    /** Hands out the token whose row just ran, with its projections. */
    void deliver(TokenSink sink, float[] values) {
        projections.add(values);
        lastPending = false;
        emit(sink, tokens[count - 1], values);
    }

    private void emit(TokenSink sink, int id, float[] values) {
        String piece = decoder == null ? "" : decoder.append(id);
        text.append(piece);
        boolean goOn = sink.token(index, id, piece, values);
        if (!goOn && finish == null) {
            finish = FinishReason.CANCELLED;
        }
        if (finish != null) {
            flush(sink);
        }
    }

    private void flush(TokenSink sink) {
        String rest = decoder == null ? "" : decoder.finish();
        if (!rest.isEmpty()) {
            text.append(rest);
            if (finish != FinishReason.CANCELLED) {
                sink.token(index, -1, rest, null);
            }
        }
    }

    Generation result() {
        int n = request.prompt().length;
        return new Generation(
                Arrays.copyOfRange(tokens, n, count),
                text.toString(),
                finish,
                n,
                watched ? projections.toArray(float[][]::new) : null,
                request.plan(),
                AppliedPlan.of(treatment.plan(), treatment, fed, decision.measured()));
    }

    /** Gives its pages back; some are kept for texts that begin alike. */
    void end() {
        model.cache().kept().keep(sequence, tokens);
        close();
    }

    void close() {
        sequence.close();
    }
}
