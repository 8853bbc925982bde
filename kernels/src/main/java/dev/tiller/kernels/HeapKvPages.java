package dev.tiller.kernels;

import dev.tiller.loader.TillerException;
import java.util.Arrays;
import java.util.BitSet;

/**
 * Pages of keys and values in Java arrays, one array for each page. Within a page the numbers of one block and one
 * key/value head lie together: {@link #keys} and {@link #values} say where they begin; how they are ordered from there
 * is the affair of the backend.
 */
public final class HeapKvPages implements KvPages {
    private final Backend owner;
    private final int blocks;
    private final int kvHeads;
    private final int headDim;
    private final int pageFloats;
    private final BitSet used = new BitSet();
    private float[][] pages = new float[8][];

    HeapKvPages(Backend owner, int blocks, int kvHeads, int headDim) {
        long floats = 2L * PAGE * blocks * kvHeads * headDim;
        if (blocks < 1 || kvHeads < 1 || headDim < 1 || floats > Integer.MAX_VALUE - 8) {
            throw new IllegalArgumentException("expected blocks, heads and width of at least 1 and a page that fits"
                    + " an array, found " + blocks + ", " + kvHeads + ", " + headDim);
        }
        this.owner = owner;
        this.blocks = blocks;
        this.kvHeads = kvHeads;
        this.headDim = headDim;
        this.pageFloats = (int) floats;
    }

    @Override
    public int allocate() {
        int page = used.nextClearBit(0);
        if (page == pages.length) {
            pages = Arrays.copyOf(pages, 2 * page);
        }
        if (pages[page] == null) {
            try {
                pages[page] = new float[pageFloats];
            } catch (OutOfMemoryError e) {
                throw new TillerException(
                        "no memory for another page of keys and values: " + used.cardinality() + " pages of "
                                + pageBytes() + " bytes are in use, the Java heap is limited to "
                                + Runtime.getRuntime().maxMemory() + " bytes (raise it with -Xmx)",
                        e);
            }
        }
        used.set(page);
        return page;
    }

    @Override
    public void release(int page) {
        if (!isAllocated(page)) {
            throw new IllegalArgumentException("expected a page that is in use, found " + page);
        }
        used.clear(page);
    }

    @Override
    public int inUse() {
        return used.cardinality();
    }

    @Override
    public long pageBytes() {
        return (long) pageFloats * Float.BYTES;
    }

    @Override
    public boolean isAllocated(int page) {
        return page >= 0 && used.get(page);
    }

    @Override
    public Backend owner() {
        return owner;
    }

    @Override
    public int blocks() {
        return blocks;
    }

    @Override
    public int kvHeads() {
        return kvHeads;
    }

    @Override
    public int headDim() {
        return headDim;
    }

    /** The numbers of a page. */
    public float[] page(int page) {
        return pages[page];
    }

    /** Index in a page at which the PAGE * k keys of that block and head begin. */
    public int keys(int block, int head) {
        return (block * kvHeads + head) * 2 * PAGE * headDim;
    }

    /** Index in a page at which the PAGE * k values of that block and head begin. */
    public int values(int block, int head) {
        return keys(block, head) + PAGE * headDim;
    }
}
