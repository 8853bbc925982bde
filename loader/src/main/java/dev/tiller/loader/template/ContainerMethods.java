package dev.tiller.loader.template;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Methods of lists, tuples and mappings that change nothing. */
final class ContainerMethods {
    private ContainerMethods() {}

    /** The method, or null if there is none of that name. */
    static Callable ofSequence(List<?> items, String name, boolean isList) {
        return switch (name) {
            case "count" ->
                Callable.named("list.count", (run, args) -> {
                    Object wanted = args.exactly("count", 1, 1).getFirst();
                    return items.stream()
                            .filter(item -> Compare.same(run.budget(), item, wanted))
                            .count();
                });
            case "index" -> Callable.named("list.index", (run, args) -> index(run.budget(), items, args));
            case "copy" ->
                isList
                        ? Callable.named("list.copy", (run, args) -> {
                            run.budget().elements(items.size());
                            return new ArrayList<Object>(items);
                        })
                        : null;
            default -> null;
        };
    }

    private static Object index(Budget budget, List<?> items, Args args) {
        Object wanted = args.exactly("index", 1, 1).getFirst();
        for (int i = 0; i < items.size(); i++) {
            if (Compare.same(budget, items.get(i), wanted)) {
                return (long) i;
            }
        }
        throw Fault.value(Values.shortText(wanted) + " is not in list");
    }

    /** The method, or null if there is none of that name. */
    static Callable ofMapping(Map<?, ?> map, String name) {
        return switch (name) {
            case "get" ->
                Callable.named("dict.get", (run, args) -> {
                    List<Object> given = args.exactly("get", 1, 2);
                    return Values.lookup(run.budget(), map, given.getFirst(), given.size() > 1 ? given.get(1) : null);
                });
            case "items" -> view(map, name, DictView.Part.ITEMS);
            case "keys" -> view(map, name, DictView.Part.KEYS);
            case "values" -> view(map, name, DictView.Part.VALUES);
            case "copy" ->
                Callable.named("dict.copy", (run, args) -> {
                    run.budget().elements(2L * map.size());
                    return new LinkedHashMap<Object, Object>(map);
                });
            default -> null;
        };
    }

    private static Callable view(Map<?, ?> map, String name, DictView.Part part) {
        return Callable.named("dict." + name, (run, args) -> {
            args.exactly(name, 0, 0);
            return new DictView(part, map);
        });
    }
}
