package dev.tiller.loader.template;

import java.util.AbstractList;
import java.util.List;

/** Python's range, at most {@link #MAX_SIZE} numbers as the sandbox demands. */
final class Range extends AbstractList<Object> {
    static final int MAX_SIZE = 100_000;
    private final long start;
    private final long stop;
    private final long step;
    private final int size;

    Range(long start, long stop, long step) {
        if (step == 0) {
            throw Fault.value("range() arg 3 must not be zero");
        }
        this.start = start;
        this.stop = stop;
        this.step = step;
        double exact = Math.ceil(((double) stop - (double) start) / step);
        if (exact > MAX_SIZE) {
            throw new Fault(
                    TemplateException.Kind.ARITHMETIC,
                    "Range too big. The sandbox blocks ranges larger than " + MAX_SIZE + ".");
        }
        this.size = (int) Math.max(0, exact);
    }

    static Range of(Args args) {
        args.noKeywords("range");
        List<Object> given = args.positional();
        return switch (given.size()) {
            case 1 -> new Range(0, bound(given.get(0)), 1);
            case 2 -> new Range(bound(given.get(0)), bound(given.get(1)), 1);
            case 3 -> new Range(bound(given.get(0)), bound(given.get(1)), bound(given.get(2)));
            default -> throw Fault.type("range expected 1 to 3 arguments, got " + given.size());
        };
    }

    private static long bound(Object value) {
        return Numbers.index(value, "range()");
    }

    long start() {
        return start;
    }

    long stop() {
        return stop;
    }

    long step() {
        return step;
    }

    @Override
    public Object get(int index) {
        java.util.Objects.checkIndex(index, size);
        return start + index * step;
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public String toString() {
        return "range(" + start + ", " + stop + (step == 1 ? ")" : ", " + step + ")");
    }
}
