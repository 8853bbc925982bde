package dev.tiller.engine;

import dev.tiller.kernels.KvPages;
import java.util.Arrays;

/**
 * Keys and values of many sequences in reference-counted pages of {@link KvPages#PAGE} positions. Sequences with a
 * common prefix share its full pages.
 */
public final class KvCache {
    private final KvPages pages;
    private int[] references = new int[0];

    KvCache(KvPages pages) {
        this.pages = pages;
    }

    KvPages pages() {
        return pages;
    }

    int allocate() {
        int page = pages.allocate();
        if (page >= references.length) {
            references = Arrays.copyOf(references, Math.max(page + 1, references.length * 2));
        }
        references[page] = 1;
        return page;
    }

    void share(int page) {
        references[page]++;
    }

    void release(int page) {
        if (--references[page] == 0) {
            pages.release(page);
        }
    }

    /** Pages in use, shared ones counted once. */
    public int pagesInUse() {
        return pages.inUse();
    }

    /** Bytes in use. */
    public long bytesInUse() {
        return pages.inUse() * pages.pageBytes();
    }
}
