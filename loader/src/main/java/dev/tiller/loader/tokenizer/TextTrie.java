package dev.tiller.loader.tokenizer;

import java.util.Arrays;

/** Texts by their beginnings: a tree over code points, each text with a number. Node 0 is the root. */
final class TextTrie {
    /** (node, code point) to node. */
    private final LongIntMap edges;

    /** The number of the text that ends at a node, or -1. */
    private int[] values;

    private int size = 1;

    TextTrie(int expected) {
        edges = new LongIntMap(expected);
        values = new int[Math.max(16, expected)];
        values[0] = -1;
    }

    /** Adds a text, not empty; for one that is there already the new number counts. */
    void add(String text, int value) {
        int node = 0;
        for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
            node = extend(node, text.codePointAt(i));
        }
        values[node] = value;
    }

    private int extend(int node, int codePoint) {
        int next = child(node, codePoint);
        if (next < 0) {
            next = size++;
            if (next == values.length) {
                values = Arrays.copyOf(values, next * 2);
            }
            values[next] = -1;
            edges.put(edge(node, codePoint), next);
        }
        return next;
    }

    /** The node that a character leads to, or -1. */
    int child(int node, int codePoint) {
        return edges.get(edge(node, codePoint));
    }

    int value(int node) {
        return values[node];
    }

    boolean isEmpty() {
        return size == 1;
    }

    /** The longest text at a place as {@code length << 32 | number}, or -1. */
    long longest(AlignedText text, int from) {
        long best = -1;
        int node = 0;
        for (int at = from; at < text.length() && size > 1; at++) {
            node = child(node, text.codePoint(at));
            if (node < 0) {
                break;
            }
            if (values[node] >= 0) {
                best = (long) (at + 1 - from) << 32 | values[node];
            }
        }
        return best;
    }

    private static long edge(int node, int codePoint) {
        return (long) node << 21 | codePoint;
    }
}
