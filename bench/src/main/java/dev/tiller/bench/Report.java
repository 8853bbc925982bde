package dev.tiller.bench;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.ArrayList;
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
        List<RateRow> rows,
        String peer,
        List<RateRow> peerRows,
        List<Ratio> ratios) {
    /** The report of {@link Rates}: steered against unsteered, and each row against the peer's rows of that name. */
    static Report endToEnd(String machine, String model, Rounds rounds, String peer) {
        List<Ratio> ratios = ratios(rounds.ours(), rounds.theirs());
        return new Report(machine, model, Map.of(), rounds.ours(), peer, rounds.theirs(), ratios);
    }

    /** The report of rows that nothing is compared with. */
    static Report alone(String machine, String model, Rounds rounds) {
        return new Report(machine, model, Map.of(), rounds.ours(), null, List.of(), List.of());
    }

    private static List<Ratio> ratios(List<RateRow> rows, List<RateRow> peerRows) {
        List<Ratio> ratios = new ArrayList<>();
        RateRow decode =
                rows.stream().filter(r -> r.name().equals("decode")).findFirst().orElseThrow();
        for (RateRow row : rows) {
            if (row.name().startsWith("decode_")) {
                ratios.add(Ratio.of(row, row.name(), decode, "decode"));
            }
            for (RateRow other : peerRows) {
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

    private static void rows(List<String> lines, String title, List<RateRow> rows) {
        lines.add(String.format(
                Locale.ROOT, "%-20s %-12s %5s   median [min..max]   %s", "row", "weights", "batch", title));
        for (RateRow r : rows) {
            String rate = r.spread().show("%.1f");
            lines.add(String.format(Locale.ROOT, "%-20s %-12s %5d   %s", r.name(), r.weights(), r.batch(), rate));
        }
    }

    /** One object: machine, model, facts if there are any, rows, ratios; with a peer also its rows. */
    JsonObject json() {
        JsonObject o = new JsonObject();
        o.addProperty("machine", machine);
        o.addProperty("model", model);
        if (!facts.isEmpty()) {
            JsonObject f = new JsonObject();
            facts.forEach((name, value) -> f.addProperty(name, Spread.rounded(value)));
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
            JsonObject ratio = r.spread().rounded().json();
            ratio.addProperty("name", r.name());
            ratio.addProperty("to", r.to());
            array.add(ratio);
        }
        o.add("ratios", array);
        return o;
    }

    private static JsonArray json(List<RateRow> rows) {
        JsonArray array = new JsonArray();
        for (RateRow r : rows) {
            JsonObject o = new JsonObject();
            o.addProperty("name", r.name());
            o.addProperty("weights", r.weights());
            o.addProperty("batch", r.batch());
            o.add("tokens_per_second", r.spread().rounded().json());
            array.add(o);
        }
        return array;
    }
}
