package dev.tiller.loader.template;

import java.math.BigInteger;

/** Python's format specification, {@code [[fill]align][sign][#][0][width][,][.precision][type]}. */
final class FormatSpec {
    private final Budget budget;
    private final String spec;
    private int at;
    private String fill = " ";
    private char align;
    private char sign = '-';
    private boolean alternate;
    private long width;
    private char grouping;
    private long precision = -1;
    private char type;

    private FormatSpec(Budget budget, String spec) {
        this.budget = budget;
        this.spec = spec;
    }

    static String format(Budget budget, Object value, String spec) {
        if (spec.isEmpty()) {
            return PyFormat.str(budget, value);
        }
        if (value instanceof Undefined || !(Numbers.isNumber(value) || Values.textOrNull(value) != null)) {
            throw Fault.type("unsupported format string passed to " + Values.typeName(value) + ".__format__");
        }
        FormatSpec parsed = new FormatSpec(budget, spec);
        parsed.parse();
        return parsed.apply(value);
    }

    private char peek() {
        return at < spec.length() ? spec.charAt(at) : 0;
    }

    private boolean skip(char c) {
        boolean found = peek() == c && at < spec.length();
        at += found ? 1 : 0;
        return found;
    }

    private void parse() {
        int first = spec.isEmpty() ? 0 : Character.charCount(spec.codePointAt(0));
        if (first < spec.length() && "<>=^".indexOf(spec.charAt(first)) >= 0) {
            fill = spec.substring(0, first);
            align = spec.charAt(first);
            at = first + 1;
        } else if (peek() != 0 && "<>=^".indexOf(peek()) >= 0) {
            align = spec.charAt(at++);
        }
        if (peek() != 0 && "+- ".indexOf(peek()) >= 0) {
            sign = spec.charAt(at++);
        }
        alternate = skip('#');
        if (skip('0') && align == 0) {
            fill = "0";
            align = '=';
        }
        width = Math.max(0, number());
        if (peek() == ',' || peek() == '_') {
            grouping = spec.charAt(at++);
        }
        if (skip('.')) {
            precision = number();
            if (precision < 0) {
                throw Fault.value("Format specifier missing precision");
            }
        }
        type = peek();
        at += type == 0 ? 0 : 1;
        if (at < spec.length()) {
            throw Fault.value("Invalid format specifier " + Values.shortText(spec));
        }
    }

    private long number() {
        long number = -1;
        while (peek() >= '0' && peek() <= '9') {
            number = Math.min(Budget.MAX_CHARS + 1, Math.max(0, number) * 10 + spec.charAt(at++) - '0');
        }
        return number;
    }

    private String apply(Object value) {
        String text = Values.textOrNull(value);
        if (text != null) {
            return string(text);
        }
        if (value instanceof Boolean && type == 0) {
            return string(PyFormat.repr(budget, value));
        }
        boolean real = value instanceof Double || (type != 0 && "eEfFgG%".indexOf(type) >= 0);
        return real ? real(Numbers.real(value)) : integer(Numbers.big(value));
    }

    private String string(String text) {
        if ((type != 0 && type != 's') || align == '=' && !fill.equals("0")) {
            throw Fault.value("Invalid format specifier " + Values.shortText(spec) + " for a str");
        }
        boolean cut = precision >= 0 && precision < Text.length(text);
        String shown = cut ? text.substring(0, Text.offset(text, (int) precision)) : text;
        return pad("", shown, align == 0 || align == '=' ? '<' : align);
    }

    private String integer(BigInteger value) {
        char code = type == 0 || type == 'n' ? 'd' : type;
        if (code == 'c') {
            return pad("", Character.toString(value.intValue()), align == 0 ? '<' : align);
        }
        if ("dxXob".indexOf(code) < 0 || precision >= 0) {
            throw Fault.value("Invalid format specifier " + Values.shortText(spec) + " for an int");
        }
        String digits = NumberFormat.integer(value, code, false);
        String prefix = NumberFormat.integer(value, code, alternate);
        prefix = prefix.substring(0, prefix.length() - digits.length());
        return pad(sign(value.signum() < 0) + prefix, grouped(digits, code == 'd' ? 3 : 4), align == 0 ? '>' : align);
    }

    private String real(double value) {
        boolean negative = Math.copySign(1, value) < 0 && !Double.isNaN(value);
        String digits;
        if (type == 0 && precision < 0) {
            digits = PyFormat.real(Math.abs(value));
        } else if (type != 0 && "eEfFgGn%".indexOf(type) < 0) {
            throw Fault.value("Unknown format code '" + type + "' for object of type 'float'");
        } else {
            char code = type == 0 || type == 'n' ? 'g' : type;
            digits = NumberFormat.real(budget, value, code, precision < 0 ? 6 : precision, alternate);
        }
        int end = 0;
        while (end < digits.length() && Character.isDigit(digits.charAt(end))) {
            end++;
        }
        String shown = grouped(digits.substring(0, end), 3) + digits.substring(end);
        return pad(sign(negative), shown, align == 0 ? '>' : align);
    }

    private String sign(boolean negative) {
        return negative ? "-" : sign == '-' ? "" : String.valueOf(sign);
    }

    private String grouped(String digits, int size) {
        if (grouping == 0) {
            return digits;
        }
        StringBuilder result = new StringBuilder();
        for (int i = 0; i < digits.length(); i++) {
            if (i > 0 && (digits.length() - i) % size == 0) {
                result.append(grouping);
            }
            result.append(digits.charAt(i));
        }
        return result.toString();
    }

    private String pad(String sign, String digits, char side) {
        long missing = Math.max(0, width - Text.length(sign) - Text.length(digits));
        long left = switch (side) {
            case '<', '=' -> 0;
            case '^' -> missing / 2;
            default -> missing;
        };
        String inner = side == '=' ? TextParts.repeat(budget, fill, missing) : "";
        long right = side == '=' ? 0 : missing - left;
        return TextParts.repeat(budget, fill, left) + sign + inner + digits + TextParts.repeat(budget, fill, right);
    }
}
