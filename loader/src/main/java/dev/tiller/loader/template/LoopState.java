package dev.tiller.loader.template;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/** The special variable {@code loop} inside a for loop. */
final class LoopState implements Callable {
    private static final Object NONE = new Object();

    /** Renders the body of a recursive loop over another sequence. */
    interface Recursion {
        Object render(Object over, int depth);
    }

    private final Budget budget;
    private final Object source;
    private final Recursion recursion;
    private final int depth;
    private Iterator<Object> rest;
    private long index = -1;
    private long length = -1;
    private Object before = NONE;
    private Object current = NONE;
    private Object after = NONE;
    private Object changed = NONE;

    /** @param recursion null if the loop is not recursive */
    LoopState(Budget budget, Object source, Iterator<Object> items, int depth, Recursion recursion) {
        this.budget = budget;
        this.source = source;
        this.rest = items;
        this.depth = depth;
        this.recursion = recursion;
    }

    /** Goes to the next element; false at the end. */
    boolean advance() {
        Object next = peek();
        if (next == NONE) {
            return false;
        }
        before = current;
        current = next;
        after = NONE;
        index++;
        return true;
    }

    Object current() {
        return current;
    }

    private Object peek() {
        if (after == NONE && rest.hasNext()) {
            after = rest.next();
        }
        return after;
    }

    long length() {
        if (length < 0) {
            if (Values.sized(source)) {
                length = Values.length(budget, source);
            } else {
                List<Object> remaining = new ArrayList<>();
                rest.forEachRemaining(remaining::add);
                budget.elements(remaining.size());
                rest = remaining.iterator();
                length = index + 1 + remaining.size() + (after == NONE ? 0 : 1);
            }
        }
        return length;
    }

    /** The value of {@code loop.name}; null if there is no such attribute. */
    Object attribute(String name) {
        return switch (name) {
            case "index" -> index + 1;
            case "index0" -> index;
            case "revindex" -> length() - index;
            case "revindex0" -> length() - index - 1;
            case "first" -> index == 0;
            case "last" -> peek() == NONE;
            case "length" -> length();
            case "depth" -> depth + 1L;
            case "depth0" -> (long) depth;
            case "previtem" -> index == 0 ? Undefined.because("there is no previous item") : before;
            case "nextitem" -> peek() == NONE ? Undefined.because("there is no next item") : after;
            case "cycle" -> Callable.named("LoopContext.cycle", (run, args) -> cycle(args));
            case "changed" -> Callable.named("LoopContext.changed", (run, args) -> changed(args));
            default -> NONE;
        };
    }

    static boolean isMissing(Object attribute) {
        return attribute == NONE;
    }

    private Object cycle(Args args) {
        if (args.positional().isEmpty()) {
            throw Fault.type("no items for cycling given");
        }
        return args.positional().get((int) (index % args.positional().size()));
    }

    private Object changed(Args args) {
        Tuple now = new Tuple(args.positional());
        boolean same = changed != NONE && Compare.same(budget, changed, now);
        changed = now;
        return !same;
    }

    @Override
    public Object call(Interpreter run, Args args) {
        if (recursion == null) {
            throw Fault.type("The loop must have the 'recursive' marker to be called recursively.");
        }
        return recursion.render(args.exactly("loop", 1, 1).getFirst(), depth + 1);
    }

    @Override
    public String toString() {
        return "<LoopContext " + (index + 1) + "/" + length() + ">";
    }
}
