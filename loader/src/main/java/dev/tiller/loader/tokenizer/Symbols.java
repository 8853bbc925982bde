package dev.tiller.loader.tokenizer;

import java.util.Arrays;

/**
 * The symbols of a piece while they are merged: a doubly linked list in arrays; a symbol keeps its index, merged ones
 * drop out.
 */
final class Symbols {
    private int[] ids;
    private int[] begins;
    private int[] ends;
    private int[] previous;
    private int[] next;
    private int size;

    /** Candidates looked at and moves within the heap: what grows with the length of a piece. */
    private long work;

    /** Candidates as {@code rank << 32 | index} of the left symbol: a binary heap, smallest first. */
    private long[] heap;

    private int heapSize;

    Symbols(int expected) {
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

    /** Adds a symbol of so many places from the given one on; gives the place after it. */
    int append(int id, int begin, int length) {
        add(id, begin, begin + length);
        return begin + length;
    }

    /** Hears of every pair that could merge, in the order in which they are found. */
    interface Watcher {
        void candidate(int left, int right, int result);
    }

    /** Merges neighbours until no two have a merge: the lowest rank first, the leftmost of several. */
    void merge(Merges merges) {
        merge(merges, null);
    }

    /** Merges as above with a watcher, or null. */
    void merge(Merges merges, Watcher watcher) {
        previous = new int[size];
        next = new int[size];
        heap = new long[Math.max(4, size)];
        for (int i = 0; i < size; i++) {
            previous[i] = i - 1;
            next[i] = i + 1 < size ? i + 1 : -1;
        }
        for (int i = 0; i < size; i++) {
            propose(i, merges, watcher);
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
            propose(previous[left], merges, watcher);
            propose(left, merges, watcher);
        }
    }

    private void propose(int left, Merges merges, Watcher watcher) {
        work++;
        if (left < 0 || next[left] < 0) {
            return;
        }
        int merge = merges.find(ids[left], ids[next[left]]);
        if (merge >= 0) {
            push((long) merges.rank(merge) << 32 | left);
            if (watcher != null) {
                watcher.candidate(ids[left], ids[next[left]], merges.result(merge));
            }
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
            work++;
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
            work++;
        }
        heap[i] = moved;
        return top;
    }

    int size() {
        return size;
    }

    /** The first symbol, or -1 if there is none. */
    int first() {
        return size == 0 ? -1 : 0;
    }

    /** The symbol that follows after merging, or -1. */
    int next(int symbol) {
        return next[symbol];
    }

    int id(int symbol) {
        return ids[symbol];
    }

    /** First place of the piece that the symbol covers; characters or bytes, as they were added. */
    int begin(int symbol) {
        return begins[symbol];
    }

    /** One past the last place. */
    int end(int symbol) {
        return ends[symbol];
    }

    long work() {
        return work;
    }
}
