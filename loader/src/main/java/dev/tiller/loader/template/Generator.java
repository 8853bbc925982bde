package dev.tiller.loader.template;

import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.function.Supplier;

/**
 * A sequence made on demand and readable once, as filters such as {@code map} and {@code selectattr} give it. It is
 * always true and has no length, as in Python. The first element is not computed before it is asked for.
 */
final class Generator implements Iterator<Object> {
    private static final Object END = new Object();
    private static final Object UNREAD = new Object();
    private final Supplier<Object> source;
    private final int depth;
    private Object ahead = UNREAD;

    /**
     * @param over the sequence this one reads, for the limit on nesting
     * @param source gives the next element, or the value of {@link #end()}
     */
    Generator(Object over, Supplier<Object> source) {
        this.depth = over instanceof Generator inner ? inner.depth + 1 : 1;
        this.source = source;
        Budget.nesting(depth);
    }

    static Object end() {
        return END;
    }

    @Override
    public boolean hasNext() {
        if (ahead == UNREAD) {
            ahead = source.get();
        }
        return ahead != END;
    }

    @Override
    public Object next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        Object value = ahead;
        ahead = UNREAD;
        return value;
    }
}
