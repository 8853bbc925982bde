package dev.tiller.loader.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** Python's str() and repr(). */
final class PyFormat {
    private PyFormat() {}

    /** What {@code {{ value }}} prints. */
    static String str(Budget budget, Object value) {
        if (value instanceof Undefined) {
            return "";
        }
        String text = Values.textOrNull(value);
        return text != null ? text : repr(budget, value);
    }

    static String repr(Budget budget, Object value) {
        TextBuilder out = new TextBuilder(budget);
        repr(out, value, 0);
        return out.toString();
    }

    private static void repr(TextBuilder out, Object value, int depth) {
        Budget.nesting(depth);
        out.budget().step();
        switch (value) {
            case null -> out.append("None");
            case Boolean b -> out.append(b ? "True" : "False");
            case Long n -> out.append(n.toString());
            case BigInteger n -> out.append(n.toString());
            case Double d -> out.append(real(d));
            case String s -> quote(out, s);
            case Markup m -> {
                out.append("Markup(");
                quote(out, m.text());
                out.append(")");
            }
            case Undefined u -> out.append("Undefined");
            case Range r -> out.append(r.toString());
            case List<?> l -> elements(out, "[", l.iterator(), "]", depth);
            case Tuple t -> elements(out, "(", t.items().iterator(), t.items().size() == 1 ? ",)" : ")", depth);
            case Map<?, ?> m -> entries(out, m, depth);
            case DictView v -> elements(out, Values.typeName(v) + "([", v.iterator(), "])", depth);
            case Namespace n -> {
                out.append("<Namespace ");
                entries(out, n.attributes(), depth);
                out.append(">");
            }
            case Generator g -> out.append("<generator object>");
            default -> out.append(value.toString());
        }
    }

    private static void elements(TextBuilder out, String open, Iterator<?> items, String close, int depth) {
        out.append(open);
        for (String comma = ""; items.hasNext(); comma = ", ") {
            out.append(comma);
            repr(out, items.next(), depth + 1);
        }
        out.append(close);
    }

    private static void entries(TextBuilder out, Map<?, ?> map, int depth) {
        out.append("{");
        String comma = "";
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            out.append(comma);
            repr(out, entry.getKey(), depth + 1);
            out.append(": ");
            repr(out, entry.getValue(), depth + 1);
            comma = ", ";
        }
        out.append("}");
    }

    private static void quote(TextBuilder out, String text) {
        char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
        out.append(quote);
        text.codePoints().forEach(c -> {
            if (c == quote || c == '\\') {
                out.append('\\').append((char) c);
            } else if (c == '\n') {
                out.append("\\n");
            } else if (c == '\r') {
                out.append("\\r");
            } else if (c == '\t') {
                out.append("\\t");
            } else if (isPrintable(c)) {
                out.append(Character.toString(c));
            } else {
                out.append(c < 0x100 ? hex("\\x", c, 2) : c < 0x10000 ? hex("\\u", c, 4) : hex("\\U", c, 8));
            }
        });
        out.append(quote);
    }

    static String hex(String prefix, int value, int digits) {
        String hex = Integer.toHexString(value);
        return prefix + "0".repeat(digits - hex.length()) + hex;
    }

    static boolean isPrintable(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.PRIVATE_USE,
                    Character.UNASSIGNED,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR -> false;
            case Character.SPACE_SEPARATOR -> c == ' ';
            default -> true;
        };
    }

    /** The shortest decimal that reads back as the same double, in Python's form: 1.0, 1e-05, 1e+16, inf, nan. */
    static String real(double value) {
        if (Double.isNaN(value)) {
            return "nan";
        }
        if (Double.isInfinite(value)) {
            return value > 0 ? "inf" : "-inf";
        }
        String sign = Math.copySign(1, value) < 0 ? "-" : "";
        if (value == 0) {
            return sign + "0.0";
        }
        BigDecimal shortest = new BigDecimal(Double.toString(Math.abs(value))).stripTrailingZeros();
        String digits = shortest.unscaledValue().toString();
        int point = digits.length() - shortest.scale();
        if (point > 16 || point <= -4) {
            String fraction = digits.length() == 1 ? "" : "." + digits.substring(1);
            int exponent = point - 1;
            String size = (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
            return sign + digits.charAt(0) + fraction + "e" + (exponent < 0 ? "-" : "+") + size;
        }
        if (point <= 0) {
            return sign + "0." + "0".repeat(-point) + digits;
        }
        if (point >= digits.length()) {
            return sign + digits + "0".repeat(point - digits.length()) + ".0";
        }
        return sign + digits.substring(0, point) + "." + digits.substring(point);
    }
}
