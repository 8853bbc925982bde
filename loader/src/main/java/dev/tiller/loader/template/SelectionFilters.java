package dev.tiller.loader.template;

import dev.tiller.loader.template.Filters.Filter;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/** Filters that change or choose items one by one, when they are asked for. */
final class SelectionFilters {
    private SelectionFilters() {}

    static Map<String, Filter> all() {
        Map<String, Filter> all = new HashMap<>();
        all.put("map", SelectionFilters::map);
        all.put("select", (run, value, args) -> choose(run, value, args, 0, true));
        all.put("reject", (run, value, args) -> choose(run, value, args, 0, false));
        all.put("selectattr", (run, value, args) -> choose(run, value, args, 1, true));
        all.put("rejectattr", (run, value, args) -> choose(run, value, args, 1, false));
        all.put("unique", SelectionFilters::unique);
        return all;
    }

    /** Items are read from the source only when wanted; a false source is empty, whatever it is. */
    private static Generator lazily(
            Interpreter run, Object source, Predicate<Object> wanted, UnaryOperator<Object> change) {
        Iterator<?> items = Values.truth(source)
                ? Values.iterate(run.budget(), source)
                : List.of().iterator();
        return new Generator(source, () -> {
            while (items.hasNext()) {
                Object item = items.next();
                if (wanted.test(item)) {
                    return change.apply(item);
                }
            }
            return Generator.end();
        });
    }

    private static Object map(Interpreter run, Object value, Args args) {
        return lazily(run, value, item -> true, mapping(run, args));
    }

    private static UnaryOperator<Object> mapping(Interpreter run, Args args) {
        if (args.positional().isEmpty() && args.keywords().containsKey("attribute")) {
            Args.Bound bound = args.bind("map", "attribute", "default");
            return ItemKey.path(run.budget(), bound.need(0), bound.get(1, null))::of;
        }
        if (args.positional().isEmpty()) {
            throw Fault.value("map requires a filter argument");
        }
        String name = Values.needText(args.positional().getFirst(), "map()");
        Args rest = rest(args, 1);
        return item -> Filters.apply(run, name, item, rest);
    }

    private static Args rest(Args args, int from) {
        List<Object> positional = args.positional();
        return new Args(positional.subList(Math.min(from, positional.size()), positional.size()), args.keywords());
    }

    /** @param attributes 1 if the first argument names the attribute to test, else 0 */
    private static Object choose(Interpreter run, Object value, Args args, int attributes, boolean keep) {
        List<Object> given = args.positional();
        if (given.size() < attributes) {
            throw Fault.value("Missing parameter for attribute name");
        }
        ItemKey key = ItemKey.path(run.budget(), attributes == 1 ? given.getFirst() : null, null);
        if (given.size() == attributes) {
            return lazily(run, value, item -> Values.truth(key.of(item)) == keep, item -> item);
        }
        String test = Values.needText(given.get(attributes), "test name");
        Args rest = rest(args, attributes + 1);
        return lazily(run, value, item -> Tests.apply(run, test, key.of(item), rest) == keep, item -> item);
    }

    private static Object unique(Interpreter run, Object value, Args args) {
        Args.Bound bound = args.bind("unique", "case_sensitive", "attribute");
        ItemKey key = ItemKey.path(run.budget(), bound.get(1, null), null).folding(!bound.flag(0, false));
        Map<Object, Object> strings = new LinkedHashMap<>();
        List<Object> others = new ArrayList<>();
        Predicate<Object> unseen = item -> {
            Object seen = key.of(item);
            run.budget().elements(2);
            if (seen instanceof String) {
                return strings.put(seen, seen) == null;
            }
            boolean known = others.stream().anyMatch(other -> Compare.same(run.budget(), other, seen));
            if (!known) {
                others.add(seen);
            }
            return !known;
        };
        Iterator<Object> items = Values.iterate(run.budget(), value);
        return new Generator(value, () -> {
            while (items.hasNext()) {
                Object item = items.next();
                if (unseen.test(item)) {
                    return item;
                }
            }
            return Generator.end();
        });
    }
}
