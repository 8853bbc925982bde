package dev.tiller.persona.vectors;

import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.BinaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * An expression over vectors:
 *
 * <pre>
 * sum     := product (("+" | "-") product)*
 * product := factor (("*" | "/") factor)*
 * factor  := "-" factor | number | name | name "(" sum ("," sum)* ")" | "(" sum ")"
 * </pre>
 *
 * A number times a vector, a vector by a number, sums of vectors with the same blocks; numbers alone follow the usual rules.
 * {@link VectorFunctions} has the functions.
 */
final class Expression {
    private static final Pattern TOKEN = Pattern.compile(
            "\\s*(?:(\\d+\\.?\\d*(?:[eE][-+]?\\d+)?|\\.\\d+(?:[eE][-+]?\\d+)?)|([A-Za-z_]\\w*)|([-+*/(),]))");
    private static final int MAX_DEPTH = 100;

    private final String text;
    private final Map<String, Value> names;
    private final Set<String> used = new HashSet<>();
    private final List<String> tokens = new ArrayList<>();
    private int at;
    private int depth;

    Expression(String text, Map<String, Value> names) {
        this.text = text;
        this.names = names;
        Matcher m = TOKEN.matcher(text);
        int end = 0;
        while (end < text.length() && m.find(end) && m.start() == end) {
            tokens.add(m.group().strip());
            end = m.end();
        }
        if (!text.substring(end).isBlank()) {
            throw error("expected a number, a name or one of + - * / ( ) ,  at \""
                    + text.substring(end).strip() + "\"");
        }
    }

    /** The vector that it comes to. */
    Value result() {
        Object result = sum();
        if (at < tokens.size()) {
            throw error("expected an operator, found \"" + tokens.get(at) + "\"");
        }
        if (!(result instanceof Value v)) {
            throw error("it comes to a number, a vector is expected");
        }
        return v;
    }

    /** Names that were read. */
    Set<String> used() {
        return used;
    }

    private Object sum() {
        Object left = product();
        while (peek().equals("+") || peek().equals("-")) {
            double sign = next().equals("+") ? 1 : -1;
            Object right = product();
            if (left instanceof Double a && right instanceof Double b) {
                left = a + sign * b;
            } else if (left instanceof Value a && right instanceof Value b) {
                left = both(a, b, (x, y) -> Value.plus(x, sign, y));
            } else {
                throw error("a number and a vector cannot be added");
            }
        }
        return left;
    }

    private Object product() {
        Object left = factor();
        while (peek().equals("*") || peek().equals("/")) {
            boolean times = next().equals("*");
            Object right = factor();
            if (left instanceof Double a && right instanceof Double b) {
                left = times ? a * b : a / b;
            } else if (left instanceof Value a && right instanceof Double b) {
                left = scaled(a, times ? b : 1 / b);
            } else if (times && left instanceof Double a && right instanceof Value b) {
                left = scaled(b, a);
            } else {
                throw error(times ? "two vectors cannot be multiplied" : "only a number can divide");
            }
        }
        return left;
    }

    private Object factor() {
        if (++depth > MAX_DEPTH) {
            throw error("expected at most " + MAX_DEPTH + " parentheses and signs within each other");
        }
        try {
            return innermost();
        } finally {
            depth--;
        }
    }

    private Object innermost() {
        String token = next();
        char c = token.isEmpty() ? ' ' : token.charAt(0);
        if (c == '-') {
            Object value = factor();
            return value instanceof Double d ? (Object) (-d) : scaled((Value) value, -1);
        }
        if (c == '(') {
            Object value = sum();
            expect(")");
            return value;
        }
        if (c == '.' || Character.isDigit(c)) {
            return Double.parseDouble(token);
        }
        if (Character.isLetter(c) || c == '_') {
            return peek().equals("(") ? call(token) : vector(token);
        }
        throw error(token.isEmpty() ? "it ends too early" : "expected a number or a name, found \"" + token + "\"");
    }

    private Value vector(String name) {
        Value value = names.get(name);
        if (value == null) {
            throw error("\"" + name + "\" is not given; known: " + String.join(", ", names.keySet()) + " (--vector "
                    + name + "=FILE)");
        }
        used.add(name);
        return value;
    }

    private Value call(String function) {
        expect("(");
        List<Object> arguments = new ArrayList<>();
        do {
            arguments.add(sum());
        } while (peek().equals(",") && !next().isEmpty());
        expect(")");
        try {
            return VectorFunctions.call(function, arguments);
        } catch (TillerException e) {
            throw error(function + ": " + e.getMessage());
        }
    }

    private void expect(String token) {
        if (!peek().equals(token)) {
            throw error("expected \"" + token + "\", found " + (peek().isEmpty() ? "its end" : "\"" + peek() + "\""));
        }
        at++;
    }

    private String peek() {
        return at < tokens.size() ? tokens.get(at) : "";
    }

    private String next() {
        String token = peek();
        at++;
        return token;
    }

    /** Row by row; extras only where both have them. */
    private Value both(Value a, Value b, BinaryOperator<double[]> f) {
        if (!a.blocks().keySet().equals(b.blocks().keySet())) {
            throw error("vectors with blocks " + a.blocks().keySet() + " and "
                    + b.blocks().keySet() + " cannot be added; merge(a, b) or blocks(a, 1, 2) may be what is meant");
        }
        TreeMap<Integer, double[][]> blocks = new TreeMap<>();
        a.blocks().forEach((block, rows) -> {
            double[][] other = b.blocks().get(block);
            if (rows.length != other.length) {
                throw error("block " + block + " has " + rows.length + " and " + other.length + " directions");
            }
            double[][] out = new double[rows.length][];
            for (int k = 0; k < out.length; k++) {
                out[k] = f.apply(rows[k], other[k]);
            }
            blocks.put(block, out);
        });
        Map<String, double[][]> extras = new LinkedHashMap<>();
        a.extras().forEach((key, row) -> {
            if (b.extras().containsKey(key)) {
                extras.put(key, new double[][] {f.apply(row[0], b.extras().get(key)[0])});
            }
        });
        return new Value(blocks, extras);
    }

    private static Value scaled(Value a, double s) {
        TreeMap<Integer, double[][]> blocks = new TreeMap<>();
        a.blocks().forEach((block, rows) -> {
            double[][] out = new double[rows.length][];
            for (int k = 0; k < out.length; k++) {
                out[k] = Value.times(s, rows[k]);
            }
            blocks.put(block, out);
        });
        Map<String, double[][]> extras = new LinkedHashMap<>();
        a.extras().forEach((key, row) -> extras.put(key, new double[][] {Value.times(s, row[0])}));
        return new Value(blocks, extras);
    }

    private TillerException error(String message) {
        return new TillerException("arith \"" + text + "\": " + message);
    }
}
