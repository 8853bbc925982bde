package dev.tiller.kernels;

/**
 * Storage of keys and values for all blocks of a model, in pages of {@link #PAGE} positions. A page holds those
 * positions for every block. Sequences own lists of page numbers; a page may be shared by many sequences (same prefix).
 * Reference counts are the caller's business.
 */
public interface KvPages {
    /** Positions of one page. */
    int PAGE = 16;

    /** A free page number (its content is undefined). Grows the storage; fails with a clear message out of memory. */
    int allocate();

    /** Gives a page back. */
    void release(int page);

    /** Pages handed out and not given back. */
    int inUse();

    /** Bytes of one page, over all blocks. */
    long pageBytes();

    /** The backend that made it. */
    Backend owner();

    /** Number of blocks L. */
    int blocks();

    /** Key/value heads g. */
    int kvHeads();

    /** Head width k. */
    int headDim();

    /** Type in which they are stored: F32, BF16 or F16. */
    WeightFormat format();

    /** True if that page was handed out and not given back. */
    boolean isAllocated(int page);
}
