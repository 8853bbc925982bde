package dev.tiller.loader.template;

import java.math.BigInteger;
import java.util.List;
import java.util.Map;

/** Python's {@code format % values}. */
final class PercentFormat {
    private final Budget budget;
    private final String format;
    private final Object values;
    private final boolean escape;
    private final TextBuilder out;
    private int at;
    private int used;

    private PercentFormat(Budget budget, String format, Object values, boolean escape) {
        this.budget = budget;
        this.format = format;
        this.values = values;
        this.escape = escape;
        this.out = new TextBuilder(budget);
    }

    /**
     * @param values a tuple, a mapping for {@code %(name)s}, or a single value
     * @param escape whether strings among the values are escaped as HTML
     */
    static String format(Budget budget, String format, Object values, boolean escape) {
        PercentFormat state = new PercentFormat(budget, format, values, escape);
        state.run();
        return state.out.toString();
    }

    private void run() {
        while (at < format.length()) {
            int percent = format.indexOf('%', at);
            if (percent < 0) {
                out.append(format.substring(at));
                break;
            }
            out.append(format.substring(at, percent));
            at = percent + 1;
            directive();
        }
        boolean single = !(values instanceof Tuple) && !(values instanceof Map<?, ?>);
        int given = values instanceof Tuple tuple ? tuple.items().size() : single ? 1 : 0;
        boolean optional = values instanceof List<?> || values instanceof Undefined;
        if (used < given && !(optional && used == 0)) {
            throw Fault.type("not all arguments converted during string formatting");
        }
    }

    private char peek() {
        if (at >= format.length()) {
            throw Fault.value("incomplete format");
        }
        return format.charAt(at);
    }

    private void directive() {
        Object named = null;
        boolean byName = peek() == '(';
        if (byName) {
            named = named();
        }
        String flags = "";
        while ("#0- +".indexOf(peek()) >= 0) {
            flags += flags.indexOf(peek()) < 0 ? String.valueOf(peek()) : "";
            at++;
        }
        long width = number(0);
        if (width < 0) {
            flags += "-";
            width = -width;
        }
        long precision = -1;
        if (peek() == '.') {
            at++;
            precision = Math.max(0, number(0));
        }
        while ("hlL".indexOf(peek()) >= 0) {
            at++;
        }
        char code = peek();
        at++;
        if (code == '%') {
            out.append('%');
            return;
        }
        convert(code, byName ? named : next(), flags, width, precision);
    }

    private Object named() {
        int close = format.indexOf(')', at);
        if (close < 0) {
            throw Fault.value("incomplete format key");
        }
        if (!(values instanceof Map<?, ?> map)) {
            throw Fault.type("format requires a mapping");
        }
        String key = format.substring(at + 1, close);
        at = close + 1;
        Object absent = new Object();
        Object value = Values.lookup(budget, map, key, absent);
        if (value == absent) {
            throw new Fault(TemplateException.Kind.LOOKUP, "no key '" + key + "' for the format");
        }
        return value;
    }

    private long number(long otherwise) {
        if (peek() == '*') {
            at++;
            return Math.clamp(Numbers.index(next(), "*"), -Budget.MAX_CHARS, Budget.MAX_CHARS);
        }
        long number = otherwise;
        while (peek() >= '0' && peek() <= '9') {
            number = Math.min(Budget.MAX_CHARS + 1, number * 10 + peek() - '0');
            at++;
        }
        return number;
    }

    private Object next() {
        List<?> items = values instanceof Tuple tuple ? tuple.items() : null;
        int given = items != null ? items.size() : 1;
        if (used >= given) {
            throw Fault.type("not enough arguments for format string");
        }
        used++;
        return items != null ? items.get(used - 1) : values;
    }

    private void convert(char code, Object value, String flags, long width, long precision) {
        switch (code) {
            case 's', 'r', 'a' -> {
                String text = code == 's' ? PyFormat.str(budget, value) : PyFormat.repr(budget, value);
                boolean plain = escape && !(value instanceof Markup) && !Numbers.isNumber(value);
                text = plain ? Markup.escape(text) : text;
                boolean cut = precision >= 0 && precision < Text.length(text);
                pad(
                        "",
                        cut ? text.substring(0, Text.offset(text, (int) precision)) : text,
                        flags.replace("0", ""),
                        width);
            }
            case 'c' -> pad("", character(value), flags.replace("0", ""), width);
            case 'd', 'i', 'u', 'x', 'X', 'o' -> {
                BigInteger number = integer(code, value);
                String digits = NumberFormat.integer(number, code, flags.contains("#"));
                pad(
                        sign(number.signum() < 0, flags),
                        TextParts.repeat(budget, "0", precision - digits.length()) + digits,
                        flags,
                        width);
            }
            case 'e', 'E', 'f', 'F', 'g', 'G' -> {
                if (!Numbers.isNumber(value)) {
                    throw Fault.type("must be real number, not " + Values.typeName(value));
                }
                double number = Numbers.real(value);
                boolean negative = Math.copySign(1, number) < 0 && !Double.isNaN(number);
                String digits =
                        NumberFormat.real(budget, number, code, precision < 0 ? 6 : precision, flags.contains("#"));
                pad(sign(negative, flags), digits, flags, width);
            }
            default -> throw Fault.value("unsupported format character '" + code + "'");
        }
    }

    private static BigInteger integer(char code, Object value) {
        boolean decimal = "diu".indexOf(code) >= 0;
        if (decimal && value instanceof Double real) {
            return Numbers.big(Numbers.truncate(real));
        }
        if (!Numbers.isInteger(value)) {
            String wanted = decimal ? "a real number" : "an integer";
            throw Fault.type("%" + code + " format: " + wanted + " is required, not " + Values.typeName(value));
        }
        return Numbers.big(value);
    }

    private static String character(Object value) {
        String text = Values.textOrNull(value);
        if (text != null && Text.length(text) == 1) {
            return text;
        }
        if (Numbers.isInteger(value)
                && Numbers.big(value).bitLength() < 31
                && Character.isValidCodePoint(Numbers.big(value).intValue())) {
            return Character.toString(Numbers.big(value).intValue());
        }
        throw Fault.type("%c requires int or char");
    }

    private static String sign(boolean negative, String flags) {
        return negative ? "-" : flags.contains("+") ? "+" : flags.contains(" ") ? " " : "";
    }

    private void pad(String sign, String digits, String flags, long width) {
        long missing = width - Text.length(sign) - Text.length(digits);
        boolean left = flags.contains("-");
        boolean zeros = flags.contains("0") && !left;
        String blanks = TextParts.repeat(budget, zeros ? "0" : " ", missing);
        if (left) {
            out.append(sign).append(digits).append(blanks);
        } else if (zeros) {
            out.append(sign).append(blanks).append(digits);
        } else {
            out.append(blanks).append(sign).append(digits);
        }
    }
}
