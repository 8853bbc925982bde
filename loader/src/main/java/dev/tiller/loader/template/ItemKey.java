package dev.tiller.loader.template;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.UnaryOperator;

/** What a filter looks at in each item: the item itself, or an attribute path such as "function.name" or "args.0". */
record ItemKey(UnaryOperator<Object> reader) {
    Object of(Object item) {
        return reader.apply(item);
    }

    /**
     * @param attribute a path, an index, or null for the item itself
     * @param otherwise stands for what is undefined on the way; null for nothing
     */
    static ItemKey path(Budget budget, Object attribute, Object otherwise) {
        List<Object> parts = parts(budget, attribute);
        return new ItemKey(item -> {
            Object value = item;
            for (Object part : parts) {
                value = Attributes.element(budget, value, part);
                value = value instanceof Undefined && otherwise != null ? otherwise : value;
            }
            return value;
        });
    }

    /** A list of one or several paths with commas between them: compared one after the other. */
    static ItemKey paths(Budget budget, Object attribute, boolean folding) {
        String text = Values.textOrNull(attribute);
        List<?> paths =
                text == null ? Collections.singletonList(attribute) : TextParts.split(budget, text, ",", -1, false);
        List<ItemKey> keys = paths.stream()
                .map(path -> path(budget, path, null).folding(folding))
                .toList();
        return new ItemKey(item -> {
            budget.elements(keys.size());
            List<Object> values = new ArrayList<>();
            keys.forEach(key -> values.add(key.of(item)));
            return values;
        });
    }

    private static List<Object> parts(Budget budget, Object attribute) {
        String text = Values.textOrNull(attribute);
        if (text == null) {
            return attribute == null ? List.of() : List.of(attribute);
        }
        List<Object> parts = new ArrayList<>();
        for (Object each : TextParts.split(budget, text, ".", -1, false)) {
            String part = (String) each;
            boolean index =
                    !part.isEmpty() && part.length() < 10 && part.chars().allMatch(c -> c >= '0' && c <= '9');
            parts.add(index ? (Object) Long.parseLong(part) : part);
        }
        return parts;
    }

    /** The same, with strings in lower case if wanted. */
    ItemKey folding(boolean wanted) {
        return wanted ? new ItemKey(item -> folded(of(item))) : this;
    }

    private static Object folded(Object value) {
        String text = Values.textOrNull(value);
        return text == null ? value : Text.lower(text);
    }
}
