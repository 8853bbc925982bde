package dev.tiller.loader.tokenizer;

import java.util.Arrays;

/**
 * A text in code points of which each knows the stretch of the original text it came from. Immutable; slices share the
 * arrays. Character positions in the methods are relative to the slice, origins are absolute.
 */
final class AlignedText {
    private final int[] codePoints;
    private final int[] starts;
    private final int[] ends;
    private final int from;
    private final int to;

    private AlignedText(int[] codePoints, int[] starts, int[] ends, int from, int to) {
        this.codePoints = codePoints;
        this.starts = starts;
        this.ends = ends;
        this.from = from;
        this.to = to;
    }

    /** The original text itself. Lone surrogates, which no encoding can carry, become U+FFFD. */
    static AlignedText of(String text) {
        int[] codePoints = text.codePoints()
                .map(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE ? CodePoints.REPLACEMENT : c)
                .toArray();
        int[] starts = new int[codePoints.length];
        int[] ends = new int[codePoints.length];
        for (int i = 0; i < codePoints.length; i++) {
            starts[i] = i;
            ends[i] = i + 1;
        }
        return new AlignedText(codePoints, starts, ends, 0, codePoints.length);
    }

    int length() {
        return to - from;
    }

    boolean isEmpty() {
        return to == from;
    }

    int codePoint(int index) {
        return codePoints[from + index];
    }

    /** First code point of the original text behind the character. */
    int start(int index) {
        return starts[from + index];
    }

    /** One past the last code point of the original text behind the character. */
    int end(int index) {
        return ends[from + index];
    }

    AlignedText slice(int begin, int end) {
        return new AlignedText(codePoints, starts, ends, from + begin, from + end);
    }

    String text() {
        return new String(codePoints, from, length());
    }

    String text(int begin, int end) {
        return new String(codePoints, from + begin, end - begin);
    }

    /** This text with a prefix that counts as part of the first character; an empty text stays empty. */
    AlignedText prepend(String prefix) {
        if (isEmpty()) {
            return this;
        }
        Builder out = new Builder(length() + prefix.length());
        prefix.codePoints().forEach(c -> out.add(c, start(0), end(0)));
        return out.add(this, 0, length()).build();
    }

    /** Collects a new text. */
    static final class Builder {
        private int[] codePoints;
        private int[] starts;
        private int[] ends;
        private int size;

        Builder(int expected) {
            codePoints = new int[expected];
            starts = new int[expected];
            ends = new int[expected];
        }

        int size() {
            return size;
        }

        void add(int codePoint, int start, int end) {
            ensure(1);
            codePoints[size] = codePoint;
            starts[size] = start;
            ends[size++] = end;
        }

        /** Copies the characters [begin, end) of another text. */
        Builder add(AlignedText text, int begin, int end) {
            int count = end - begin;
            ensure(count);
            System.arraycopy(text.codePoints, text.from + begin, codePoints, size, count);
            System.arraycopy(text.starts, text.from + begin, starts, size, count);
            System.arraycopy(text.ends, text.from + begin, ends, size, count);
            size += count;
            return this;
        }

        AlignedText build() {
            return new AlignedText(codePoints, starts, ends, 0, size);
        }

        private void ensure(int more) {
            if (size + more > codePoints.length) {
                int capacity = Math.max(size + more, codePoints.length + (codePoints.length >> 1) + 4);
                codePoints = Arrays.copyOf(codePoints, capacity);
                starts = Arrays.copyOf(starts, capacity);
                ends = Arrays.copyOf(ends, capacity);
            }
        }
    }
}
