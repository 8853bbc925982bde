package dev.tiller.bench;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The result of a run, as a table for people and as JSON for programs.
 *
 * @param machine processor, Java and backend
 * @param model its file name
 * @param rows ours
 * @param peer name of the other engine, or null
 * @param peerRows its rows
 */
record Report(String machine, String model, List<Row> rows, String peer, List<Row> peerRows) {
    /** One row over all rounds. */
    record Row(String name, String weights, int batch, List<Double> rates) {}

    /** Ratio of two rows, round by round. */
    private record Ratio(String name, String to, Spread spread) {}

    /** Collects the samples of all rounds, which hold the same rows in the same order. */
    static List<Row> rows(List<List<Sample>> rounds) {
        Map<Sample, Row> rows = new LinkedHashMap<>();
        for (List<Sample> round : rounds) {
            for (Sample s : round) {
                Sample key = new Sample(s.name(), s.weights(), s.batch(), 0);
                rows.computeIfAbsent(key, k -> new Row(s.name(), s.weights(), s.batch(), new ArrayList<>()))
                        .rates()
                        .add(s.tokensPerSecond());
            }
        }
        return List.copyOf(rows.values());
    }

    /** Steered against unsteered, and each row against the peer's rows of that name. */
    private List<Ratio> ratios() {
        List<Ratio> ratios = new ArrayList<>();
        Row decode =
                rows.stream().filter(r -> r.name().equals("decode")).findFirst().orElseThrow();
        for (Row row : rows) {
            if (row.name().startsWith("decode_")) {
                ratios.add(new Ratio(row.name(), "decode", Spread.ofRatios(row.rates(), decode.rates())));
            }
            for (Row other : peerRows) {
                if (other.name().equals(row.name())) {
                    String to = "peer " + other.name() + " " + other.weights();
                    ratios.add(new Ratio(row.name(), to, Spread.ofRatios(row.rates(), other.rates())));
                }
            }
        }
        return ratios;
    }

    List<String> table() {
        List<String> lines = new ArrayList<>();
        lines.add("machine  " + machine);
        lines.add("model    " + model);
        lines.add("");
        rows(lines, "tokens/s", rows);
        if (peer != null) {
            lines.add("");
            rows(lines, "peer: " + peer, peerRows);
        }
        lines.add("");
        lines.add(String.format(Locale.ROOT, "%-44s median [min..max] over the rounds", "ratio"));
        for (Ratio r : ratios()) {
            lines.add(String.format(
                    Locale.ROOT,
                    "%-44s %s",
                    r.name() + " / " + r.to(),
                    r.spread().show("%.3f")));
        }
        return lines;
    }

    private static void rows(List<String> lines, String title, List<Row> rows) {
        lines.add(String.format(
                Locale.ROOT, "%-16s %-7s %5s   median [min..max]   %s", "row", "weights", "batch", title));
        for (Row r : rows) {
            String rate = Spread.of(r.rates()).show("%.1f");
            lines.add(String.format(Locale.ROOT, "%-16s %-7s %5d   %s", r.name(), r.weights(), r.batch(), rate));
        }
    }

    /** One object on one line: machine, model, rows; with a peer also its rows and the ratios. */
    String json() {
        JsonObject o = new JsonObject();
        o.addProperty("machine", machine);
        o.addProperty("model", model);
        o.add("rows", json(rows));
        if (peer != null) {
            JsonObject p = new JsonObject();
            p.addProperty("name", peer);
            p.add("rows", json(peerRows));
            o.add("peer", p);
            JsonArray ratios = new JsonArray();
            for (Ratio r : ratios()) {
                JsonObject ratio = json(r.spread());
                ratio.addProperty("name", r.name());
                ratio.addProperty("to", r.to());
                ratios.add(ratio);
            }
            o.add("ratios", ratios);
        }
        return new GsonBuilder().disableHtmlEscaping().create().toJson(o);
    }

    private static JsonArray json(List<Row> rows) {
        JsonArray array = new JsonArray();
        for (Row r : rows) {
            JsonObject o = new JsonObject();
            o.addProperty("name", r.name());
            o.addProperty("weights", r.weights());
            o.addProperty("batch", r.batch());
            o.add("tokens_per_second", json(Spread.of(r.rates())));
            array.add(o);
        }
        return array;
    }

    private static JsonObject json(Spread s) {
        JsonObject o = new JsonObject();
        o.addProperty("median", rounded(s.median()));
        o.addProperty("min", rounded(s.min()));
        o.addProperty("max", rounded(s.max()));
        o.addProperty("n", s.n());
        return o;
    }

    /** Four decimals: more than the machine can repeat. */
    private static double rounded(double value) {
        return Math.round(value * 1e4) / 1e4;
    }
}
