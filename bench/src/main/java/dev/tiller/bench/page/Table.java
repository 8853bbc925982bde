package dev.tiller.bench.page;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.Collectors;

/** A table of the page: its columns, and what they show of a row. */
final class Table {
    private final List<String> names = new ArrayList<>();
    private final List<Function<Result, String>> cells = new ArrayList<>();

    Table column(String name, Function<Result, String> cell) {
        names.add(name);
        cells.add(cell);
        return this;
    }

    Table text(String name, String key) {
        return column(name, r -> r.text(key));
    }

    Table whole(String name, String key) {
        return column(name, r -> String.valueOf(r.whole(key)));
    }

    Table number(String name, String key, String format) {
        return column(name, r -> String.format(Locale.ROOT, format, r.number(key)));
    }

    /** A share, in percent. */
    Table percent(String name, String key, String format) {
        return column(name, r -> String.format(Locale.ROOT, format + " %%", 100 * r.number(key)));
    }

    /** Median, smallest and largest value. */
    Table spread(String name, String key, String number) {
        return column(name, r -> r.spread(key, number));
    }

    /** With its heading, a line for each row. */
    String of(List<Result> rows) {
        StringBuilder table = new StringBuilder(line(names));
        table.append("|").append("---|".repeat(names.size())).append('\n');
        for (Result row : rows) {
            table.append(line(cells.stream().map(c -> c.apply(row)).toList()));
        }
        return table.toString();
    }

    private static String line(List<String> cells) {
        return cells.stream().collect(Collectors.joining(" | ", "| ", " |\n"));
    }
}
