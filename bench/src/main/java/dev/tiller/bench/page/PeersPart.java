package dev.tiller.bench.page;

import dev.tiller.bench.peers.PeerRow;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What {@code tiller bench --peers} found: charts, rates beside the ceilings, ratios beside the goals. */
final class PeersPart {
    private PeersPart() {}

    static void write(Page page, Result r) {
        String model = r.text("model");
        page.add(
                "\n## %s beside other engines\n\n%s. Measured in the same run: reading memory %s GB/s, multiply-adds %s"
                        + " GFLOP/s.\n",
                model,
                r.text("machine"),
                r.spread("read_gb_per_second", "%.1f"),
                r.spread("multiply_add_gflop_per_second", "%.0f"));
        r.texts("engines").forEach(engine -> page.add("- %s\n", engine));
        r.texts("notes").forEach(note -> page.add("- %s\n", note));
        List<Result> rows = r.objects("rows");
        for (String row : rows.stream().map(x -> x.text("name")).distinct().toList()) {
            chart(page, r.sibling("-" + row + ".svg"), row, model, rows);
        }
        Map<String, String> limits = limits(page);
        page.add("\n");
        page.add(new Table()
                .text("row", "name")
                .text("engine", "engine")
                .text("weights", "weights")
                .whole("batch", "batch")
                .spread("tokens/s", "tokens_per_second", "%.1f")
                .column("share of the nearer ceiling", PeersPart::share)
                .column("what limits it", row -> limit(row, model, limits))
                .of(rows));
        page.add("\n");
        page.add(new Table()
                .text("row", "name")
                .text("over", "to")
                .column("ratio, round by round", claim -> claim.spread("%.3f"))
                .column("committed", claim -> bound(claim.number("committed")))
                .column("aimed", claim -> bound(claim.number("aimed")))
                .text("result", "result")
                .of(r.objects("ratios")));
    }

    private static void chart(Page page, String file, String row, String model, List<Result> rows) {
        List<Chart.Bar> bars = new ArrayList<>();
        for (Result r : rows) {
            if (r.text("name").equals(row)) {
                Result rate = r.object("tokens_per_second");
                bars.add(new Chart.Bar(
                        r.text("engine") + " " + r.text("weights"),
                        rate.number("median"),
                        rate.number("min"),
                        rate.number("max"),
                        isOurs(r)));
            }
        }
        page.chart(file, row, row + ", " + model, "tokens per second; median, whisker from min to max", bars);
    }

    private static boolean isOurs(Result row) {
        return row.text("engine").equals(PeerRow.TILLER);
    }

    private static String share(Result row) {
        if (!row.has("roofline")) {
            return "";
        }
        Result roof = row.object("roofline");
        String bound = roof.text("bound_by");
        return bound + " " + roof.spread(bound.equals("memory") ? "of_read" : "of_multiply_add", "%.2f");
    }

    /** By row and weights, with or without the model before them: what limits a row of ours. */
    private static Map<String, String> limits(Page page) {
        Map<String, String> limits = new LinkedHashMap<>();
        page.read("limits.md", "").lines().forEach(line -> {
            int colon = line.indexOf(": ");
            if (colon > 0) {
                limits.put(
                        line.substring(0, colon).strip(),
                        line.substring(colon + 2).strip());
            }
        });
        return limits;
    }

    private static String limit(Result row, String model, Map<String, String> limits) {
        String key = row.text("name") + " " + row.text("weights");
        return isOurs(row) ? limits.getOrDefault(model + " " + key, limits.getOrDefault(key, "")) : "";
    }

    private static String bound(double value) {
        return value == 0 ? "" : String.valueOf(value);
    }
}
