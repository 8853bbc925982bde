package dev.tiller.loader.tokenizer;

import java.util.Arrays;

/** Tokens of a text as they are found: ids, spelling and origins. */
final class TokenList {
    private int[] ids;
    private int[] starts;
    private int[] ends;
    private String[] texts;
    private int size;
    private long work;

    TokenList() {
        this(32);
    }

    TokenList(int expected) {
        ids = new int[expected];
        starts = new int[expected];
        ends = new int[expected];
        texts = new String[expected];
    }

    void add(int id, String text, int start, int end) {
        if (size == ids.length) {
            ids = Arrays.copyOf(ids, size * 2);
            starts = Arrays.copyOf(starts, size * 2);
            ends = Arrays.copyOf(ends, size * 2);
            texts = Arrays.copyOf(texts, size * 2);
        }
        ids[size] = id;
        starts[size] = start;
        ends[size] = end;
        texts[size++] = text;
    }

    /** Adds tokens whose origins are characters of a piece. */
    void addMoved(TokenList other, AlignedText piece) {
        for (int i = 0; i < other.size; i++) {
            add(other.ids[i], other.texts[i], piece.start(other.starts[i]), piece.end(other.ends[i] - 1));
        }
    }

    void addAll(TokenList other) {
        for (int i = 0; i < other.size; i++) {
            add(other.ids[i], other.texts[i], other.starts[i], other.ends[i]);
        }
    }

    /** Notes how many steps a model took, for tests of its growth with the length of a text. */
    void countWork(long steps) {
        work += steps;
    }

    long work() {
        return work;
    }

    int size() {
        return size;
    }

    int start(int index) {
        return starts[index];
    }

    int end(int index) {
        return ends[index];
    }

    String text(int index) {
        return texts[index];
    }

    void setOrigin(int index, int start, int end) {
        starts[index] = start;
        ends[index] = end;
    }

    Encoding toEncoding() {
        return new Encoding(Arrays.copyOf(ids, size), Arrays.copyOf(starts, size), Arrays.copyOf(ends, size));
    }
}
