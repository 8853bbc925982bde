package dev.tiller.loader.template;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/**
 * What all values share. The Java classes behind Python's types: null, Boolean, Long (BigInteger beyond 64 bits),
 * Double, String (or {@link Markup}), List, {@link Tuple}, Map, and the small classes of this package.
 */
final class Values {
    private Values() {}

    static String typeName(Object value) {
        return switch (value) {
            case null -> "NoneType";
            case Boolean b -> "bool";
            case Long n -> "int";
            case BigInteger n -> "int";
            case Double d -> "float";
            case String s -> "str";
            case Markup m -> "Markup";
            case Range r -> "range";
            case List<?> l -> "list";
            case Tuple t -> "tuple";
            case Map<?, ?> m -> "dict";
            case Undefined u -> "Undefined";
            case Generator g -> "generator";
            case DictView v -> "dict_" + v.part().name().toLowerCase(java.util.Locale.ROOT);
            case Namespace n -> "Namespace";
            case LoopState l -> "LoopContext";
            case Macro m -> "Macro";
            default -> "function";
        };
    }

    static boolean truth(Object value) {
        return switch (value) {
            case null -> false;
            case Boolean b -> b;
            case Long n -> n != 0;
            case Double d -> d != 0;
            case String s -> !s.isEmpty();
            case Markup m -> !m.text().isEmpty();
            case List<?> l -> !l.isEmpty();
            case Tuple t -> !t.items().isEmpty();
            case Map<?, ?> m -> !m.isEmpty();
            case DictView v -> !v.map().isEmpty();
            case Undefined u -> false;
            default -> true;
        };
    }

    /** The text of a string, marked up or not; null for everything else. */
    static String textOrNull(Object value) {
        return value instanceof Markup markup ? markup.text() : value instanceof String text ? text : null;
    }

    static String needText(Object value, String where) {
        String text = textOrNull(value);
        if (text == null) {
            throw value instanceof Undefined undefined
                    ? undefined.fault()
                    : Fault.type(where + " needs a str, not '" + typeName(value) + "'");
        }
        return text;
    }

    /** Python's len(). */
    static long length(Budget budget, Object value) {
        return switch (value) {
            case String s -> {
                budget.scan(s.length());
                yield Text.length(s);
            }
            case Markup m -> length(budget, m.text());
            case List<?> l -> l.size();
            case Tuple t -> t.items().size();
            case Map<?, ?> m -> m.size();
            case DictView v -> v.map().size();
            case LoopState l -> l.length();
            case Undefined u -> 0;
            case null -> throw Fault.type("object of type 'NoneType' has no len()");
            default -> throw Fault.type("object of type '" + typeName(value) + "' has no len()");
        };
    }

    static boolean sized(Object value) {
        return switch (value) {
            case String s -> true;
            case Markup m -> true;
            case List<?> l -> true;
            case Tuple t -> true;
            case Map<?, ?> m -> true;
            case DictView v -> true;
            case LoopState l -> true;
            case Undefined u -> true;
            case null -> false;
            default -> false;
        };
    }

    static boolean iterable(Object value) {
        return value instanceof Generator || (sized(value) && !(value instanceof LoopState));
    }

    /** Python's iter(); each element costs a step. */
    static Iterator<Object> iterate(Budget budget, Object value) {
        Iterator<?> source = switch (value) {
            case List<?> l -> l.iterator();
            case Tuple t -> t.items().iterator();
            case Map<?, ?> m -> m.keySet().iterator();
            case DictView v -> v.iterator();
            case Generator g -> g;
            case String s -> Text.characters(s);
            case Markup m -> Text.characters(m.text());
            case Undefined u -> List.of().iterator();
            case null -> throw Fault.type("'NoneType' object is not iterable");
            default -> throw Fault.type("'" + typeName(value) + "' object is not iterable");
        };
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                budget.step();
                return source.hasNext();
            }

            @Override
            public Object next() {
                return source.next();
            }
        };
    }

    /** Python's list(): a new list of all elements. */
    static List<Object> list(Budget budget, Object value) {
        if (sized(value)) {
            budget.elements(length(budget, value));
        }
        List<Object> items = new ArrayList<>();
        boolean counted = sized(value);
        for (Iterator<Object> it = iterate(budget, value); it.hasNext(); ) {
            if (!counted) {
                budget.elements(1);
            }
            items.add(it.next());
        }
        return items;
    }

    /** The elements of a list or tuple; null for everything else. */
    static List<?> sequenceOrNull(Object value) {
        return value instanceof Tuple tuple ? tuple.items() : value instanceof List<?> list ? list : null;
    }

    /** The value of a key of a mapping, or {@code otherwise}; 1, 1.0 and true are the same key. */
    static Object lookup(Budget budget, Map<?, ?> map, Object key, Object otherwise) {
        Object stored = key instanceof Markup markup ? markup.text() : key;
        if (stored == null || stored instanceof String) {
            Object value = map.get(stored);
            return value != null || map.containsKey(stored) ? value : otherwise;
        }
        if (stored instanceof List<?> || stored instanceof Map<?, ?>) {
            throw Fault.type("unhashable type: '" + typeName(stored) + "'");
        }
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            budget.step();
            if (Compare.same(budget, entry.getKey(), stored)) {
                return entry.getValue();
            }
        }
        return otherwise;
    }

    /** Puts a pair into a mapping under construction. */
    static void put(Budget budget, Map<Object, Object> map, Object key, Object value) {
        budget.elements(2);
        Object stored = key instanceof Markup markup ? markup.text() : key;
        if (stored != null && !(stored instanceof String)) {
            needKey(stored);
            for (Object present : map.keySet()) {
                budget.step();
                if (Compare.same(budget, present, stored)) {
                    map.put(present, value);
                    return;
                }
            }
        }
        map.put(stored, value);
    }

    private static void needKey(Object key) {
        boolean usable =
                key instanceof Long || key instanceof Double || key instanceof Boolean || key instanceof BigInteger;
        if (!usable) {
            throw Fault.type("a mapping key cannot be of type '" + typeName(key) + "'");
        }
    }

    /** A value for error messages: its repr, cut short. */
    static String shortText(Object value) {
        String text = value instanceof String || value instanceof Number || value instanceof Boolean || value == null
                ? PyFormat.repr(new Budget(), value)
                : "<" + typeName(value) + ">";
        return text.length() > 80 ? text.substring(0, 77) + "..." : text;
    }
}
