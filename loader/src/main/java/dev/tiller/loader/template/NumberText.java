package dev.tiller.loader.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;

/** Reading numbers from strings, and rounding, as Python's int(), float() and round() do. */
final class NumberText {
    private static final int MAX_DIGITS = 2000;

    private NumberText() {}

    /** The float that the text spells, or null. */
    static Double real(String text) {
        String plain = withoutUnderscores(Text.strip(text, null, true, true));
        if (plain == null || plain.isEmpty() || plain.length() > MAX_DIGITS) {
            return null;
        }
        String word = Text.lower(plain.startsWith("+") || plain.startsWith("-") ? plain.substring(1) : plain);
        double sign = plain.startsWith("-") ? -1 : 1;
        if (word.equals("inf") || word.equals("infinity")) {
            return sign * Double.POSITIVE_INFINITY;
        }
        if (word.equals("nan")) {
            return Double.NaN;
        }
        // parseDouble reads more than Python does: hexadecimal and the suffixes d and f.
        if (!word.chars().allMatch(c -> "0123456789.e+-".indexOf(c) >= 0)) {
            return null;
        }
        try {
            return sign * Double.parseDouble(word);
        } catch (NumberFormatException none) {
            return null;
        }
    }

    /** The int that the text spells in that base (0: the base its prefix names), or null. */
    static Object integer(String text, int base) {
        String plain = withoutUnderscores(Text.strip(text, null, true, true));
        if (plain == null || plain.isEmpty() || plain.length() > MAX_DIGITS || base == 1 || base < 0 || base > 36) {
            return null;
        }
        boolean negative = plain.startsWith("-");
        String digits = negative || plain.startsWith("+") ? plain.substring(1) : plain;
        int prefixed = prefixBase(digits);
        if (prefixed != 0 && (base == 0 || base == prefixed)) {
            digits = digits.substring(2);
        }
        int radix = base != 0 ? base : prefixed != 0 ? prefixed : 10;
        if (digits.isEmpty() || !digits.chars().allMatch(c -> Character.digit(c, radix) >= 0)) {
            return null;
        }
        BigInteger value = new BigInteger(digits, radix);
        return value.bitLength() > 4 * MAX_DIGITS ? null : Numbers.normal(negative ? value.negate() : value);
    }

    private static int prefixBase(String digits) {
        String prefix = Text.lower(digits.substring(0, Math.min(2, digits.length())));
        return switch (prefix) {
            case "0x" -> 16;
            case "0o" -> 8;
            case "0b" -> 2;
            default -> 0;
        };
    }

    /** Underscores may stand between digits; null if one stands elsewhere. */
    private static String withoutUnderscores(String text) {
        for (int i = text.indexOf('_'); i >= 0; i = text.indexOf('_', i + 1)) {
            boolean between = i > 0
                    && i + 1 < text.length()
                    && Character.isLetterOrDigit(text.charAt(i - 1))
                    && Character.isLetterOrDigit(text.charAt(i + 1));
            if (!between) {
                return null;
            }
        }
        return text.replace("_", "");
    }

    /** To so many digits after the point, halves to even; an int stays one. */
    static Object round(Object number, int precision) {
        if (Numbers.isInteger(number)) {
            BigDecimal exact = new BigDecimal(Numbers.big(number));
            return precision >= 0
                    ? Numbers.normal(exact.toBigInteger())
                    : Numbers.normal(
                            exact.setScale(precision, RoundingMode.HALF_EVEN).toBigInteger());
        }
        double value = Numbers.real(number);
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            return value;
        }
        double rounded = new BigDecimal(value)
                .setScale(precision, RoundingMode.HALF_EVEN)
                .doubleValue();
        return Math.copySign(rounded, value);
    }
}
