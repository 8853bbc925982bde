package dev.tiller.loader.tokenizer;

import java.util.Arrays;

/**
 * A text in code points of which each knows the stretch of the original text it came from. Immutable; slices share the
 * arrays. Character positions in the methods are relative to the slice, origins are absolute.
 */
final class AlignedText {
    private final int[] codePoints;
    /** Origins, or null if every character is its own. */
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
        int units = text.length();
        int[] codePoints = new int[units];
        int size = 0;
        for (int i = 0; i < units; i++) {
            char c = text.charAt(i);
            if (!Character.isSurrogate(c)) {
                codePoints[size++] = c;
            } else if (Character.isHighSurrogate(c) && i + 1 < units && Character.isLowSurrogate(text.charAt(i + 1))) {
                codePoints[size++] = Character.toCodePoint(c, text.charAt(++i));
            } else {
                codePoints[size++] = CodePoints.REPLACEMENT;
            }
        }
        return new AlignedText(codePoints, null, null, 0, size);
    }

    /** A text of those code points, each its own origin; takes the array over. */
    static AlignedText of(int[] codePoints) {
        return new AlignedText(codePoints, null, null, 0, codePoints.length);
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
        return starts == null ? from + index : starts[from + index];
    }

    /** One past the last code point of the original text behind the character. */
    int end(int index) {
        return ends == null ? from + index + 1 : ends[from + index];
    }

    AlignedText slice(int begin, int end) {
        return new AlignedText(codePoints, starts, ends, from + begin, from + end);
    }

    /** A copy of the code points. */
    int[] codePoints() {
        return Arrays.copyOfRange(codePoints, from, to);
    }

    /** A hash of the code points. */
    int hash() {
        int hash = to - from;
        for (int i = from; i < to; i++) {
            hash = hash * 0x01000193 ^ codePoints[i];
        }
        return hash * 0x9E3779B9;
    }

    /** Whether these are the code points. */
    boolean isSame(int[] others) {
        if (others.length != to - from) {
            return false;
        }
        for (int i = 0; i < others.length; i++) {
            if (codePoints[from + i] != others[i]) {
                return false;
            }
        }
        return true;
    }

    /** Whether all code points are below a limit. */
    boolean isBelow(int limit) {
        for (int i = from; i < to; i++) {
            if (codePoints[i] >= limit) {
                return false;
            }
        }
        return true;
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
            if (text.starts == null) {
                for (int i = 0; i < count; i++) {
                    starts[size + i] = text.from + begin + i;
                    ends[size + i] = text.from + begin + i + 1;
                }
            } else {
                System.arraycopy(text.starts, text.from + begin, starts, size, count);
                System.arraycopy(text.ends, text.from + begin, ends, size, count);
            }
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
