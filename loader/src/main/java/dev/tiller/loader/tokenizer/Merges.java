package dev.tiller.loader.tokenizer;

import java.util.Arrays;

/** Which two neighbouring tokens become one, and in which order: the lowest rank first. */
final class Merges {
    private final LongIntMap pairs;
    private int[] ranks;
    private int[] merged;
    private int size;

    Merges(int expected) {
        pairs = new LongIntMap(expected);
        ranks = new int[Math.max(16, expected)];
        merged = new int[Math.max(16, expected)];
    }

    /** Adds a merge; for a pair that is there already the new one counts. */
    void add(int left, int right, int rank, int result) {
        if (size == ranks.length) {
            ranks = Arrays.copyOf(ranks, size * 2);
            merged = Arrays.copyOf(merged, size * 2);
        }
        ranks[size] = rank;
        merged[size] = result;
        pairs.put((long) left << 32 | right, size++);
    }

    /** The merge of two tokens, or -1. */
    int find(int left, int right) {
        return pairs.get((long) left << 32 | right);
    }

    int rank(int merge) {
        return ranks[merge];
    }

    /** The token that the merge makes. */
    int result(int merge) {
        return merged[merge];
    }
}
