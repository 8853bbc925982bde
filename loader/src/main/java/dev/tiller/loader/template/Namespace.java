package dev.tiller.loader.template;

import java.util.LinkedHashMap;
import java.util.Map;

/** The one value that templates may change: {@code {% set ns.x = 1 %}} reaches out of loops. */
final class Namespace {
    /** Stands for an attribute whose value is None where null means that there is no such attribute. */
    static final Object NULL = new Object();

    private final Map<String, Object> attributes = new LinkedHashMap<>();

    Map<String, Object> attributes() {
        return attributes;
    }
}
