package dev.tiller.engine;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.KvMemoryException;
import dev.tiller.kernels.KvPages;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.loader.TillerException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * Keys and values of many sequences in reference-counted pages of {@link KvPages#PAGE} positions, never more of them than
 * a limit. Sequences with a common prefix share its full pages. Pages of texts that have ended are kept for later texts
 * that begin alike, until the room is needed.
 */
public final class KvCache {
    private final KvPages pages;
    private final KeptPrefixes kept = new KeptPrefixes(this);
    private int[] references = new int[0];
    private final int most;

    /** Pages at a time; less than {@link #most} while the backend has shown that it has no room for more. */
    private int limit;

    /** @param limitBytes most bytes of keys and values; at least one page is allowed */
    KvCache(KvPages pages, long limitBytes) {
        this.pages = pages;
        this.most = Math.clamp(limitBytes / pages.pageBytes(), 1, Integer.MAX_VALUE);
        this.limit = most;
    }

    /** Pages and limit as the options ask for; what the backend cannot do is refused. */
    static KvCache of(Backend backend, ModelSpec spec, WeightFormat operand, LoadOptions options) {
        List<WeightFormat> possible = backend.kvFormats(operand);
        WeightFormat format = options.kv() == null ? possible.getFirst() : options.kv();
        if (!possible.contains(format)) {
            String names = possible.stream().map(KvCache::name).collect(Collectors.joining(", "));
            throw new TillerException("keys and values in " + name(format) + " (--kv): this backend keeps those of this"
                    + " model in " + names + "; " + backend.description());
        }
        if (options.kvMemory() < 0 || options.kvMemory() > backend.mostKvMemory()) {
            throw new TillerException("memory for keys and values (--kv-memory): expected at most "
                    + megabytes(backend.mostKvMemory()) + ", the size of the Java heap (raise it with -Xmx), found "
                    + megabytes(options.kvMemory()));
        }
        KvPages pages = backend.kvPages(
                spec.blocks(), spec.attention().kvHeads(), spec.attention().headDim(), format);
        return new KvCache(pages, options.kvMemory() == 0 ? backend.kvMemory() : options.kvMemory());
    }

    /** What a position, the whole context and all texts together take, in one line. */
    String describe(int context) {
        String most = limitBytes() == Long.MAX_VALUE ? "" : ", at most " + megabytes(limitBytes());
        return "keys and values " + bytesPerPosition() + " bytes per position (" + name(pages.format()) + "), "
                + megabytes(bytesPerPosition() * context) + " for the whole context of " + context + most;
    }

    private static String name(WeightFormat format) {
        return format.name().toLowerCase(Locale.ROOT);
    }

    KvPages pages() {
        return pages;
    }

    KeptPrefixes kept() {
        return kept;
    }

    /** Pages that hold so many positions. */
    static int pagesFor(int positions) {
        return Math.ceilDiv(positions, KvPages.PAGE);
    }

    int allocate() {
        while (pages.inUse() >= limit) {
            if (!kept.dropOldest()) {
                throw new KvMemoryException("no room for another page of keys and values: " + state());
            }
        }
        int page = allocateOrDrop();
        if (page >= references.length) {
            references = Arrays.copyOf(references, Math.max(page + 1, references.length * 2));
        }
        references[page] = 1;
        return page;
    }

    /** The backend may have less room than the limit says: then what is kept goes first. */
    private int allocateOrDrop() {
        while (true) {
            try {
                return pages.allocate();
            } catch (TillerException e) {
                if (!kept.dropOldest()) {
                    throw e;
                }
            }
        }
    }

    void share(int page) {
        references[page]++;
    }

    void release(int page) {
        if (--references[page] == 0) {
            pages.release(page);
        }
    }

    int references(int page) {
        return references[page];
    }

    /** Pages in use by texts, shared ones counted once; pages that are merely kept do not count. */
    public int pagesInUse() {
        return pages.inUse() - kept.pagesOfNobodyElse();
    }

    /** Bytes in use by texts. */
    public long bytesInUse() {
        return pagesInUse() * pages.pageBytes();
    }

    /** Bytes of keys and values of one position, over all blocks. */
    public long bytesPerPosition() {
        return pages.pageBytes() / KvPages.PAGE;
    }

    /** Most bytes that all texts together may take; {@link Long#MAX_VALUE} if only the backend sets a limit. */
    public long limitBytes() {
        return limit == Integer.MAX_VALUE ? Long.MAX_VALUE : limit * pages.pageBytes();
    }

    /** Most pages at a time. */
    int limit() {
        return limit;
    }

    /**
     * The backend has turned out to have no room for more pages than there are now. That holds until all texts have ended:
     * memory may be free again when others begin.
     */
    void limitToNow() {
        limit = Math.max(1, pages.inUse());
    }

    /** Pages that can still be had. */
    int free() {
        return limit - pagesInUse();
    }

    /** Refuses what could not be stored even if nothing else were. */
    void checkFits(String what, int positions) {
        checkFits(what, positions, SHORTER);
    }

    /** The same with an advice of its own, that is, how to need less. */
    void checkFits(String what, int positions, String shorter) {
        if (pagesInUse() == 0) {
            limit = most;
        }
        if (pagesFor(positions) > limit) {
            throw new KvMemoryException(
                    what + " needs " + needs(positions) + ", but " + limitText() + "; " + advice(shorter));
        }
    }

    /** Refuses what cannot be stored now. */
    void checkFree(String what, int positions) {
        checkFits(what, positions);
        if (pagesFor(positions) > free()) {
            throw new KvMemoryException(what + " needs " + needs(positions) + ", but " + state());
        }
    }

    private String needs(int positions) {
        return "keys and values of " + positions + " positions, " + megabytes(pagesFor(positions) * pages.pageBytes());
    }

    private String limitText() {
        return "at most " + megabytes(limitBytes()) + " are allowed (" + (long) limit * KvPages.PAGE + " positions)";
    }

    private String state() {
        return megabytes(bytesInUse()) + " are in use by other texts and " + limitText() + "; run fewer at a time, or: "
                + advice(SHORTER);
    }

    private static final String SHORTER = "take shorter texts or fewer new tokens";

    private String advice(String shorter) {
        return shorter + ", "
                + (pages.format().bytes() > 2 ? "keep keys and values as bf16 (--kv bf16), " : "")
                + "or allow more (--kv-memory, and -Xmx for the Java heap)";
    }

    static String megabytes(long bytes) {
        return bytes < 10_000_000
                ? String.format(Locale.ROOT, "%.2f MB", bytes / 1e6)
                : String.format(Locale.ROOT, "%.0f MB", bytes / 1e6);
    }
}
