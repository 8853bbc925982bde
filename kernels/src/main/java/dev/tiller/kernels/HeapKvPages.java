package dev.tiller.kernels;

import dev.tiller.loader.TillerException;
import java.util.Arrays;
import java.util.BitSet;

/**
 * Pages of keys and values in Java arrays, a few pages in each. A page is made of words of 32 bits, each a float32 or two
 * neighbouring 16-bit floats, the first of them in the low half. The words of one page, block and key/value head lie
 * together: {@link #keys} and {@link #values} say where they begin; how they are ordered from there is the affair of the
 * backend. The next page of the same array has its words right behind them, so that a context whose pages follow one
 * another is read in long runs. Behind the last word there is room to read two whole vectors.
 */
public final class HeapKvPages implements KvPages {
    private static final int SLACK = 32;
    private static final int MOST_PAGES = 8;
    private static final int MOST_WORDS = 1 << 24;

    /** The least magnitude that rounds to infinity in 16-bit floats. */
    private static final float F16_BEYOND = 65520;

    private final Backend owner;
    private final int blocks;
    private final int kvHeads;
    private final int headDim;
    private final WeightFormat format;
    private final int words;
    private final int pageWords;
    private final BitSet used = new BitSet();
    /** Pages of one array. */
    private final int together;

    private int[][] arrays = new int[8][];

    HeapKvPages(Backend owner, int blocks, int kvHeads, int headDim, WeightFormat format) {
        long perHead = format == WeightFormat.F32 ? headDim : (headDim + 1L) / 2;
        long all = 2L * PAGE * blocks * kvHeads * perHead;
        if (blocks < 1 || kvHeads < 1 || headDim < 1 || all > Integer.MAX_VALUE - 8 - SLACK) {
            throw new IllegalArgumentException("expected blocks, heads and width of at least 1 and a page that fits"
                    + " an array, found " + blocks + ", " + kvHeads + ", " + headDim);
        }
        this.owner = owner;
        this.blocks = blocks;
        this.kvHeads = kvHeads;
        this.headDim = headDim;
        this.format = format;
        this.words = (int) perHead;
        this.pageWords = (int) all;
        this.together = Math.clamp(Integer.highestOneBit((int) Math.max(1, MOST_WORDS / all)), 1, MOST_PAGES);
    }

    @Override
    public int allocate() {
        int page = used.nextClearBit(0);
        int array = page / together;
        if (array == arrays.length) {
            arrays = Arrays.copyOf(arrays, 2 * array);
        }
        if (arrays[array] == null) {
            try {
                arrays[array] = new int[together * pageWords + SLACK];
            } catch (OutOfMemoryError e) {
                throw new KvMemoryException(
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
        return (long) pageWords * Integer.BYTES;
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

    @Override
    public WeightFormat format() {
        return format;
    }

    /** Words of one key or value of one head: k for float32, half of it (rounded up) for 16-bit floats. */
    public int words() {
        return words;
    }

    /** The array that holds the words of a page. */
    public int[] page(int page) {
        return arrays[page / together];
    }

    /** Index in its array at which the PAGE * {@link #words} words of the keys of that page, block and head begin. */
    public int keys(int page, int block, int head) {
        return ((block * kvHeads + head) * 2 * together + page % together) * PAGE * words;
    }

    /** Index at which the words of the values begin. */
    public int values(int page, int block, int head) {
        return keys(page, block, head) + together * PAGE * words;
    }

    /** Word {@code i} of a key or value that begins at x[from], every number rounded to the nearest, on ties to even. */
    public int word(float[] x, int from, int i) {
        if (format == WeightFormat.F32) {
            return Float.floatToRawIntBits(x[from + i]);
        }
        float low = x[from + 2 * i];
        float high = 2 * i + 1 < headDim ? x[from + 2 * i + 1] : 0;
        return half(low) & 0xffff | half(high) << 16;
    }

    private short half(float value) {
        return format == WeightFormat.BF16 ? WeightRows.toBf16(value) : Float.floatToFloat16(value);
    }

    /** Number {@code i} of a key or value whose words begin at {@code at} and follow one another. */
    public float number(int[] page, int at, int i) {
        if (format == WeightFormat.F32) {
            return Float.intBitsToFloat(page[at + i]);
        }
        int word = page[at + i / 2];
        short bits = (short) (i % 2 == 0 ? word : word >>> 16);
        return format == WeightFormat.BF16 ? Float.intBitsToFloat(bits << 16) : Float.float16ToFloat(bits);
    }

    /** Refuses keys or values [g*k] from x[from] on that are beyond the range of the format. */
    public void checkRange(String what, float[] x, int from, int block, int position) {
        if (format != WeightFormat.F16) {
            return;
        }
        float largest = 0;
        for (int i = from; i < from + kvHeads * headDim; i++) {
            largest = Math.max(largest, Math.abs(x[i]));
        }
        if (!(largest < F16_BEYOND)) {
            throw new TillerException("block " + block + ", position " + position + ": expected " + what
                    + " that 16-bit floats hold (up to 65504), found " + largest
                    + "; keep keys and values as bf16 or f32");
        }
    }
}
