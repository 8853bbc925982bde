package dev.tiller.loader.tokenizer;

import dev.tiller.loader.Utf8Texts;

/** Finds texts by their bytes: a hash table without an object for each, open addressing, at most half full. */
final class TextIndex {
    private final Utf8Texts texts;
    private final byte[] bytes;
    private final int[] hashes;
    /** Index of a text plus one, or 0. */
    private final int[] slots;

    /** Holds none of the texts yet. */
    TextIndex(Utf8Texts texts) {
        this.texts = texts;
        this.bytes = texts.bytes();
        this.hashes = new int[texts.size()];
        this.slots = new int[Math.max(16, Integer.highestOneBit(Math.max(1, texts.size())) * 4)];
    }

    /** The texts that can be found. */
    Utf8Texts texts() {
        return texts;
    }

    /** Adds a text. Returns the one that is equal to it and there already, or -1. */
    int add(int text) {
        int from = texts.start(text);
        int to = texts.end(text);
        int hash = hash(0, bytes, from, to);
        int slot = slot(bytes, from, to, to, hash);
        if (slots[slot] != 0) {
            return slots[slot] - 1;
        }
        hashes[text] = hash;
        slots[slot] = text + 1;
        return -1;
    }

    /** The text of those bytes, or -1. */
    int find(byte[] from, int begin, int end) {
        return find(from, begin, end, end, hash(0, from, begin, end));
    }

    /**
     * The text of the bytes in [begin, end) of an array without the one at {@code gap}, or -1.
     *
     * @param hash of those bytes
     */
    int find(byte[] from, int begin, int gap, int end, int hash) {
        return slots[slot(from, begin, gap, end, hash)] - 1;
    }

    /** Goes on with the hash of what comes before, 0 for nothing. */
    static int hash(int before, byte[] from, int begin, int end) {
        int hash = before;
        for (int i = begin; i < end; i++) {
            hash = 31 * hash + from[i];
        }
        return hash;
    }

    /** Where the text is, or would be. */
    private int slot(byte[] from, int begin, int gap, int end, int hash) {
        int mask = slots.length - 1;
        int i = (hash * 0x9E3779B9 ^ hash >>> 15) & mask;
        while (slots[i] != 0 && !(hashes[slots[i] - 1] == hash && same(slots[i] - 1, from, begin, gap, end))) {
            i = (i + 1) & mask;
        }
        return i;
    }

    private boolean same(int text, byte[] from, int begin, int gap, int end) {
        int at = texts.start(text);
        if (texts.end(text) - at != end - begin - (gap < end ? 1 : 0)) {
            return false;
        }
        for (int i = begin; i < end; i++) {
            if (i != gap && bytes[at++] != from[i]) {
                return false;
            }
        }
        return true;
    }
}
