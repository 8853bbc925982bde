package dev.tiller.engine;

import dev.tiller.kernels.KvPages;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The beginnings of texts that ended last, with their pages: the next turn of a conversation, or the next answer to the
 * same question, need not compute them again. They take at most a quarter of the room and none that a text needs.
 */
final class KeptPrefixes {
    private static final int MOST_TEXTS = 8;
    private static final int LEAST_SHARE = 4;

    /**
     * Tokens of an ended text as far as they are stored in full pages.
     *
     * @param isLong its rotary angles were those of long texts
     */
    record Kept(int[] tokens, Treatment treatment, boolean isLong, int[] pages) {}

    private final KvCache cache;
    /** The oldest first. */
    private final List<Kept> texts = new ArrayList<>();

    KeptPrefixes(KvCache cache) {
        this.cache = cache;
    }

    /** Keeps what a text has stored. The sequence keeps its own hold on the pages. */
    void keep(Sequence sequence, int[] tokens) {
        int most = Math.min(sequence.length() / KvPages.PAGE, cache.limit() / LEAST_SHARE);
        if (most == 0) {
            return;
        }
        int[] pages = Arrays.copyOf(sequence.pageTable(), most);
        int[] stored = Arrays.copyOf(tokens, most * KvPages.PAGE);
        for (int page : pages) {
            cache.share(page);
        }
        Kept text = new Kept(stored, sequence.treatment(), sequence.isLong(), pages);
        texts.removeIf(t -> isBeginning(t, text) && drop(t));
        texts.add(text);
        while (texts.size() > MOST_TEXTS || distinctPages() > cache.limit() / LEAST_SHARE) {
            dropOldest();
        }
    }

    private static boolean isBeginning(Kept a, Kept b) {
        return a.tokens.length <= b.tokens.length
                && common(a, b.tokens, b.tokens.length, b.treatment, b.isLong) == a.tokens.length;
    }

    private boolean drop(Kept text) {
        for (int page : text.pages) {
            cache.release(page);
        }
        return true;
    }

    /** False if nothing was kept. */
    boolean dropOldest() {
        return !texts.isEmpty() && drop(texts.removeFirst());
    }

    void clear() {
        while (dropOldest()) {}
    }

    /** Positions of a kept text that a new text of so many tokens under its own treatment would compute again. */
    private static int common(Kept kept, int[] tokens, int count, Treatment treatment, boolean isLong) {
        int limit = kept.isLong == isLong ? Math.min(kept.tokens.length, count) : 0;
        int same = 0;
        while (same < limit && kept.tokens[same] == tokens[same] && treatment.actsLike(kept.treatment, same)) {
            same++;
        }
        return same;
    }

    /** Gives an empty sequence the longest beginning that is kept of its tokens. Returns the positions taken over. */
    int share(Sequence sequence, int[] tokens, int count) {
        Kept best = null;
        int pages = 0;
        for (Kept t : texts) {
            int n = common(t, tokens, count, sequence.treatment(), sequence.isLong()) / KvPages.PAGE;
            if (n > pages) {
                best = t;
                pages = n;
            }
        }
        if (best == null) {
            return 0;
        }
        texts.remove(best);
        texts.add(best);
        return sequence.begin(best.pages, pages);
    }

    /** Positions that {@link #share} would take over. */
    int longest(Sequence sequence, int[] tokens, int count) {
        int best = 0;
        for (Kept t : texts) {
            best = Math.max(
                    best,
                    common(t, tokens, count, sequence.treatment(), sequence.isLong()) / KvPages.PAGE * KvPages.PAGE);
        }
        return best;
    }

    private int distinctPages() {
        BitSet all = new BitSet();
        texts.forEach(t -> Arrays.stream(t.pages).forEach(all::set));
        return all.cardinality();
    }

    /** Pages that only kept texts hold. */
    int pagesOfNobodyElse() {
        Map<Integer, Integer> holders = new HashMap<>();
        texts.forEach(t -> Arrays.stream(t.pages).forEach(page -> holders.merge(page, 1, Integer::sum)));
        return (int) holders.entrySet().stream()
                .filter(e -> cache.references(e.getKey()) == e.getValue())
                .count();
    }
}
