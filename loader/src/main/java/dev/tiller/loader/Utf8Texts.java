package dev.tiller.loader;

import java.nio.charset.StandardCharsets;
import java.util.AbstractList;
import java.util.Collection;
import java.util.RandomAccess;

/**
 * Texts as UTF-8 in one array. A string is made each time one is asked for: of the 100,000 texts of a tokenizer few ever
 * are, and making all takes longer than the rest of a start.
 */
public final class Utf8Texts extends AbstractList<String> implements RandomAccess {
    private final byte[] bytes;
    private final int[] starts;
    private final int[] ends;

    /** @param bytes of which those of text i, known to be UTF-8, lie in [starts[i], ends[i]); the arrays are not copied */
    public Utf8Texts(byte[] bytes, int[] starts, int[] ends) {
        this.bytes = bytes;
        this.starts = starts;
        this.ends = ends;
    }

    /** The same texts, each encoded unless they are already. */
    public static Utf8Texts of(Collection<String> texts) {
        if (texts instanceof Utf8Texts encoded) {
            return encoded;
        }
        byte[][] all =
                texts.stream().map(t -> t.getBytes(StandardCharsets.UTF_8)).toArray(byte[][]::new);
        int[] starts = new int[all.length];
        int[] ends = new int[all.length];
        int at = 0;
        for (int i = 0; i < all.length; i++) {
            starts[i] = at;
            at = Math.addExact(at, all[i].length);
            ends[i] = at;
        }
        byte[] bytes = new byte[at];
        for (int i = 0; i < all.length; i++) {
            System.arraycopy(all[i], 0, bytes, starts[i], all[i].length);
        }
        return new Utf8Texts(bytes, starts, ends);
    }

    @Override
    public String get(int index) {
        return new String(bytes, starts[index], ends[index] - starts[index], StandardCharsets.UTF_8);
    }

    @Override
    public int size() {
        return starts.length;
    }

    /** The bytes of all texts, not a copy. */
    public byte[] bytes() {
        return bytes;
    }

    /** Where a text begins in {@link #bytes}. */
    public int start(int index) {
        return starts[index];
    }

    /** Where a text ends in {@link #bytes}. */
    public int end(int index) {
        return ends[index];
    }
}
