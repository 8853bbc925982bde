package dev.tiller.loader.tokenizer;

import dev.tiller.loader.Messages;
import java.math.BigInteger;

/**
 * A score as the tokenizers library reads it from tokenizer.json. Its reader (serde_json) rounds twice: the digits to the
 * nearest float64, then the quotient with a power of ten, so that a score of 17 digits may be off by one in the last place.
 * Two ways to write a text that ought to tie then do not, and the first is not always the one that exact scores prefer.
 */
final class DecimalScore {
    private static final int LARGEST_POWER = 308;

    /** Farther than the digits of any text can bring back. */
    private static final BigInteger FARTHEST = BigInteger.ONE.shiftLeft(40);

    private DecimalScore() {}

    /**
     * @param literal a number of JSON
     * @throws NumberFormatException if it is none, or beyond float64: the library refuses such a file
     */
    static double parse(String literal) {
        double exact = Double.parseDouble(literal);
        int mark = Math.max(literal.indexOf('e'), literal.indexOf('E'));
        String digits = mark < 0 ? literal : literal.substring(0, mark);
        long power = mark < 0 ? 0 : exponent(literal.substring(mark + 1));
        long significand = 0;
        boolean fraction = false;
        boolean full = false;
        for (int i = 0; i < digits.length(); i++) {
            char c = digits.charAt(i);
            if (c == '.') {
                fraction = true;
            } else if (c >= '0' && c <= '9') {
                full |= overflows(significand, c - '0');
                significand = full ? significand : significand * 10 + (c - '0');
                power += (full ? 1 : 0) - (fraction ? 1 : 0);
            }
        }
        double value = scaled(unsigned(significand), power);
        if (!Double.isFinite(value) || !Double.isFinite(exact)) {
            throw new NumberFormatException("expected a score within float64, found " + Messages.quote(literal));
        }
        return Math.copySign(value, exact);
    }

    /** As far as it fits: beyond that, the score is zero or too large whatever its digits are. */
    private static long exponent(String digits) {
        return new BigInteger(digits).min(FARTHEST).max(FARTHEST.negate()).longValueExact();
    }

    private static double scaled(double significand, long power) {
        double value = significand;
        long left = power;
        while (left < -LARGEST_POWER && value != 0) {
            value /= 1e308;
            left += LARGEST_POWER;
        }
        if (value == 0) {
            return 0;
        }
        double ten = left > LARGEST_POWER ? Double.POSITIVE_INFINITY : Double.parseDouble("1e" + Math.abs(left));
        return left < 0 ? value / ten : value * ten;
    }

    private static boolean overflows(long significand, int digit) {
        long limit = Long.divideUnsigned(-1, 10);
        int order = Long.compareUnsigned(significand, limit);
        return order > 0 || order == 0 && digit > Long.remainderUnsigned(-1, 10);
    }

    private static double unsigned(long bits) {
        if (bits >= 0) {
            return bits;
        }
        // half of it keeps a bit for what was cut off, so it is rounded as the whole
        return 2.0 * (bits >>> 1 | bits & 1);
    }
}
