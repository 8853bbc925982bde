package dev.tiller.loader.template;

import java.util.HashMap;
import java.util.Map;

/** Names and their values; loops, macros and some blocks open a scope of their own, {@code if} does not. */
final class Scope {
    private final Map<String, Object> names;
    private final Scope parent;

    private Scope(Map<String, Object> names, Scope parent) {
        this.names = names;
        this.parent = parent;
    }

    /** The outermost scope; {@code names} is not changed. */
    static Scope root(Map<String, Object> names) {
        return new Scope(Map.copyOf(Globals.ALL), null).inner(names);
    }

    private Scope inner(Map<String, Object> start) {
        return new Scope(new HashMap<>(start), this);
    }

    Scope inner() {
        return inner(Map.of());
    }

    void set(String name, Object value) {
        names.put(name, value);
    }

    /** The value of the nearest scope that has the name, else undefined. */
    Object get(String name) {
        for (Scope scope = this; scope != null; scope = scope.parent) {
            Object value = scope.names.get(name);
            if (value != null || scope.names.containsKey(name)) {
                return value;
            }
        }
        return Undefined.name(name);
    }
}
