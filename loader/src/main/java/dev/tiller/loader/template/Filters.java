package dev.tiller.loader.template;

import dev.tiller.loader.template.TemplateException.Kind;
import java.util.HashMap;
import java.util.Map;

/** All filters by name, and those that make one value of another. */
final class Filters {
    /** A filter: what stands before the bar, and the arguments after its name. */
    interface Filter {
        Object apply(Interpreter run, Object value, Args args);
    }

    private static final Map<String, Filter> ALL = new HashMap<>();

    static {
        ALL.putAll(StringFilters.all());
        ALL.putAll(SequenceFilters.all());
        ALL.putAll(SelectionFilters.all());
        plain(ALL, "abs", (run, value, args) -> abs(value));
        ALL.put(
                "attr",
                (run, value, args) -> Attributes.attributeOnly(
                        value, args.bind("attr", "name").text(0)));
        ALL.put("default", Filters::orDefault);
        ALL.put("d", Filters::orDefault);
        ALL.put("float", (run, value, args) -> toFloat(run.budget(), value, args));
        ALL.put("int", (run, value, args) -> toInt(run.budget(), value, args));
        plain(ALL, "length", (run, value, args) -> Values.length(run.budget(), value));
        plain(ALL, "count", (run, value, args) -> Values.length(run.budget(), value));
        ALL.put("round", (run, value, args) -> round(value, args));
        ALL.put("tojson", (run, value, args) -> PyJson.dumps(run.budget(), value, args));
    }

    private Filters() {}

    /** Adds a filter that takes no arguments. */
    static void plain(Map<String, Filter> filters, String name, Filter filter) {
        filters.put(name, (run, value, args) -> {
            args.exactly(name, 0, 0);
            return filter.apply(run, value, args);
        });
    }

    static boolean exists(String name) {
        return ALL.containsKey(name);
    }

    static Object apply(Interpreter run, String name, Object value, Args args) {
        Filter filter = ALL.get(name);
        if (filter == null) {
            throw new Fault(Kind.RUNTIME, "No filter named '" + name + "' found.");
        }
        return filter.apply(run, value, args);
    }

    private static Object abs(Object value) {
        return Numbers.absolute(number(value, "abs()"));
    }

    private static Object number(Object value, String where) {
        if (value instanceof Undefined undefined) {
            throw undefined.fault();
        }
        if (!Numbers.isNumber(value)) {
            throw Fault.type(where + " needs a number, not '" + Values.typeName(value) + "'");
        }
        return value;
    }

    private static Object orDefault(Interpreter run, Object value, Args args) {
        Args.Bound bound = args.bind("default", "default_value", "boolean");
        boolean missing = value instanceof Undefined || (bound.flag(1, false) && !Values.truth(value));
        return missing ? bound.get(0, "") : value;
    }

    private static Object toFloat(Budget budget, Object value, Args args) {
        Object otherwise = args.bind("float", "default").get(0, 0.0);
        if (value instanceof Undefined undefined) {
            throw undefined.fault();
        }
        if (Numbers.isNumber(value)) {
            return Numbers.real(value);
        }
        String text = Values.textOrNull(value);
        budget.scan(text == null ? 0 : text.length());
        Double parsed = text == null ? null : NumberText.real(text);
        return parsed == null ? otherwise : parsed;
    }

    private static Object toInt(Budget budget, Object value, Args args) {
        Args.Bound bound = args.bind("int", "default", "base");
        Object otherwise = bound.get(0, 0L);
        if (value instanceof Undefined undefined) {
            throw undefined.fault();
        }
        if (Numbers.isInteger(value)) {
            return Numbers.normal(Numbers.big(value));
        }
        if (value instanceof Double real) {
            return Double.isNaN(real) ? otherwise : Numbers.truncate(real);
        }
        String text = Values.textOrNull(value);
        if (text == null) {
            return otherwise;
        }
        budget.scan(text.length());
        Object parsed = NumberText.integer(text, Math.clamp(bound.integer(1, 10), -1, 99));
        if (parsed != null) {
            return parsed;
        }
        Double real = NumberText.real(text);
        return real == null || real.isNaN() || real.isInfinite() ? otherwise : Numbers.truncate(real);
    }

    private static Object round(Object value, Args args) {
        Args.Bound bound = args.bind("round", "precision", "method");
        Object number = number(value, "round()");
        String method = bound.has(1) ? Values.needText(bound.need(1), "round()") : "common";
        int precision = Math.clamp(bound.integer(0, 0), -400, 400);
        if (method.equals("common")) {
            return NumberText.round(number, precision);
        }
        double scale = Math.pow(10, precision);
        double scaled = Numbers.real(number) * scale;
        return switch (method) {
            case "ceil" -> (Math.ceil(scaled) + 0.0) / scale; // Python's is an integer, which has no minus zero
            case "floor" -> (Math.floor(scaled) + 0.0) / scale;
            default -> throw Fault.value("method must be common, ceil or floor");
        };
    }
}
