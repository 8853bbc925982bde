package dev.tiller.loader.template;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** Equality, order and membership as Python defines them. */
final class Compare {
    private Compare() {}

    /** Python's {@code ==}. */
    static boolean same(Budget budget, Object a, Object b) {
        return same(budget, a, b, 0);
    }

    private static boolean same(Budget budget, Object a, Object b, int depth) {
        budget.step();
        Budget.nesting(depth);
        if (Numbers.isNumber(a) && Numbers.isNumber(b)) {
            return !Numbers.isNan(a) && !Numbers.isNan(b) && Numbers.compare(a, b) == 0;
        }
        String text = Values.textOrNull(a);
        if (text != null) {
            budget.scan(text.length());
            return text.equals(Values.textOrNull(b));
        }
        if (a instanceof Range != b instanceof Range || a instanceof Tuple != b instanceof Tuple) {
            return false;
        }
        List<?> left = Values.sequenceOrNull(a);
        List<?> right = Values.sequenceOrNull(b);
        if (left != null && right != null) {
            return sameElements(budget, left, right, depth);
        }
        if (a instanceof Map<?, ?> m && b instanceof Map<?, ?> n) {
            return sameEntries(budget, m, n, depth);
        }
        if (a instanceof Undefined && b instanceof Undefined) {
            return true;
        }
        return a == b;
    }

    private static boolean sameElements(Budget budget, List<?> a, List<?> b, int depth) {
        if (a.size() != b.size()) {
            return false;
        }
        for (int i = 0; i < a.size(); i++) {
            if (!same(budget, a.get(i), b.get(i), depth + 1)) {
                return false;
            }
        }
        return true;
    }

    private static boolean sameEntries(Budget budget, Map<?, ?> a, Map<?, ?> b, int depth) {
        if (a.size() != b.size()) {
            return false;
        }
        Object absent = new Object();
        for (Map.Entry<?, ?> entry : a.entrySet()) {
            Object other = Values.lookup(budget, b, entry.getKey(), absent);
            if (other == absent || !same(budget, entry.getValue(), other, depth + 1)) {
                return false;
            }
        }
        return true;
    }

    /** The order of two values: negative, zero or positive; {@code operator} is for the error message. */
    static int order(Budget budget, Object a, Object b, String operator) {
        return order(budget, a, b, operator, 0);
    }

    private static int order(Budget budget, Object a, Object b, String operator, int depth) {
        budget.step();
        Budget.nesting(depth);
        if (Numbers.isNumber(a) && Numbers.isNumber(b)) {
            return Numbers.compare(a, b);
        }
        String left = Values.textOrNull(a);
        String right = Values.textOrNull(b);
        if (left != null && right != null) {
            budget.scan(Math.min(left.length(), right.length()));
            return Text.compare(left, right);
        }
        boolean alike = a instanceof Tuple == b instanceof Tuple && !(a instanceof Range) && !(b instanceof Range);
        List<?> first = Values.sequenceOrNull(a);
        List<?> second = Values.sequenceOrNull(b);
        if (alike && first != null && second != null) {
            return orderElements(budget, first, second, operator, depth);
        }
        if (a instanceof Undefined undefined) {
            throw undefined.fault();
        }
        if (b instanceof Undefined undefined) {
            throw undefined.fault();
        }
        throw Fault.type("'" + operator + "' not supported between instances of '" + Values.typeName(a) + "' and '"
                + Values.typeName(b) + "'");
    }

    private static int orderElements(Budget budget, List<?> a, List<?> b, String operator, int depth) {
        for (int i = 0; i < Math.min(a.size(), b.size()); i++) {
            if (!same(budget, a.get(i), b.get(i), depth + 1)) {
                return order(budget, a.get(i), b.get(i), operator, depth + 1);
            }
        }
        return Integer.compare(a.size(), b.size());
    }

    /** One of {@code < <= > >=}; every comparison with NaN is false. */
    static boolean ordered(Budget budget, Object a, Object b, String operator) {
        if (Numbers.isNumber(a) && Numbers.isNumber(b) && (Numbers.isNan(a) || Numbers.isNan(b))) {
            return false;
        }
        int order = order(budget, a, b, operator);
        return switch (operator) {
            case "<" -> order < 0;
            case "<=" -> order <= 0;
            case ">" -> order > 0;
            default -> order >= 0;
        };
    }

    /** Python's {@code item in container}. */
    static boolean contains(Budget budget, Object container, Object item) {
        String text = Values.textOrNull(container);
        if (text != null) {
            String part = Values.textOrNull(item);
            if (part == null) {
                throw Fault.type("'in <string>' requires string as left operand, not " + Values.typeName(item));
            }
            budget.scan(text.length());
            return TextParts.indexOf(text, part, 0) >= 0;
        }
        if (container instanceof Map<?, ?> map) {
            Object absent = new Object();
            return Values.lookup(budget, map, item, absent) != absent;
        }
        if (!Values.iterable(container)) {
            throw Fault.type("argument of type '" + Values.typeName(container) + "' is not iterable");
        }
        for (Iterator<Object> it = Values.iterate(budget, container); it.hasNext(); ) {
            if (same(budget, it.next(), item)) {
                return true;
            }
        }
        return false;
    }

    /** A stable sort by the keys that {@code key} gives; descending keeps the order of equals, as Python does. */
    static List<Object> sorted(
            Budget budget, List<Object> items, java.util.function.UnaryOperator<Object> key, boolean descending) {
        record Keyed(Object key, Object item) {}
        List<Keyed> keyed = new ArrayList<>();
        for (Object item : items) {
            keyed.add(new Keyed(key.apply(item), item));
        }
        Comparator<Keyed> order = (a, b) -> {
            int sign = order(budget, a.key(), b.key(), "<");
            return descending ? -sign : sign;
        };
        try {
            keyed.sort(order);
        } catch (IllegalArgumentException unordered) {
            throw Fault.value("the values to sort have no consistent order");
        }
        List<Object> sorted = new ArrayList<>(keyed.size());
        keyed.forEach(pair -> sorted.add(pair.item()));
        return sorted;
    }
}
