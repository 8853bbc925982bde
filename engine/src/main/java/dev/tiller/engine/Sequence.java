package dev.tiller.engine;

import dev.tiller.kernels.KvPages;
import dev.tiller.loader.TillerException;
import java.util.Arrays;

/** The state of one text under way: how many positions are stored, its pages, its plan. Close it to free the pages. */
public final class Sequence implements AutoCloseable {
    private final KvCache cache;
    private final Treatment treatment;
    private int[] pages = new int[4];
    private int pageCount;
    private int length;
    private final int shortContext;
    private boolean isLong;

    Sequence(KvCache cache, Treatment treatment) {
        this(cache, treatment, 0);
    }

    /** @param shortContext as {@link ModelSpec#shortContext} */
    Sequence(KvCache cache, Treatment treatment, int shortContext) {
        this.cache = cache;
        this.treatment = treatment;
        this.shortContext = shortContext;
    }

    /**
     * Says how many positions the text has, if more than are stored: where long texts have other rotary angles than short
     * ones, all keys have to be made with the right ones. A text that has begun as a short one cannot become a long one.
     */
    public void expect(int positions) {
        if (outgrows(positions)) {
            if (length > 0) {
                throw new TillerException(
                        "the text grows beyond " + shortContext + " positions, where this model's rotary"
                                + " angles change for all of them: begin it anew, or say its length before");
            }
            isLong = true;
        }
    }

    /** True if with so many positions the keys stored so far are of no use. */
    boolean outgrows(int positions) {
        return shortContext > 0 && positions > shortContext && !isLong;
    }

    /** True if its rotary angles are those of long texts. */
    boolean isLong() {
        return isLong;
    }

    /** Positions stored so far. */
    public int length() {
        return length;
    }

    /** Tokens of the prompt: spans of the plan are measured from it. */
    public int promptLength() {
        return treatment.promptLength();
    }

    CompiledPlan plan() {
        return treatment.plan();
    }

    Treatment treatment() {
        return treatment;
    }

    int[] pageTable() {
        return pages;
    }

    /**
     * Begins with the pages of another sequence: the first {@code positions} positions, rounded down to whole pages.
     * They may still be on their way in an earlier row of the same or the next step.
     *
     * @return positions taken over
     */
    int shareFrom(Sequence donor, int positions) {
        return begin(donor.pages, Math.min(positions / KvPages.PAGE, donor.pageCount));
    }

    /** Begins with the first {@code count} of these pages, all of them full. Returns the positions taken over. */
    int begin(int[] full, int count) {
        if (length != 0) {
            throw new IllegalStateException("only an empty sequence can take over a prefix");
        }
        for (int i = 0; i < count; i++) {
            cache.share(full[i]);
            push(full[i]);
        }
        length = count * KvPages.PAGE;
        return length;
    }

    /**
     * Makes room for that many further positions and counts them as stored. Returns the first of them. If there is no
     * room, nothing is counted.
     */
    int append(int positions) {
        int first = length;
        while (pageCount * KvPages.PAGE < first + positions) {
            push(cache.allocate());
        }
        length += positions;
        return first;
    }

    /**
     * Forgets what is stored from that position on, or from the beginning of its page on if others hold the page too: they
     * keep it as it is.
     *
     * @return positions still stored
     */
    int truncate(int positions) {
        int from = Math.min(positions, length);
        int page = from / KvPages.PAGE;
        if (from % KvPages.PAGE != 0 && cache.references(pages[page]) > 1) {
            from = page * KvPages.PAGE;
        }
        while (pageCount > KvCache.pagesFor(from)) {
            cache.release(pages[--pageCount]);
        }
        length = from;
        return from;
    }

    /** Pages held. */
    int pageCount() {
        return pageCount;
    }

    private void push(int page) {
        if (pageCount == pages.length) {
            pages = Arrays.copyOf(pages, pageCount * 2);
        }
        pages[pageCount++] = page;
    }

    @Override
    public void close() {
        while (pageCount > 0) {
            cache.release(pages[--pageCount]);
        }
        length = 0;
        isLong = false;
    }
}
