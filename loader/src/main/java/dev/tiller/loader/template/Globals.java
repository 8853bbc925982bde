package dev.tiller.loader.template;

import dev.tiller.loader.template.TemplateException.Kind;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Functions that every template can call. */
final class Globals {
    static final Map<String, Object> ALL = Map.of(
            "range", Callable.named("class 'range'", (run, args) -> Range.of(args)),
            "dict", Callable.named("class 'dict'", (run, args) -> dict(run.budget(), args)),
            "namespace", Callable.named("class 'Namespace'", Globals::namespace),
            "raise_exception", Callable.named("function raise_exception", Globals::raise),
            "strftime_now", Callable.named("function strftime_now", Globals::strftime));

    private Globals() {}

    private static Map<Object, Object> dict(Budget budget, Args args) {
        if (args.positional().size() > 1) {
            throw Fault.type(
                    "dict expected at most 1 argument, got " + args.positional().size());
        }
        Map<Object, Object> map = new LinkedHashMap<>();
        if (!args.positional().isEmpty()) {
            Object source = args.positional().getFirst();
            if (source instanceof Map<?, ?> given) {
                given.forEach((key, value) -> Values.put(budget, map, key, value));
            } else {
                pairs(budget, map, source);
            }
        }
        args.keywords().forEach((key, value) -> Values.put(budget, map, key, value));
        return map;
    }

    private static void pairs(Budget budget, Map<Object, Object> map, Object source) {
        for (Iterator<Object> it = Values.iterate(budget, source); it.hasNext(); ) {
            List<Object> pair = Values.list(budget, it.next());
            if (pair.size() != 2) {
                throw Fault.value("dictionary update sequence element has length " + pair.size() + "; 2 is required");
            }
            Values.put(budget, map, pair.get(0), pair.get(1));
        }
    }

    private static Object namespace(Interpreter run, Args args) {
        Namespace namespace = new Namespace();
        dict(run.budget(), args).forEach((key, value) -> {
            if (key instanceof String name) {
                namespace.attributes().put(name, value);
            }
        });
        return namespace;
    }

    private static Object raise(Interpreter run, Args args) {
        Object message = args.bind("raise_exception", "message").need(0);
        throw new Fault(Kind.TEMPLATE, PyFormat.str(run.budget(), message));
    }

    private static Object strftime(Interpreter run, Args args) {
        String format = Values.needText(args.bind("strftime_now", "format").need(0), "strftime_now()");
        return Strftime.format(run.budget(), run.now(), format);
    }
}
