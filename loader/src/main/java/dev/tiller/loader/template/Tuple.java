package dev.tiller.loader.template;

import java.util.Arrays;
import java.util.List;

/**
 * Python's tuple; lists are plain {@link List}s.
 *
 * @param names attributes that give the items by name, for the groups of {@code groupby}; else empty
 */
record Tuple(List<Object> items, List<String> names) {
    Tuple(List<Object> items) {
        this(items, List.of());
    }

    static Tuple of(Object... items) {
        return new Tuple(Arrays.asList(items));
    }
}
