package dev.tiller.bench.peers;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.bench.Spread;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * The result of a run with peers.
 *
 * @param reads bytes per second that the machine read, for each round
 * @param flops operations per second of multiply-adds in registers, for each round
 * @param notes who did not take part, and why
 */
public record PeersReport(
        String machine,
        String model,
        Shapes shapes,
        List<PeerRow> rows,
        List<Double> reads,
        List<Double> flops,
        List<String> notes) {
    private Map<String, Double> facts() {
        return rows.stream()
                .filter(r -> r.engine().equals(PeerRow.TILLER))
                .findFirst()
                .map(PeerRow::facts)
                .orElse(null);
    }

    private Roofline roofline(PeerRow row) {
        return Roofline.of(row, facts(), shapes, reads, flops);
    }

    private static Spread giga(List<Double> values) {
        return Spread.of(values).in(1e9);
    }

    public List<String> table() {
        List<String> lines = new ArrayList<>();
        lines.add("machine  " + machine);
        lines.add("model    " + model);
        lines.add("shapes   prompt " + shapes.prompt() + "; " + shapes.decode() + " tokens decoded after "
                + shapes.context() + "; batch of " + shapes.batch() + "; " + shapes.threads() + " threads");
        versions().forEach(v -> lines.add("engine   " + v));
        notes.forEach(n -> lines.add("note     " + n));
        lines.add("ceiling  reading memory " + giga(reads).show("%.1f") + " GB/s, multiply-adds in registers "
                + giga(flops).show("%.0f") + " GFLOP/s");
        lines.add("");
        lines.add(String.format(
                "%-15s %-12s %-9s %5s  %-30s %-24s %s",
                "row", "engine", "weights", "batch", "tokens/s, median [min..max]", "share of a ceiling", "which"));
        for (PeerRow r : rows) {
            Roofline roof = roofline(r);
            lines.add(String.format(
                            Locale.ROOT,
                            "%-15s %-12s %-9s %5d  %-30s %-24s %s",
                            r.name(),
                            r.engine(),
                            r.weights(),
                            r.batch(),
                            r.spread().show("%.1f"),
                            roof == null ? "" : roof.nearer().show("%.2f"),
                            roof == null ? "" : roof.binding())
                    .stripTrailing());
        }
        lines.add("");
        lines.add(String.format(
                "%-20s %-36s %-26s %6s %5s  %s", "row", "over", "ratio, median [min..max]", "commit", "aim", "result"));
        for (Claim c : Claim.of(rows)) {
            lines.add(String.format(
                    Locale.ROOT,
                    "%-20s %-36s %-26s %6s %5s  %s",
                    c.name(),
                    c.to(),
                    c.ratio().show("%.3f"),
                    bound(c.committed()),
                    bound(c.aimed()),
                    c.verdict()));
        }
        return lines;
    }

    private static String bound(double value) {
        return value == 0 ? "" : String.valueOf(value);
    }

    private Set<String> versions() {
        Set<String> versions = new LinkedHashSet<>();
        rows.forEach(r -> versions.add(r.version()));
        return versions;
    }

    public JsonObject json() {
        JsonObject o = new JsonObject();
        o.addProperty("machine", machine);
        o.addProperty("model", model);
        JsonObject s = new JsonObject();
        s.addProperty("prompt", shapes.prompt());
        s.addProperty("context", shapes.context());
        s.addProperty("decode", shapes.decode());
        s.addProperty("batch", shapes.batch());
        s.addProperty("threads", shapes.threads());
        o.add("shapes", s);
        JsonArray engines = new JsonArray();
        versions().forEach(engines::add);
        o.add("engines", engines);
        JsonArray remarks = new JsonArray();
        notes.forEach(remarks::add);
        o.add("notes", remarks);
        o.add("read_gb_per_second", giga(reads).rounded().json());
        o.add("multiply_add_gflop_per_second", giga(flops).rounded().json());
        JsonArray all = new JsonArray();
        rows.forEach(r -> all.add(json(r)));
        o.add("rows", all);
        JsonArray claims = new JsonArray();
        for (Claim c : Claim.of(rows)) {
            JsonObject claim = c.ratio().rounded().json();
            claim.addProperty("name", c.name());
            claim.addProperty("to", c.to());
            claim.addProperty("committed", c.committed());
            claim.addProperty("aimed", c.aimed());
            claim.addProperty("result", c.verdict());
            claims.add(claim);
        }
        o.add("ratios", claims);
        return o;
    }

    private JsonObject json(PeerRow r) {
        JsonObject row = new JsonObject();
        row.addProperty("engine", r.engine());
        row.addProperty("name", r.name());
        row.addProperty("weights", r.weights());
        row.addProperty("batch", r.batch());
        row.add("tokens_per_second", r.spread().rounded().json());
        Roofline roof = roofline(r);
        if (roof != null) {
            JsonObject share = new JsonObject();
            share.addProperty("bytes_per_token", Math.round(roof.bytesPerToken()));
            share.addProperty("flops_per_token", Math.round(roof.flopsPerToken()));
            share.add("of_read", roof.memory().rounded().json());
            share.add("of_multiply_add", roof.arithmetic().rounded().json());
            share.addProperty("bound_by", roof.binding());
            row.add("roofline", share);
        }
        return row;
    }
}
