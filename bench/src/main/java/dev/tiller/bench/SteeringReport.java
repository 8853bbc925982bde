package dev.tiller.bench;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.engine.Model;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** What {@code tiller bench steering} found, as a table and as JSON. */
final class SteeringReport {
    private static final long SEED = 7;

    /** What all rounds gave for one row. */
    private static final class Found {
        final List<Double> ratios = new ArrayList<>();
        final List<Double> pairs = new ArrayList<>();
        final List<Double> rates = new ArrayList<>();
    }

    private final String model;
    private final String weights;
    private final String machine;
    private final List<SteeringRow> rows;
    private final List<Found> found = new ArrayList<>();
    private final List<Ratio> peerRatios = new ArrayList<>();
    private String peer;

    SteeringReport(Model model, String name, List<SteeringRow> rows) {
        this.model = name;
        this.weights = model.weightFormats();
        this.machine = Machine.with(model);
        this.rows = rows;
        rows.forEach(r -> found.add(new Found()));
    }

    /** Adds a round's result of a row. */
    void add(SteeringRow row, SteeringRow.Result result) {
        Found f = found.get(rows.indexOf(row));
        f.ratios.add(result.ratio());
        f.pairs.addAll(result.pairs());
        f.rates.add(result.rate());
    }

    /** Takes the peer's rounds: a row NAME is compared with its row "NAME base". */
    void peer(String name, List<RateRow> theirs) {
        peer = name;
        for (RateRow row : theirs) {
            theirs.stream()
                    .filter(base -> base.name().equals(row.name() + " base")
                            && base.weights().equals(row.weights()))
                    .forEach(base -> peerRatios.add(Ratio.of(row, row.name() + " " + row.weights(), base, "base")));
        }
    }

    List<String> lines() {
        List<String> lines = new ArrayList<>();
        lines.add("machine  " + machine);
        lines.add("model    " + model + ", weights " + weights);
        lines.add("speed steered / unsteered: median of the rounds [smallest..largest], and the median of neighbouring"
                + " turns with its 95 % interval");
        for (int r = 0; r < rows.size(); r++) {
            Found f = found.get(r);
            Interval i = interval(f);
            lines.add(String.format(
                    Locale.ROOT,
                    "%-26s batch %-4d %s  %.4f (%.4f..%.4f, n %d)  %s tokens/s",
                    rows.get(r).name(),
                    rows.get(r).batch(),
                    Spread.of(f.ratios).show("%.4f"),
                    i.median(),
                    i.low(),
                    i.high(),
                    i.n(),
                    Spread.of(f.rates).show("%.1f")));
        }
        if (peer != null) {
            lines.add("peer     " + peer);
            for (Ratio r : peerRatios) {
                lines.add(String.format(
                        Locale.ROOT, "%-26s %s", r.name(), r.spread().show("%.4f")));
            }
        }
        return lines;
    }

    JsonObject json() {
        JsonObject o = new JsonObject();
        o.addProperty("machine", machine);
        o.addProperty("model", model);
        o.addProperty("weights", weights);
        JsonArray array = new JsonArray();
        for (int r = 0; r < rows.size(); r++) {
            array.add(row(rows.get(r), found.get(r)));
        }
        o.add("rows", array);
        if (peer != null) {
            o.addProperty("peer", peer);
            JsonArray theirs = new JsonArray();
            for (Ratio r : peerRatios) {
                JsonObject row = new JsonObject();
                row.addProperty("name", r.name());
                row.add("ratio", r.spread().rounded().json());
                theirs.add(row);
            }
            o.add("peer_rows", theirs);
        }
        return o;
    }

    private static JsonObject row(SteeringRow row, Found f) {
        JsonObject o = new JsonObject();
        o.addProperty("name", row.name());
        o.addProperty("batch", row.batch());
        o.add("ratio", Spread.of(f.ratios).rounded().json());
        Interval i = interval(f);
        JsonObject turns = new JsonObject();
        turns.addProperty("median", i.median());
        turns.addProperty("low", i.low());
        turns.addProperty("high", i.high());
        turns.addProperty("n", i.n());
        o.add("turns", turns);
        o.add("base_tokens_per_second", Spread.of(f.rates).rounded().json());
        return o;
    }

    private static Interval interval(Found f) {
        return Interval.of(f.pairs.stream().mapToDouble(Double::doubleValue).toArray(), SEED);
    }
}
