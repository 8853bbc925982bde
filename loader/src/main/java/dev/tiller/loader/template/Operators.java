package dev.tiller.loader.template;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;

/** Python's operators on any values. */
final class Operators {
    private Operators() {}

    static Object sign(boolean negative, Object value) {
        if (value instanceof Undefined undefined) {
            throw undefined.fault();
        }
        if (!Numbers.isNumber(value)) {
            throw Fault.type(
                    "bad operand type for unary " + (negative ? "-" : "+") + ": '" + Values.typeName(value) + "'");
        }
        return negative ? Numbers.negate(value) : value instanceof Boolean b ? (Object) (b ? 1L : 0L) : value;
    }

    static Object binary(Budget budget, String operator, Object a, Object b) {
        String format = operator.equals("%") ? Values.textOrNull(a) : null;
        if (format != null) {
            return percent(budget, a, format, b);
        }
        if (a instanceof Undefined undefined) {
            throw undefined.fault();
        }
        if (b instanceof Undefined undefined) {
            throw undefined.fault();
        }
        if (Numbers.isNumber(a) && Numbers.isNumber(b)) {
            boolean big = a instanceof BigInteger || b instanceof BigInteger || operator.equals("**");
            budget.steps(big ? 100 : 1);
            return arithmetic(operator, a, b);
        }
        Object result = switch (operator) {
            case "+" -> join(budget, a, b);
            case "*" -> Numbers.isInteger(b) ? repeat(budget, a, b) : repeat(budget, b, a);
            default -> null;
        };
        if (result == null) {
            throw Fault.type("unsupported operand type(s) for " + operator + ": '" + Values.typeName(a) + "' and '"
                    + Values.typeName(b) + "'");
        }
        return result;
    }

    private static Object arithmetic(String operator, Object a, Object b) {
        return switch (operator) {
            case "+" -> Numbers.add(a, b);
            case "-" -> Numbers.subtract(a, b);
            case "*" -> Numbers.multiply(a, b);
            case "/" -> Numbers.divide(a, b);
            case "//" -> Numbers.floorDivide(a, b);
            case "%" -> Numbers.modulo(a, b);
            default -> Numbers.power(a, b);
        };
    }

    private static Object percent(Budget budget, Object owner, String format, Object values) {
        if (!(owner instanceof Markup)) {
            return PercentFormat.format(budget, format, values, false);
        }
        return new Markup(PercentFormat.format(budget, format, values, true));
    }

    /** Concatenation of strings, lists or tuples; null if the types do not fit. */
    private static Object join(Budget budget, Object a, Object b) {
        String left = Values.textOrNull(a);
        String right = Values.textOrNull(b);
        if (left != null && right != null) {
            budget.text((long) left.length() + right.length());
            if (a instanceof Markup || b instanceof Markup) {
                return new Markup((a instanceof Markup ? left : Markup.escape(left))
                        + (b instanceof Markup ? right : Markup.escape(right)));
            }
            return left.concat(right);
        }
        if (a instanceof Range || b instanceof Range) {
            return null;
        }
        boolean tuples = a instanceof Tuple && b instanceof Tuple;
        if (tuples || (a instanceof List<?> && b instanceof List<?>)) {
            List<?> first = Values.sequenceOrNull(a);
            List<?> second = Values.sequenceOrNull(b);
            budget.elements((long) first.size() + second.size());
            List<Object> items = new ArrayList<>(first);
            items.addAll(second);
            return tuples ? new Tuple(items) : items;
        }
        if (left != null || a instanceof List<?> || a instanceof Tuple) {
            String type = left != null ? "str" : Values.typeName(a);
            throw Fault.type("can only concatenate " + type + " (not \"" + Values.typeName(b) + "\") to " + type);
        }
        return null;
    }

    private static Object repeat(Budget budget, Object value, Object times) {
        String text = Values.textOrNull(value);
        List<?> items = Values.sequenceOrNull(value);
        if (!Numbers.isInteger(times) || value instanceof Range || (text == null && items == null)) {
            return null;
        }
        long count = Math.max(0, Numbers.index(times, "*"));
        if (text != null) {
            String repeated = TextParts.repeat(budget, text, count);
            return value instanceof Markup ? new Markup(repeated) : repeated;
        }
        List<Object> result = new ArrayList<>();
        for (long i = 0; i < count && !items.isEmpty(); i++) {
            budget.elements(items.size());
            result.addAll(items);
        }
        return value instanceof Tuple ? new Tuple(result) : result;
    }

    static boolean compare(Budget budget, String operator, Object a, Object b) {
        return switch (operator) {
            case "==" -> Compare.same(budget, a, b);
            case "!=" -> !Compare.same(budget, a, b);
            case "in" -> Compare.contains(budget, b, a);
            case "not in" -> !Compare.contains(budget, b, a);
            default -> Compare.ordered(budget, a, b, operator);
        };
    }
}
