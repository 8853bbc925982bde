package dev.tiller.loader.template;

import dev.tiller.loader.template.TemplateException.Kind;
import java.math.BigInteger;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Predicate;

/** What can follow {@code is}. */
final class Tests {
    private interface Test {
        boolean passes(Interpreter run, Object value, Args args);
    }

    private static final Map<String, Test> ALL = new HashMap<>();

    static {
        ofType("defined", value -> !(value instanceof Undefined));
        ofType("undefined", value -> value instanceof Undefined);
        ofType("none", value -> value == null);
        ofType("boolean", value -> value instanceof Boolean);
        ofType("true", value -> Boolean.TRUE.equals(value));
        ofType("false", value -> Boolean.FALSE.equals(value));
        ofType("integer", value -> value instanceof Long || value instanceof BigInteger);
        ofType("float", value -> value instanceof Double);
        ofType("number", Numbers::isNumber);
        ofType("string", value -> Values.textOrNull(value) != null);
        ofType("mapping", value -> value instanceof Map<?, ?>);
        ofType("sequence", Tests::isSequence);
        ofType("iterable", Values::iterable);
        // An undefined value has a call operator in Jinja, too: the one that raises.
        ofType("callable", value -> value instanceof Callable || value instanceof Undefined);
        ofType("escaped", value -> value instanceof Markup);
        plain("lower", (run, value, args) -> inOneCase(run.budget(), value, false));
        plain("upper", (run, value, args) -> inOneCase(run.budget(), value, true));
        plain("odd", (run, value, args) -> remainder(run, value, 2L, 1L));
        plain("even", (run, value, args) -> remainder(run, value, 2L, 0L));
        ALL.put("divisibleby", (run, value, args) -> remainder(run, value, only(args, "divisibleby"), 0L));
        ALL.put("sameas", (run, value, args) -> isSame(run, value, only(args, "sameas")));
        ALL.put("in", (run, value, args) -> Compare.contains(run.budget(), only(args, "in"), value));
        plain("filter", (run, value, args) -> value instanceof String name && Filters.exists(name));
        plain("test", (run, value, args) -> value instanceof String name && exists(name));
        comparison("==", "eq", "equalto");
        comparison("!=", "ne");
        comparison(">", "gt", "greaterthan");
        comparison(">=", "ge");
        comparison("<", "lt", "lessthan");
        comparison("<=", "le");
    }

    private Tests() {}

    private static void ofType(String name, Predicate<Object> test) {
        plain(name, (run, value, args) -> test.test(value));
    }

    /** A test without arguments. */
    private static void plain(String name, Test test) {
        ALL.put(name, (run, value, args) -> {
            args.exactly(name, 0, 0);
            return test.passes(run, value, args);
        });
    }

    private static void comparison(String operator, String... names) {
        Test test = (run, value, args) -> Operators.compare(run.budget(), operator, value, only(args, operator));
        ALL.put(operator, test);
        for (String name : names) {
            ALL.put(name, test);
        }
    }

    static boolean exists(String name) {
        return ALL.containsKey(name);
    }

    static boolean apply(Interpreter run, String name, Object value, Args args) {
        Test test = ALL.get(name);
        if (test == null) {
            throw new Fault(Kind.RUNTIME, "No test named '" + name + "' found.");
        }
        return test.passes(run, value, args);
    }

    private static Object only(Args args, String name) {
        return args.exactly(name, 1, 1).getFirst();
    }

    private static boolean inOneCase(Budget budget, Object value, boolean upper) {
        String text = PyFormat.str(budget, value);
        budget.scan(text.length());
        return StringMethods.inOneCase(text, upper);
    }

    private static boolean isSequence(Object value) {
        return Values.sized(value) && !(value instanceof DictView) && !(value instanceof LoopState);
    }

    private static boolean remainder(Interpreter run, Object value, Object divisor, long wanted) {
        return Compare.same(run.budget(), Operators.binary(run.budget(), "%", value, divisor), wanted);
    }

    /** Python's {@code is}: the same object; strings and numbers of equal type and value count as one. */
    private static boolean isSame(Interpreter run, Object value, Object other) {
        boolean scalar = value instanceof Number || value instanceof String;
        return value == other || (scalar && value.equals(other)) || (value instanceof Boolean b && b.equals(other));
    }
}
