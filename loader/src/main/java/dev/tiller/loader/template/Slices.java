package dev.tiller.loader.template;

import java.util.ArrayList;
import java.util.List;

/** Python's {@code value[start:stop:step]} on strings, lists and tuples. */
final class Slices {
    private Slices() {}

    static Object slice(Budget budget, Object owner, Object start, Object stop, Object step) {
        if (owner instanceof Undefined undefined) {
            throw undefined.fault();
        }
        String text = Values.textOrNull(owner);
        List<?> items = text == null ? Values.sequenceOrNull(owner) : null;
        if (text == null && items == null) {
            throw Fault.type("'" + Values.typeName(owner) + "' object cannot be sliced");
        }
        budget.scan(text == null ? 0 : text.length());
        boolean surrogates = text != null && Text.length(text) != text.length();
        int length = text == null ? items.size() : Text.length(text);
        long stride = step == null ? 1 : bound(step);
        if (stride == 0) {
            throw Fault.value("slice step cannot be zero");
        }
        long first = start == null ? (stride > 0 ? 0 : length - 1) : clip(bound(start), length, stride);
        long last = stop == null ? (stride > 0 ? length : -1) : clip(bound(stop), length, stride);
        if (text == null) {
            List<Object> part = elements(budget, items, first, last, stride);
            return owner instanceof Tuple ? new Tuple(part) : part;
        }
        String part = stride == 1
                ? between(text, (int) first, (int) Math.max(first, last), surrogates)
                : characters(text, first, last, stride, surrogates);
        budget.text(part.length());
        return owner instanceof Markup ? new Markup(part) : part;
    }

    private static long bound(Object value) {
        if (!Numbers.isInteger(value)) {
            throw Fault.type("slice indices must be integers or None, not " + Values.typeName(value));
        }
        return Numbers.index(value, "slice");
    }

    /** Negative bounds count from the end; bounds beyond the ends are moved to them. */
    private static long clip(long bound, int length, long stride) {
        long fromStart = bound < 0 ? Math.max(bound + length, -1) : bound;
        return stride > 0 ? Math.clamp(fromStart, 0, length) : Math.clamp(fromStart, -1, length - 1L);
    }

    private static List<Object> elements(Budget budget, List<?> items, long first, long last, long stride) {
        List<Object> part = new ArrayList<>();
        for (long i = first; stride > 0 ? i < last : i > last; i += stride) {
            budget.elements(1);
            part.add(items.get((int) i));
            if (Math.abs(stride) > items.size()) {
                break;
            }
        }
        return part;
    }

    private static String between(String text, int first, int last, boolean surrogates) {
        int end = Math.max(first, last);
        return surrogates
                ? text.substring(Text.offset(text, first), Text.offset(text, end))
                : text.substring(first, end);
    }

    private static String characters(String text, long first, long last, long stride, boolean surrogates) {
        int[] points = surrogates ? text.codePoints().toArray() : null;
        StringBuilder part = new StringBuilder();
        for (long i = first; stride > 0 ? i < last : i > last; i += stride) {
            part.appendCodePoint(surrogates ? points[(int) i] : text.charAt((int) i));
            if (Math.abs(stride) > text.length()) {
                break;
            }
        }
        return part.toString();
    }
}
