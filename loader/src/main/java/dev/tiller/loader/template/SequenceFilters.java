package dev.tiller.loader.template;

import dev.tiller.loader.template.Filters.Filter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** Filters over whole sequences and mappings. */
final class SequenceFilters {
    private SequenceFilters() {}

    static Map<String, Filter> all() {
        Map<String, Filter> all = new HashMap<>();
        Filters.plain(all, "list", (run, value, args) -> Values.list(run.budget(), value));
        Filters.plain(all, "first", SequenceFilters::first);
        Filters.plain(all, "last", SequenceFilters::last);
        Filters.plain(all, "reverse", SequenceFilters::reverse);
        all.put("join", SequenceFilters::join);
        all.put("sum", SequenceFilters::sum);
        all.put("min", (run, value, args) -> extreme(run, value, args, "min"));
        all.put("max", (run, value, args) -> extreme(run, value, args, "max"));
        all.put("sort", SequenceFilters::sort);
        all.put("dictsort", SequenceFilters::dictSort);
        Filters.plain(all, "items", SequenceFilters::items);
        all.put("batch", SequenceFilters::batch);
        all.put("slice", SequenceFilters::slice);
        all.put("groupby", SequenceFilters::groupBy);
        return all;
    }

    private static Object first(Interpreter run, Object value, Args args) {
        Iterator<Object> items = Values.iterate(run.budget(), value);
        return items.hasNext() ? items.next() : Undefined.because("No first item, sequence was empty.");
    }

    private static Object last(Interpreter run, Object value, Args args) {
        if (value instanceof Generator || !Values.iterable(value)) {
            throw Fault.type("'" + Values.typeName(value) + "' object is not reversible");
        }
        List<Object> items = Values.list(run.budget(), value);
        return items.isEmpty() ? Undefined.because("No last item, sequence was empty.") : items.getLast();
    }

    private static Object reverse(Interpreter run, Object value, Args args) {
        String text = Values.textOrNull(value);
        if (text != null) {
            run.budget().text(text.length());
            return Slices.slice(run.budget(), value, null, null, -1L);
        }
        List<Object> items = Values.list(run.budget(), value);
        Collections.reverse(items);
        // As in Python, what has an order gives an iterator, what is read once gives a list.
        return value instanceof Generator ? items : over(items);
    }

    private static Generator over(List<?> items) {
        Iterator<?> iterator = items.iterator();
        return new Generator(items, () -> iterator.hasNext() ? iterator.next() : Generator.end());
    }

    private static Object join(Interpreter run, Object value, Args args) {
        Args.Bound bound = args.bind("join", "d", "attribute");
        String separator = PyFormat.str(run.budget(), bound.get(0, ""));
        ItemKey key = ItemKey.path(run.budget(), bound.get(1, null), null);
        TextBuilder joined = new TextBuilder(run.budget());
        Iterator<Object> items = Values.iterate(run.budget(), value);
        for (boolean first = true; items.hasNext(); first = false) {
            joined.append(first ? "" : separator);
            joined.append(PyFormat.str(run.budget(), key.of(items.next())));
        }
        return joined.toString();
    }

    private static Object sum(Interpreter run, Object value, Args args) {
        Args.Bound bound = args.bind("sum", "attribute", "start");
        ItemKey key = ItemKey.path(run.budget(), bound.get(0, null), null);
        Object total = bound.get(1, 0L);
        if (Values.textOrNull(total) != null) {
            throw Fault.type("sum() can't sum strings");
        }
        for (Iterator<Object> it = Values.iterate(run.budget(), value); it.hasNext(); ) {
            total = Operators.binary(run.budget(), "+", total, key.of(it.next()));
        }
        return total;
    }

    private static Object extreme(Interpreter run, Object value, Args args, String which) {
        Args.Bound bound = args.bind(which, "case_sensitive", "attribute");
        ItemKey key = ItemKey.path(run.budget(), bound.get(1, null), null).folding(!bound.flag(0, false));
        Iterator<Object> items = Values.iterate(run.budget(), value);
        if (!items.hasNext()) {
            return Undefined.because("No aggregated item, sequence was empty.");
        }
        Object best = items.next();
        while (items.hasNext()) {
            Object item = items.next();
            boolean min = which.equals("min");
            if (Compare.ordered(run.budget(), key.of(item), key.of(best), min ? "<" : ">")) {
                best = item;
            }
        }
        return best;
    }

    private static Object sort(Interpreter run, Object value, Args args) {
        Args.Bound bound = args.bind("sort", "reverse", "case_sensitive", "attribute");
        ItemKey key = ItemKey.paths(run.budget(), bound.get(2, null), !bound.flag(1, false));
        return Compare.sorted(run.budget(), Values.list(run.budget(), value), key::of, bound.flag(0, false));
    }

    private static Object dictSort(Interpreter run, Object value, Args args) {
        Args.Bound bound = args.bind("dictsort", "case_sensitive", "by", "reverse");
        if (!(value instanceof Map<?, ?> map)) {
            throw value instanceof Undefined undefined
                    ? undefined.fault()
                    : Fault.type("dictsort() needs a mapping, not '" + Values.typeName(value) + "'");
        }
        String by = bound.has(1) ? Values.needText(bound.need(1), "dictsort()") : "key";
        if (!by.equals("key") && !by.equals("value")) {
            throw Fault.value("You can only sort by either \"key\" or \"value\"");
        }
        int place = by.equals("key") ? 0 : 1;
        ItemKey key = new ItemKey(pair -> ((Tuple) pair).items().get(place)).folding(!bound.flag(0, false));
        List<Object> pairs = Values.list(run.budget(), new DictView(DictView.Part.ITEMS, map));
        return Compare.sorted(run.budget(), pairs, key::of, bound.flag(2, false));
    }

    private static Object items(Interpreter run, Object value, Args args) {
        if (value instanceof Undefined) {
            return over(List.of());
        }
        if (!(value instanceof Map<?, ?> map)) {
            throw Fault.type("Can only get item pairs from a mapping.");
        }
        Iterator<Object> pairs = new DictView(DictView.Part.ITEMS, map).iterator();
        return new Generator(map, () -> pairs.hasNext() ? pairs.next() : Generator.end());
    }

    private static long positive(Args.Bound bound, int index) {
        long count = Numbers.index(bound.need(index), bound.function() + "()");
        if (count < 1 || count > Range.MAX_SIZE) {
            throw Fault.value(bound.function() + "() needs a count from 1 to " + Range.MAX_SIZE);
        }
        return count;
    }

    private static Object batch(Interpreter run, Object value, Args args) {
        Args.Bound bound = args.bind("batch", "linecount", "fill_with");
        long size = positive(bound, 0);
        List<List<Object>> rows = new ArrayList<>();
        for (Object item : Values.list(run.budget(), value)) {
            if (rows.isEmpty() || rows.getLast().size() == size) {
                rows.add(new ArrayList<>());
            }
            rows.getLast().add(item);
        }
        Object fill = bound.get(1, null);
        while (fill != null && !rows.isEmpty() && rows.getLast().size() < size) {
            run.budget().elements(1);
            rows.getLast().add(fill);
        }
        return over(rows);
    }

    private static Object slice(Interpreter run, Object value, Args args) {
        Args.Bound bound = args.bind("slice", "slices", "fill_with");
        int slices = (int) positive(bound, 0);
        List<Object> items = Values.list(run.budget(), value);
        run.budget().elements(slices);
        int size = items.size() / slices;
        int longer = items.size() % slices;
        Object fill = bound.get(1, null);
        List<List<Object>> columns = new ArrayList<>();
        int start = 0;
        for (int i = 0; i < slices; i++) {
            int end = start + size + (i < longer ? 1 : 0);
            List<Object> column = new ArrayList<>(items.subList(start, end));
            if (fill != null && i >= longer) {
                column.add(fill);
            }
            columns.add(column);
            start = end;
        }
        return over(columns);
    }

    private static Object groupBy(Interpreter run, Object value, Args args) {
        Args.Bound bound = args.bind("groupby", "attribute", "default", "case_sensitive");
        ItemKey exact = ItemKey.path(run.budget(), bound.need(0), bound.get(1, null));
        ItemKey key = exact.folding(!bound.flag(2, false));
        List<Object> sorted = Compare.sorted(run.budget(), Values.list(run.budget(), value), key::of, false);
        List<Object> groups = new ArrayList<>();
        List<Object> members = new ArrayList<>();
        for (Object item : sorted) {
            if (members.isEmpty() || !Compare.same(run.budget(), key.of(members.getFirst()), key.of(item))) {
                members = new ArrayList<>();
                groups.add(new Tuple(List.of(exact.of(item), members), List.of("grouper", "list")));
            }
            members.add(item);
        }
        return groups;
    }
}
