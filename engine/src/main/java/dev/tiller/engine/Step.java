package dev.tiller.engine;

import dev.tiller.kernels.Rows;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The rows of one forward pass: prefill chunks and single decode rows of several sequences together. Reusable: clear,
 * add, run.
 */
public final class Step {
    private final int vocabulary;
    private final int maxPositions;
    private int[] ids = new int[64];
    private int[] position = new int[64];
    private int[] sequenceOf = new int[64];
    private int[] angle = new int[64];
    private int[] outputs = new int[16];
    private int count;
    private int outputCount;
    private final List<Sequence> sequences = new ArrayList<>();
    private Rows rows;
    private final int shortContext;

    Step(int vocabulary, int maxPositions) {
        this(vocabulary, maxPositions, 0);
    }

    /** @param shortContext as {@link ModelSpec#shortContext} */
    Step(int vocabulary, int maxPositions, int shortContext) {
        this.vocabulary = vocabulary;
        this.maxPositions = maxPositions;
        this.shortContext = shortContext;
    }

    /** Forgets all rows. */
    public void clear() {
        count = 0;
        outputCount = 0;
        sequences.clear();
        rows = null;
    }

    /** Which rows of an added chunk get logits. */
    public enum Logits {
        NONE,
        LAST,
        ALL
    }

    /**
     * Adds tokens from..to-1 of {@code tokens} as the next rows of a sequence.
     *
     * @return index of the first row added
     */
    public int add(Sequence sequence, int[] tokens, int from, int to, Logits logits) {
        int n = to - from;
        if (n <= 0 || sequences.contains(sequence)) {
            throw new IllegalArgumentException("expected one non-empty chunk per sequence");
        }
        for (int i = from; i < to; i++) {
            check(tokens[i], vocabulary);
        }
        if (sequence.length() + n > maxPositions) {
            throw new TillerException("the text needs " + (sequence.length() + n)
                    + " positions, the model's context has " + maxPositions);
        }
        sequence.expect(sequence.length() + n);
        grow(n);
        int firstRow = count;
        int firstAngle = sequence.isLong() ? shortContext : 0;
        int p = sequence.append(n);
        for (int i = 0; i < n; i++) {
            ids[count] = tokens[from + i];
            position[count] = p + i;
            angle[count] = firstAngle + p + i;
            sequenceOf[count] = sequences.size();
            count++;
            if (logits == Logits.ALL || logits == Logits.LAST && i == n - 1) {
                if (outputCount == outputs.length) {
                    outputs = Arrays.copyOf(outputs, outputCount * 2);
                }
                outputs[outputCount++] = count - 1;
            }
        }
        sequences.add(sequence);
        rows = null;
        return firstRow;
    }

    /** Refuses a token that the model does not have. */
    static void check(int id, int vocabulary) {
        if (id < 0 || id >= vocabulary) {
            throw new TillerException("token id " + id + " is outside the model's vocabulary of " + vocabulary);
        }
    }

    private void grow(int n) {
        if (count + n > ids.length) {
            int size = Math.max(count + n, ids.length * 2);
            ids = Arrays.copyOf(ids, size);
            position = Arrays.copyOf(position, size);
            sequenceOf = Arrays.copyOf(sequenceOf, size);
            angle = Arrays.copyOf(angle, size);
        }
    }

    /** Rows T so far. */
    public int size() {
        return count;
    }

    /** Rows that get logits. */
    public int outputs() {
        return outputCount;
    }

    int[] outputRows() {
        return outputs;
    }

    int[] ids() {
        return ids;
    }

    List<Sequence> sequences() {
        return sequences;
    }

    Sequence sequence(int row) {
        return sequences.get(sequenceOf[row]);
    }

    Rows rows() {
        if (rows == null) {
            int[][] pages = new int[sequences.size()][];
            for (int i = 0; i < pages.length; i++) {
                pages[i] = sequences.get(i).pageTable();
            }
            rows = new Rows(count, position, sequenceOf, pages, shortContext == 0 ? null : angle);
        }
        return rows;
    }
}
