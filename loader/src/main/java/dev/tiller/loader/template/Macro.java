package dev.tiller.loader.template;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A macro, or the body of a call block that the called macro reaches as {@code caller}.
 *
 * @param definition what the template says
 * @param scope where it was defined
 */
record Macro(Definition definition, Scope scope) implements Callable {
    /** The last three say whether the body reads the name, which lets the macro accept what it holds. */
    record Definition(
            String name,
            List<Parameter> parameters,
            List<Stmt> body,
            boolean readsCaller,
            boolean readsKeywords,
            boolean readsVarargs) {
        boolean has(String parameter) {
            return parameters.stream().anyMatch(p -> p.name().equals(parameter));
        }
    }

    /** {@code value} is the default, null if there is none. */
    record Parameter(String name, Expr value) {}

    @Override
    public Object call(Interpreter run, Args args) {
        Scope inner = scope.inner();
        Map<String, Object> keywords = new LinkedHashMap<>(args.keywords());
        List<Parameter> parameters = definition.parameters();
        int given = Math.min(args.positional().size(), parameters.size());
        Map<String, Object> values = new HashMap<>();
        for (int i = 0; i < parameters.size(); i++) {
            String name = parameters.get(i).name();
            if (i < given) {
                values.put(name, args.positional().get(i));
            } else if (keywords.containsKey(name)) {
                values.put(name, keywords.remove(name));
            }
        }
        takeExtras(inner, args.positional(), keywords);
        return run.macro(definition, inner, values);
    }

    /** What is left after the parameters: caller, kwargs and varargs, or an error. */
    private void takeExtras(Scope inner, List<Object> positional, Map<String, Object> keywords) {
        if (definition.readsCaller() && !definition.has("caller")) {
            Object caller = keywords.remove("caller");
            inner.set("caller", caller == null ? Undefined.because("No caller defined") : caller);
        }
        if (definition.readsKeywords()) {
            inner.set("kwargs", keywords);
        } else if (!keywords.isEmpty()) {
            throw Fault.type("macro '" + definition.name() + "' takes no keyword argument '"
                    + keywords.keySet().iterator().next() + "'");
        }
        int count = definition.parameters().size();
        if (definition.readsVarargs()) {
            inner.set("varargs", new Tuple(positional.subList(Math.min(count, positional.size()), positional.size())));
        } else if (positional.size() > count) {
            throw Fault.type("macro '" + definition.name() + "' takes not more than " + count + " argument(s)");
        }
    }

    @Override
    public String toString() {
        return "<Macro '" + definition.name() + "'>";
    }
}
