package dev.tiller.loader.template;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** The {@code tojson} filter as transformers defines it: Python's json.dumps with ensure_ascii off. */
final class PyJson {
    private final TextBuilder out;
    private final boolean ascii;
    /** One level of indentation; null for a single line. */
    private final String indent;

    private final String itemSeparator;
    private final String keySeparator;
    private final boolean sortKeys;

    private PyJson(Budget budget, Args.Bound options) {
        out = new TextBuilder(budget);
        ascii = options.flag(0, false);
        indent = indent(budget, options.get(1, null));
        sortKeys = options.flag(3, false);
        Object separators = options.get(2, null);
        if (separators == null) {
            itemSeparator = indent == null ? ", " : ",";
            keySeparator = ": ";
            return;
        }
        List<Object> pair = Values.list(budget, separators);
        if (pair.size() != 2) {
            throw Fault.value("tojson() needs two separators, not " + pair.size());
        }
        itemSeparator = Values.needText(pair.get(0), "tojson() separator");
        keySeparator = Values.needText(pair.get(1), "tojson() separator");
    }

    private static String indent(Budget budget, Object indent) {
        if (indent == null || indent instanceof Boolean) {
            return indent == null ? null : TextParts.repeat(budget, " ", (Boolean) indent ? 1 : 0);
        }
        String text = Values.textOrNull(indent);
        return text != null ? text : TextParts.repeat(budget, " ", Numbers.index(indent, "tojson() indent"));
    }

    static String dumps(Budget budget, Object value, Args args) {
        PyJson json = new PyJson(budget, args.bind("tojson", "ensure_ascii", "indent", "separators", "sort_keys"));
        json.write(value, 0);
        return json.out.toString();
    }

    private void write(Object value, int depth) {
        Budget.nesting(depth);
        out.budget().step();
        switch (value) {
            case null -> out.append("null");
            case Boolean b -> out.append(b ? "true" : "false");
            case Long n -> out.append(n.toString());
            case BigInteger n -> out.append(n.toString());
            case Double d -> out.append(real(d));
            case String s -> quote(s);
            case Markup m -> quote(m.text());
            case Range r -> throw notSerializable(r);
            case List<?> l -> array(l, depth);
            case Tuple t -> array(t.items(), depth);
            case Map<?, ?> m -> object(m, depth);
            default -> throw notSerializable(value);
        }
    }

    private static Fault notSerializable(Object value) {
        return Fault.type("Object of type " + Values.typeName(value) + " is not JSON serializable");
    }

    private static String real(double value) {
        if (Double.isNaN(value)) {
            return "NaN";
        }
        return Double.isInfinite(value) ? (value > 0 ? "Infinity" : "-Infinity") : PyFormat.real(value);
    }

    private void array(List<?> items, int depth) {
        if (items.isEmpty()) {
            out.append("[]");
            return;
        }
        out.append('[');
        for (Iterator<?> it = items.iterator(); it.hasNext(); ) {
            newLine(depth + 1);
            write(it.next(), depth + 1);
            out.append(it.hasNext() ? itemSeparator : "");
        }
        newLine(depth);
        out.append(']');
    }

    private void object(Map<?, ?> map, int depth) {
        if (map.isEmpty()) {
            out.append("{}");
            return;
        }
        out.append('{');
        String comma = "";
        for (Object key : sortKeys ? sortedKeys(map) : map.keySet()) {
            out.append(comma);
            newLine(depth + 1);
            quote(key(key));
            out.append(keySeparator);
            write(map.get(key), depth + 1);
            comma = itemSeparator;
        }
        newLine(depth);
        out.append('}');
    }

    private List<Object> sortedKeys(Map<?, ?> map) {
        return Compare.sorted(out.budget(), new ArrayList<>(map.keySet()), key -> key, false);
    }

    private static String key(Object key) {
        return switch (key) {
            case null -> "null";
            case String s -> s;
            case Boolean b -> b ? "true" : "false";
            case Double d -> real(d);
            default -> key.toString();
        };
    }

    private void newLine(int depth) {
        if (indent == null) {
            return;
        }
        out.append('\n');
        for (int i = 0; i < depth; i++) {
            out.append(indent);
        }
    }

    private void quote(String text) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\f' -> out.append("\\f");
                case '\b' -> out.append("\\b");
                default -> {
                    if (c < 0x20 || (ascii && c > 0x7e)) {
                        out.append(PyFormat.hex("\\u", c, 4));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        out.append('"');
    }
}
