package dev.tiller.loader.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Byte-pair encoding (Sennrich et al. 2016): a piece starts as single characters, and the pair of neighbours whose merge
 * has the lowest rank, the leftmost of several, becomes one token until no pair has a merge. A heap of candidates over a
 * linked list keeps this at n log n for a piece of n characters.
 */
final class BytePairModel {
    /**
     * What to do with a character that is not in the vocabulary, and with whole words.
     *
     * @param unknownId token for such a character, or -1: it is left out, as the tokenizers library does
     * @param fuseUnknown whether a run of them is one token
     * @param byteFallback whether its UTF-8 bytes are written as tokens "<0xNN>" instead, if all of them exist
     * @param ignoreMerges whether a piece that is a token as a whole is that token
     */
    record Options(int unknownId, boolean fuseUnknown, boolean byteFallback, boolean ignoreMerges) {}

    private final Vocabulary vocabulary;
    private final Merges merges;
    private final Options options;
    private final LongIntMap characters;
    private final int[] bytes = new int[256];

    BytePairModel(Vocabulary vocabulary, Merges merges, Options options) {
        this.vocabulary = vocabulary;
        this.merges = merges;
        this.options = options;
        characters = new LongIntMap(1024);
        for (int id = 0; id < vocabulary.size(); id++) {
            int character = vocabulary.character(id);
            if (character >= 0) {
                characters.put(character, id);
            }
        }
        for (int b = 0; b < 256; b++) {
            bytes[b] = options.byteFallback ? vocabulary.id(String.format("<0x%02X>", b)) : -1;
        }
    }

    /** Appends the tokens of one piece. */
    void tokenize(AlignedText piece, TokenList out) {
        if (options.ignoreMerges) {
            int id = vocabulary.modelId(piece.text());
            if (id >= 0) {
                out.add(id, vocabulary.token(id), piece.start(0), piece.end(piece.length() - 1));
                return;
            }
        }
        int single = piece.length() == 1 ? characters.get(piece.codePoint(0)) : -1;
        if (single >= 0) {
            out.add(single, vocabulary.token(single), piece.start(0), piece.end(0));
            return;
        }
        Word word = new Word(piece.length());
        spell(piece, word);
        word.merge(merges);
        word.write(piece, vocabulary, out);
    }

    /** Fills the word with one symbol per character, or several where it falls back to bytes. */
    private void spell(AlignedText piece, Word word) {
        int unknownFrom = -1;
        for (int i = 0; i < piece.length(); i++) {
            int id = characters.get(piece.codePoint(i));
            boolean known = id >= 0;
            byte[] utf8 = known || !options.byteFallback ? null : utf8IfAllBytesKnown(piece.codePoint(i));
            if (unknownFrom >= 0 && (known || utf8 != null || !options.fuseUnknown)) {
                word.add(options.unknownId, unknownFrom, i);
                unknownFrom = -1;
            }
            if (known) {
                word.add(id, i, i + 1);
            } else if (utf8 != null) {
                for (byte b : utf8) {
                    word.add(bytes[b & 0xFF], i, i + 1);
                }
            } else if (options.unknownId >= 0 && unknownFrom < 0) {
                unknownFrom = i;
            }
        }
        if (unknownFrom >= 0) {
            word.add(options.unknownId, unknownFrom, piece.length());
        }
    }

    private byte[] utf8IfAllBytesKnown(int codePoint) {
        byte[] utf8 = Character.toString(codePoint).getBytes(StandardCharsets.UTF_8);
        for (byte b : utf8) {
            if (bytes[b & 0xFF] < 0) {
                return null;
            }
        }
        return utf8;
    }

    /** The symbols of a piece as a doubly linked list in arrays; a symbol keeps its index, merged ones drop out. */
    private static final class Word {
        private int[] ids;
        private int[] begins;
        private int[] ends;
        private int[] previous;
        private int[] next;
        private int size;

        /** Candidates as rank << 32 | index of the left symbol: a binary heap, smallest first. */
        private long[] heap;

        private int heapSize;

        Word(int expected) {
            ids = new int[expected];
            begins = new int[expected];
            ends = new int[expected];
        }

        void add(int id, int begin, int end) {
            if (size == ids.length) {
                int capacity = size + (size >> 1) + 4;
                ids = Arrays.copyOf(ids, capacity);
                begins = Arrays.copyOf(begins, capacity);
                ends = Arrays.copyOf(ends, capacity);
            }
            ids[size] = id;
            begins[size] = begin;
            ends[size++] = end;
        }

        void merge(Merges merges) {
            previous = new int[size];
            next = new int[size];
            heap = new long[Math.max(4, size)];
            for (int i = 0; i < size; i++) {
                previous[i] = i - 1;
                next[i] = i + 1 < size ? i + 1 : -1;
            }
            for (int i = 0; i < size; i++) {
                propose(i, merges);
            }
            while (heapSize > 0) {
                long top = pop();
                int left = (int) top;
                int right = ids[left] < 0 ? -1 : next[left];
                int merge = right < 0 ? -1 : merges.find(ids[left], ids[right]);
                if (merge < 0 || merges.rank(merge) != (int) (top >>> 32)) {
                    continue; // one of the two has changed since
                }
                ids[left] = merges.result(merge);
                ends[left] = ends[right];
                ids[right] = -1;
                next[left] = next[right];
                if (next[left] >= 0) {
                    previous[next[left]] = left;
                }
                propose(previous[left], merges);
                propose(left, merges);
            }
        }

        private void propose(int left, Merges merges) {
            if (left < 0 || next[left] < 0) {
                return;
            }
            int merge = merges.find(ids[left], ids[next[left]]);
            if (merge >= 0) {
                push((long) merges.rank(merge) << 32 | left);
            }
        }

        private void push(long candidate) {
            if (heapSize == heap.length) {
                heap = Arrays.copyOf(heap, heapSize * 2);
            }
            int i = heapSize++;
            while (i > 0 && heap[(i - 1) / 2] > candidate) {
                heap[i] = heap[(i - 1) / 2];
                i = (i - 1) / 2;
            }
            heap[i] = candidate;
        }

        private long pop() {
            long top = heap[0];
            long moved = heap[--heapSize];
            int i = 0;
            for (int child = 1; child < heapSize; child = 2 * i + 1) {
                if (child + 1 < heapSize && heap[child + 1] < heap[child]) {
                    child++;
                }
                if (heap[child] >= moved) {
                    break;
                }
                heap[i] = heap[child];
                i = child;
            }
            heap[i] = moved;
            return top;
        }

        void write(AlignedText piece, Vocabulary vocabulary, TokenList out) {
            for (int i = 0; i < size; i++) {
                if (ids[i] >= 0) {
                    out.add(ids[i], vocabulary.token(ids[i]), piece.start(begins[i]), piece.end(ends[i] - 1));
                }
            }
        }
    }
}
