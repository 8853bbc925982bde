package dev.tiller.loader.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;

/** Digits of numbers as Python's format codes ask for them; signs and padding are left to the caller. */
final class NumberFormat {
    private NumberFormat() {}

    /**
     * The absolute value of a number.
     *
     * @param code one of {@code e E f F g G %}
     * @param precision digits after the point, or significant digits for g
     * @param alternate keep the zeros that g would drop
     */
    static String real(Budget budget, double value, char code, long precision, boolean alternate) {
        budget.text(precision);
        if (precision > 10_000) {
            throw Fault.value("precision too big");
        }
        double size = Math.abs(value);
        boolean upper = Character.isUpperCase(code);
        if (Double.isNaN(size) || Double.isInfinite(size)) {
            String word = Double.isNaN(size) ? "nan" : "inf";
            return (upper ? Text.upper(word) : word) + (code == '%' ? "%" : "");
        }
        String digits = switch (Character.toLowerCase(code)) {
            case 'e' -> scientific(size, (int) precision);
            case 'g' -> general(size, (int) Math.max(1, precision), alternate);
            case '%' -> fixed(size * 100, (int) precision) + "%";
            default -> fixed(size, (int) precision);
        };
        return upper ? Text.upper(digits) : digits;
    }

    private static String fixed(double size, int precision) {
        return new BigDecimal(size).setScale(precision, RoundingMode.HALF_EVEN).toPlainString();
    }

    private static String scientific(double size, int precision) {
        BigDecimal exact = new BigDecimal(size);
        if (exact.signum() == 0) {
            return "0" + (precision > 0 ? "." + "0".repeat(precision) : "") + "e+00";
        }
        BigDecimal rounded = exact.round(new java.math.MathContext(precision + 1, RoundingMode.HALF_EVEN));
        int exponent = rounded.precision() - rounded.scale() - 1;
        String digits = rounded.unscaledValue().toString();
        digits = digits.length() > precision + 1
                ? digits.substring(0, precision + 1)
                : digits + "0".repeat(precision + 1 - digits.length());
        String mantissa = digits.charAt(0) + (precision > 0 ? "." + digits.substring(1) : "");
        String power = (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
        return mantissa + "e" + (exponent < 0 ? "-" : "+") + power;
    }

    private static String general(double size, int precision, boolean alternate) {
        String scientific = scientific(size, precision - 1);
        int mark = scientific.indexOf('e');
        int exponent = Integer.parseInt(scientific.substring(mark + 1));
        if (exponent < -4 || exponent >= precision) {
            String mantissa = scientific.substring(0, mark);
            return (alternate ? mantissa : withoutZeros(mantissa)) + scientific.substring(mark);
        }
        String fixed = fixed(size, precision - 1 - exponent);
        return alternate ? fixed : withoutZeros(fixed);
    }

    private static String withoutZeros(String digits) {
        if (digits.indexOf('.') < 0) {
            return digits;
        }
        int end = digits.length();
        while (digits.charAt(end - 1) == '0') {
            end--;
        }
        return digits.substring(0, digits.charAt(end - 1) == '.' ? end - 1 : end);
    }

    /** The absolute value of an integer for {@code d x X o b}, with the prefix of its base if {@code alternate}. */
    static String integer(BigInteger value, char code, boolean alternate) {
        BigInteger size = value.abs();
        return switch (code) {
            case 'x' -> (alternate ? "0x" : "") + size.toString(16);
            case 'X' -> (alternate ? "0X" : "") + Text.upper(size.toString(16));
            case 'o' -> (alternate ? "0o" : "") + size.toString(8);
            case 'b' -> (alternate ? "0b" : "") + size.toString(2);
            default -> size.toString();
        };
    }
}
