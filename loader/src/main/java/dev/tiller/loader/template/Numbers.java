package dev.tiller.loader.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;

/** Python's arithmetic on int (of any size, within reason), float and bool. */
final class Numbers {
    /** Larger integers end in an error; Python would go on, but no prompt needs them. */
    private static final int MAX_BITS = 8192;

    /** Halves of integers below this add without overflow. */
    private static final long LARGE = 1L << 61;

    private Numbers() {}

    static boolean isNumber(Object value) {
        return value instanceof Long || value instanceof Double || value instanceof Boolean || isBig(value);
    }

    private static boolean isBig(Object value) {
        return value instanceof BigInteger;
    }

    static boolean isInteger(Object value) {
        return value instanceof Long || value instanceof Boolean || isBig(value);
    }

    static BigInteger big(Object value) {
        return switch (value) {
            case BigInteger n -> n;
            case Boolean b -> b ? BigInteger.ONE : BigInteger.ZERO;
            default -> BigInteger.valueOf((Long) value);
        };
    }

    static double real(Object value) {
        return switch (value) {
            case Double d -> d;
            case BigInteger n -> finite(n.doubleValue());
            case Boolean b -> b ? 1 : 0;
            default -> (double) (Long) value;
        };
    }

    private static double finite(double converted) {
        if (Double.isInfinite(converted)) {
            throw arithmetic("int too large to convert to float");
        }
        return converted;
    }

    /** Long if it fits, else BigInteger: each integer has one form. */
    static Object normal(BigInteger value) {
        if (value.bitLength() > MAX_BITS) {
            throw arithmetic("integer of more than " + MAX_BITS + " bits");
        }
        return value.bitLength() < 64 ? (Object) value.longValue() : value;
    }

    /** An int argument, e.g. of range or of an index; larger ones than 64 bits are cut to the nearest. */
    static long index(Object value, String where) {
        return switch (value) {
            case Long n -> n;
            case Boolean b -> b ? 1 : 0;
            case BigInteger n -> n.signum() < 0 ? Long.MIN_VALUE : Long.MAX_VALUE;
            case Undefined u -> throw u.fault();
            case null -> throw Fault.type(where + " needs an int, not 'NoneType'");
            default -> throw Fault.type(where + " needs an int, not '" + Values.typeName(value) + "'");
        };
    }

    static Object add(Object a, Object b) {
        if (a instanceof Double || b instanceof Double) {
            return real(a) + real(b);
        }
        if (a instanceof Long x && b instanceof Long y && Math.abs(x >> 1) < LARGE && Math.abs(y >> 1) < LARGE) {
            return x + y;
        }
        return normal(big(a).add(big(b)));
    }

    static Object subtract(Object a, Object b) {
        if (a instanceof Double || b instanceof Double) {
            return real(a) - real(b);
        }
        return normal(big(a).subtract(big(b)));
    }

    static Object multiply(Object a, Object b) {
        if (a instanceof Double || b instanceof Double) {
            return real(a) * real(b);
        }
        return normal(big(a).multiply(big(b)));
    }

    static Object divide(Object a, Object b) {
        if (a instanceof Double || b instanceof Double) {
            nonZero(real(b), "float division by zero");
            return real(a) / real(b);
        }
        nonZero(big(b).signum(), "division by zero");
        if (big(a).bitLength() <= 53 && big(b).bitLength() <= 53) {
            return real(a) / real(b);
        }
        double quotient = new BigDecimal(big(a))
                .divide(new BigDecimal(big(b)), new java.math.MathContext(400, RoundingMode.HALF_EVEN))
                .doubleValue();
        return finite(quotient);
    }

    /** Rounds towards minus infinity. */
    static Object floorDivide(Object a, Object b) {
        if (a instanceof Double || b instanceof Double) {
            double x = real(a);
            double y = real(b);
            nonZero(y, "float floor division by zero");
            double quotient = (x - floatModulo(x, y)) / y;
            double floor = Math.floor(quotient);
            return quotient - floor > 0.5 ? floor + 1 : floor == 0 ? Math.copySign(0.0, x / y) : floor;
        }
        nonZero(big(b).signum(), "integer division or modulo by zero");
        return normal(big(a).subtract(floorModulo(big(a), big(b))).divide(big(b)));
    }

    /** The sign of the result is that of the divisor. */
    static Object modulo(Object a, Object b) {
        if (a instanceof Double || b instanceof Double) {
            nonZero(real(b), "float modulo");
            return floatModulo(real(a), real(b));
        }
        nonZero(big(b).signum(), "integer modulo by zero");
        return normal(floorModulo(big(a), big(b)));
    }

    private static BigInteger floorModulo(BigInteger a, BigInteger b) {
        BigInteger rest = a.remainder(b);
        return rest.signum() != 0 && rest.signum() != b.signum() ? rest.add(b) : rest;
    }

    private static double floatModulo(double x, double y) {
        double rest = x % y;
        if (rest == 0) {
            return Math.copySign(0.0, y);
        }
        return (rest < 0) != (y < 0) ? rest + y : rest;
    }

    static Object power(Object a, Object b) {
        boolean integers = isInteger(a) && isInteger(b);
        if (integers && big(b).signum() >= 0) {
            return integerPower(big(a), big(b));
        }
        double base = real(a);
        double exponent = real(b);
        if (base == 0 && exponent < 0) {
            throw arithmetic("0.0 cannot be raised to a negative power");
        }
        if (base < 0 && exponent != Math.rint(exponent) && !Double.isInfinite(base)) {
            throw Fault.value("a negative number to a fractional power is not a real number");
        }
        double result = base == 1 ? 1 : Math.pow(base, exponent);
        if (Double.isInfinite(result) && !Double.isInfinite(base) && !Double.isInfinite(exponent)) {
            throw arithmetic("result of a power is too large");
        }
        return result;
    }

    private static Object integerPower(BigInteger base, BigInteger exponent) {
        if (base.bitLength() <= 1 && base.abs().compareTo(BigInteger.ONE) <= 0) {
            boolean even = !exponent.testBit(0);
            return exponent.signum() == 0 || (even && base.signum() < 0) ? (Object) 1L : base.longValue();
        }
        if (exponent.bitLength() > 31 || (long) base.abs().bitLength() * exponent.intValue() > 2L * MAX_BITS) {
            throw arithmetic("result of a power is too large");
        }
        return normal(base.pow(exponent.intValue()));
    }

    static Object negate(Object value) {
        return value instanceof Double d ? (Object) (-d) : normal(big(value).negate());
    }

    static Object absolute(Object value) {
        return value instanceof Double d
                ? (Object) Math.abs(d)
                : normal(big(value).abs());
    }

    /** The order of two numbers; 0 if one of them is NaN. */
    static int compare(Object a, Object b) {
        if (isNan(a) || isNan(b)) {
            return 0;
        }
        if (a instanceof Long x && b instanceof Long y) {
            return Long.compare(x, y);
        }
        if (a instanceof Double || b instanceof Double) {
            double x = a instanceof Double d ? d : 0;
            double y = b instanceof Double d ? d : 0;
            if (Double.isInfinite(x) || Double.isInfinite(y)) {
                return Double.compare(x, y);
            }
            return exact(a).compareTo(exact(b));
        }
        return big(a).compareTo(big(b));
    }

    private static BigDecimal exact(Object value) {
        return value instanceof Double d ? new BigDecimal(d) : new BigDecimal(big(value));
    }

    static boolean isNan(Object value) {
        return value instanceof Double d && Double.isNaN(d);
    }

    /** Python's int() of a float: cuts towards zero. */
    static Object truncate(double value) {
        if (Double.isNaN(value)) {
            throw Fault.value("cannot convert float NaN to integer");
        }
        if (Double.isInfinite(value)) {
            throw arithmetic("cannot convert float infinity to integer");
        }
        return normal(new BigDecimal(value).toBigInteger());
    }

    private static void nonZero(double divisor, String message) {
        if (divisor == 0) {
            throw arithmetic(message);
        }
    }

    static Fault arithmetic(String message) {
        return new Fault(TemplateException.Kind.ARITHMETIC, message);
    }
}
