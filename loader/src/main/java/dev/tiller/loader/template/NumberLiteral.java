package dev.tiller.loader.template;

import java.math.BigInteger;

/**
 * Number literals of templates: decimal, 0x, 0o, 0b, with underscores between digits; floats with a fraction, an
 * exponent or both.
 *
 * @param value Long, BigInteger or Double
 * @param end index after the literal
 */
record NumberLiteral(Object value, int end) {
    /** @param afterDot true after a dot, where {@code 0.5} means element 0, then element 5 */
    static NumberLiteral read(String source, int start, boolean afterDot, int line) {
        int radix = radix(source, start);
        if (radix != 10) {
            int end = digits(source, start + 2, radix);
            return integer(source.substring(start + 2, end), radix, end, line);
        }
        int end = digits(source, start, 10);
        if (!afterDot) {
            int fraction = charAt(source, end) == '.' ? digits(source, end + 1, 10) : end;
            int mantissa = fraction > end + 1 ? fraction : end;
            int exponent = exponent(source, mantissa);
            if (exponent > end) {
                String text = source.substring(start, exponent).replace("_", "");
                return new NumberLiteral(Double.parseDouble(text), exponent);
            }
        }
        if (source.charAt(start) == '0') {
            end = start + 1;
            while (charAt(source, end) == '0' || (charAt(source, end) == '_' && charAt(source, end + 1) == '0')) {
                end++;
            }
        }
        return integer(source.substring(start, end), 10, end, line);
    }

    private static NumberLiteral integer(String digits, int radix, int end, int line) {
        String plain = digits.replace("_", "");
        if (plain.length() > 1000) {
            throw new SyntaxFault(line, "integer literal of " + plain.length() + " digits");
        }
        return new NumberLiteral(Numbers.normal(new BigInteger(plain, radix)), end);
    }

    private static int radix(String source, int start) {
        if (source.charAt(start) != '0') {
            return 10;
        }
        int radix = switch (charAt(source, start + 1)) {
            case 'x', 'X' -> 16;
            case 'o', 'O' -> 8;
            case 'b', 'B' -> 2;
            default -> 10;
        };
        return radix != 10 && digits(source, start + 2, radix) > start + 2 ? radix : 10;
    }

    private static char charAt(String source, int i) {
        return i < source.length() ? source.charAt(i) : 0;
    }

    private static boolean isDigit(char c, int radix) {
        return c < 128 && Character.digit(c, radix) >= 0;
    }

    /** End of a run of digits; an underscore counts if a digit follows. */
    private static int digits(String source, int start, int radix) {
        int i = start;
        while (isDigit(charAt(source, i), radix)
                || (charAt(source, i) == '_' && (i > start || radix != 10) && isDigit(charAt(source, i + 1), radix))) {
            i++;
        }
        return i;
    }

    private static int exponent(String source, int at) {
        if (charAt(source, at) != 'e' && charAt(source, at) != 'E') {
            return at;
        }
        int sign = charAt(source, at + 1) == '+' || charAt(source, at + 1) == '-' ? 1 : 0;
        int end = digits(source, at + 1 + sign, 10);
        return end > at + 1 + sign ? end : at;
    }
}
