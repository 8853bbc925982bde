package dev.tiller.loader.template;

/**
 * What one rendering may use. Templates come from strangers: a loop, a repetition or a recursion without bounds must
 * end in an error long before it exhausts time, heap or stack. The bounds are far above what conversations need.
 */
final class Budget {
    static final long MAX_STEPS = 10_000_000;
    /** All text ever produced, intermediate strings included: at most 256 MB on the heap. */
    static final long MAX_CHARS = 128L << 20;

    static final int MAX_DEPTH = 800;
    /** Nesting of lists and mappings, and of lazy sequences over lazy sequences. */
    static final int MAX_NESTING = 200;

    private long steps;
    private long chars;
    private int depth;

    void step() {
        steps(1);
    }

    void steps(long count) {
        steps += count;
        if (steps > MAX_STEPS) {
            throw Fault.limit("the template takes too many steps (limit " + MAX_STEPS + ")");
        }
    }

    /** So many chars are looked at; that is much cheaper per char than a step. */
    void scan(int chars) {
        steps(chars >> 6);
    }

    /** A list or mapping of so many elements is made; they weigh more than steps. */
    void elements(long count) {
        steps(4 * count);
    }

    /** Text of so many chars is about to be made. */
    void text(long count) {
        chars += count;
        if (chars > MAX_CHARS || count > MAX_CHARS) {
            throw Fault.limit("the template makes too much text (limit " + MAX_CHARS + " characters)");
        }
    }

    /** What was used, in steps; to make text costs about twice what it costs to {@link #scan} it. */
    long used() {
        return steps + (chars >> 5);
    }

    void enter() {
        if (++depth > MAX_DEPTH) {
            throw Fault.limit("the template nests too deeply (limit " + MAX_DEPTH + ")");
        }
    }

    void leave() {
        depth--;
    }

    static void nesting(int depth) {
        if (depth > MAX_NESTING) {
            throw Fault.limit("values nest too deeply (limit " + MAX_NESTING + ")");
        }
    }
}
