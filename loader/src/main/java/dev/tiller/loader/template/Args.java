package dev.tiller.loader.template;

import java.util.List;
import java.util.Map;

/** Evaluated arguments of a call. */
record Args(List<Object> positional, Map<String, Object> keywords) {
    static final Args NONE = new Args(List.of(), Map.of());

    static Args of(Object... positional) {
        return new Args(java.util.Arrays.asList(positional), Map.of());
    }

    /** Marks parameters that the caller left out. */
    private static final Object ABSENT = new Object();

    void noKeywords(String function) {
        if (!keywords.isEmpty()) {
            throw Fault.type(function + "() takes no keyword arguments");
        }
    }

    /** The arguments of a function without keywords, between {@code min} and {@code max} of them. */
    List<Object> exactly(String function, int min, int max) {
        noKeywords(function);
        if (positional.size() < min || positional.size() > max) {
            String expected = min == max ? String.valueOf(min) : min + " to " + max;
            throw Fault.type(function + "() takes " + expected + " arguments (" + positional.size() + " given)");
        }
        return positional;
    }

    /** The arguments in the order of the parameter names, given by place or by name. */
    Bound bind(String function, String... parameters) {
        if (positional.size() > parameters.length) {
            throw Fault.type(function + "() takes at most " + parameters.length + " arguments (" + positional.size()
                    + " given)");
        }
        Object[] values = new Object[parameters.length];
        java.util.Arrays.fill(values, ABSENT);
        for (int i = 0; i < positional.size(); i++) {
            values[i] = positional.get(i);
        }
        for (Map.Entry<String, Object> keyword : keywords.entrySet()) {
            int place = List.of(parameters).indexOf(keyword.getKey());
            if (place < 0) {
                throw Fault.type(function + "() got an unexpected keyword argument '" + keyword.getKey() + "'");
            }
            if (values[place] != ABSENT) {
                throw Fault.type(function + "() got multiple values for argument '" + keyword.getKey() + "'");
            }
            values[place] = keyword.getValue();
        }
        return new Bound(function, parameters, values);
    }

    /** Arguments that have found their parameters. */
    record Bound(String function, String[] parameters, Object[] values) {
        boolean has(int index) {
            return values[index] != ABSENT;
        }

        Object get(int index, Object otherwise) {
            return has(index) ? values[index] : otherwise;
        }

        Object need(int index) {
            if (!has(index)) {
                throw Fault.type(function + "() missing required argument '" + parameters[index] + "'");
            }
            return values[index];
        }

        boolean flag(int index, boolean otherwise) {
            return has(index) ? Values.truth(values[index]) : otherwise;
        }

        long integer(int index, long otherwise) {
            return has(index) ? Numbers.index(values[index], function + "()") : otherwise;
        }

        /** A string argument; null if left out or None. */
        String text(int index) {
            Object value = get(index, null);
            return value == null ? null : Values.needText(value, function + "()");
        }
    }
}
