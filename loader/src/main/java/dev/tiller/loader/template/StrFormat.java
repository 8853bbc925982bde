package dev.tiller.loader.template;

import java.util.List;
import java.util.Map;

/** Python's {@code str.format}, with the sandbox's rules for attributes. */
final class StrFormat {
    private final Budget budget;
    private final String format;
    private final List<Object> positional;
    private final Map<?, ?> keywords;
    private int at;
    private int automatic;

    private StrFormat(Budget budget, String format, List<Object> positional, Map<?, ?> keywords, int automatic) {
        this.budget = budget;
        this.format = format;
        this.positional = positional;
        this.keywords = keywords;
        this.automatic = automatic;
    }

    static String format(Budget budget, String format, Args args) {
        return new StrFormat(budget, format, args.positional(), args.keywords(), 0).run(2);
    }

    static String formatMap(Budget budget, String format, Args args) {
        Object map = args.exactly("format_map", 1, 1).getFirst();
        if (!(map instanceof Map<?, ?> keywords)) {
            throw Fault.type("format_map() needs a mapping, not '" + Values.typeName(map) + "'");
        }
        return new StrFormat(budget, format, List.of(), keywords, 0).run(2);
    }

    private String run(int levels) {
        if (levels < 0) {
            throw Fault.value("Max string recursion exceeded");
        }
        TextBuilder out = new TextBuilder(budget);
        while (at < format.length()) {
            char c = format.charAt(at++);
            if (c != '{' && c != '}') {
                out.append(c);
            } else if (at < format.length() && format.charAt(at) == c) {
                out.append(c);
                at++;
            } else if (c == '}') {
                throw Fault.value("Single '}' encountered in format string");
            } else {
                out.append(field(levels));
            }
        }
        return out.toString();
    }

    /** Reads and fills a replacement field after its opening brace. */
    private String field(int levels) {
        int start = at;
        int depth = 1;
        int bracket = 0;
        for (; at < format.length() && depth > 0; at++) {
            char c = format.charAt(at);
            bracket += c == '[' && depth == 1 ? 1 : c == ']' && bracket > 0 ? -1 : 0;
            if (bracket == 0) {
                depth += c == '{' ? 1 : c == '}' ? -1 : 0;
            }
        }
        if (depth > 0) {
            throw Fault.value("expected '}' before end of string");
        }
        String field = format.substring(start, at - 1);
        int end = nameEnd(field);
        Object value = value(field.substring(0, end));
        int next = end;
        if (next < field.length() && field.charAt(next) == '!') {
            value = converted(value, field, next + 1);
            next += 2;
        }
        String spec = next < field.length() ? field.substring(next + 1) : "";
        StrFormat inner = new StrFormat(budget, spec, positional, keywords, automatic);
        String filled = inner.run(levels - 1);
        automatic = inner.automatic;
        return FormatSpec.format(budget, value, filled);
    }

    private static int nameEnd(String field) {
        boolean bracket = false;
        for (int i = 0; i < field.length(); i++) {
            char c = field.charAt(i);
            bracket = c == '[' || (bracket && c != ']');
            if (!bracket && (c == '!' || c == ':')) {
                return i;
            }
        }
        return field.length();
    }

    private Object converted(Object value, String field, int code) {
        if (code >= field.length() || (code + 1 < field.length() && field.charAt(code + 1) != ':')) {
            throw Fault.value("expected ':' after conversion specifier");
        }
        return switch (field.charAt(code)) {
            case 's' -> PyFormat.str(budget, value);
            case 'r', 'a' -> PyFormat.repr(budget, value);
            default -> throw Fault.value("Unknown conversion specifier '" + field.charAt(code) + "'");
        };
    }

    private Object value(String name) {
        int end = 0;
        while (end < name.length() && name.charAt(end) != '.' && name.charAt(end) != '[') {
            end++;
        }
        Object value = first(name.substring(0, end));
        while (end < name.length()) {
            boolean attribute = name.charAt(end) == '.';
            int start = ++end;
            while (end < name.length() && (attribute ? ".[".indexOf(name.charAt(end)) < 0 : name.charAt(end) != ']')) {
                end++;
            }
            String part = name.substring(start, end);
            if (part.isEmpty() || (!attribute && end >= name.length())) {
                throw Fault.value("Empty attribute in format string");
            }
            value = attribute
                    ? Attributes.attribute(budget, value, part)
                    : Attributes.element(budget, value, isIndex(part) ? (Object) index(part) : part);
            end += attribute ? 0 : 1;
        }
        return value;
    }

    private Object first(String name) {
        if (name.isEmpty() || isIndex(name)) {
            long index = name.isEmpty() ? automatic++ : index(name);
            if (index >= positional.size()) {
                throw new Fault(TemplateException.Kind.LOOKUP, "Replacement index " + index + " out of range");
            }
            return positional.get((int) index);
        }
        Object absent = new Object();
        Object value = Values.lookup(budget, keywords, name, absent);
        if (value == absent) {
            throw new Fault(TemplateException.Kind.LOOKUP, "no argument '" + name + "' for the format");
        }
        return value;
    }

    private static boolean isIndex(String text) {
        return text.length() < 10 && !text.isEmpty() && text.chars().allMatch(c -> c >= '0' && c <= '9');
    }

    private static long index(String text) {
        return Long.parseLong(text);
    }
}
