package dev.tiller.bench;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.persona.cli.Console;
import dev.tiller.persona.cli.ModelOptions;
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
 * @param facts single numbers, each with its unit in its name
 * @param rows ours
 * @param peer name of the other engine, or null
 * @param peerRows its rows
 * @param ratios what the reader should compare
 */
record Report(
        String machine,
        String model,
        Map<String, Double> facts,
        List<Row> rows,
        String peer,
        List<Row> peerRows,
        List<Ratio> ratios) {
    /** The report of {@link Rates}: steered against unsteered, and each row against the peer's rows of that name. */
    static Report endToEnd(String machine, String model, Rounds rounds, String peer) {
        List<Ratio> ratios = ratios(rounds.ours(), rounds.theirs());
        return new Report(machine, model, Map.of(), rounds.ours(), peer, rounds.theirs(), ratios);
    }

    /** One row over all rounds. */
    record Row(String name, String weights, int batch, List<Double> rates) {}

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

    private static List<Ratio> ratios(List<Row> rows, List<Row> peerRows) {
        List<Ratio> ratios = new ArrayList<>();
        Row decode =
                rows.stream().filter(r -> r.name().equals("decode")).findFirst().orElseThrow();
        for (Row row : rows) {
            if (row.name().startsWith("decode_")) {
                ratios.add(Ratio.of(row, row.name(), decode, "decode"));
            }
            for (Row other : peerRows) {
                if (other.name().equals(row.name())) {
                    ratios.add(Ratio.of(row, row.name(), other, "peer " + other.name() + " " + other.weights()));
                }
            }
        }
        return ratios;
    }

    List<String> table() {
        List<String> lines = new ArrayList<>();
        lines.add("machine  " + machine);
        lines.add("model    " + model);
        facts.forEach((name, value) -> lines.add(String.format(Locale.ROOT, "%-28s %.3f", name, value)));
        lines.add("");
        rows(lines, "tokens/s", rows);
        if (peer != null) {
            lines.add("");
            rows(lines, "peer: " + peer, peerRows);
        }
        lines.add("");
        lines.add(String.format(Locale.ROOT, "%-52s median [min..max] over the rounds", "ratio"));
        for (Ratio r : ratios) {
            lines.add(String.format(
                    Locale.ROOT,
                    "%-52s %s",
                    r.name() + " / " + r.to(),
                    r.spread().show("%.3f")));
        }
        return lines;
    }

    /** The table on standard output; or JSON there and the table on standard error. */
    void print(Console console, ModelOptions options, boolean asJson) {
        if (asJson) {
            table().forEach(line -> options.note(console, line));
            console.line(json());
        } else {
            table().forEach(console::line);
        }
    }

    private static void rows(List<String> lines, String title, List<Row> rows) {
        lines.add(String.format(
                Locale.ROOT, "%-20s %-12s %5s   median [min..max]   %s", "row", "weights", "batch", title));
        for (Row r : rows) {
            String rate = Spread.of(r.rates()).show("%.1f");
            lines.add(String.format(Locale.ROOT, "%-20s %-12s %5d   %s", r.name(), r.weights(), r.batch(), rate));
        }
    }

    /** One object on one line: machine, model, facts if there are any, rows, ratios; with a peer also its rows. */
    String json() {
        JsonObject o = new JsonObject();
        o.addProperty("machine", machine);
        o.addProperty("model", model);
        if (!facts.isEmpty()) {
            JsonObject f = new JsonObject();
            facts.forEach((name, value) -> f.addProperty(name, rounded(value)));
            o.add("facts", f);
        }
        o.add("rows", json(rows));
        if (peer != null) {
            JsonObject p = new JsonObject();
            p.addProperty("name", peer);
            p.add("rows", json(peerRows));
            o.add("peer", p);
        }
        JsonArray array = new JsonArray();
        for (Ratio r : ratios) {
            JsonObject ratio = json(r.spread());
            ratio.addProperty("name", r.name());
            ratio.addProperty("to", r.to());
            array.add(ratio);
        }
        o.add("ratios", array);
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

    static JsonObject json(Spread s) {
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
