package dev.tiller.bench.peers;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** What {@code tiller bench quality} found, on the page. */
final class QualityPage {
    private QualityPage() {}

    /** Name of the chart of a result. */
    static String chartOf(Path file) {
        return file.getFileName().toString().replaceAll("\\.json$", ".svg");
    }

    /** Adds a section to the page and returns its chart. */
    static String append(StringBuilder page, Path file) {
        String name = file.getFileName().toString();
        JsonObject o = Json.readObject(file);
        String model = Json.string(o, "model", name);
        page.append("\n### What formats of weights change: ").append(model).append("\n\n");
        page.append(String.format(
                Locale.ROOT,
                "%d tokens of %s in %d windows of %d; with float32 weights the perplexity is %.4f. KL(float32 || format) of"
                        + " each token's distribution, in nats; same first: the share of tokens after which both expect the"
                        + " same token most. %s.%n%n![KL](%s)%n%n"
                        + "| weights | perplexity | over float32's | KL, mean | KL, 99 %% | KL, largest | same first |"
                        + " bytes per weight |%n|---|---|---|---|---|---|---|---|%n",
                Json.integer(o, "tokens", name),
                Json.string(o, "text", name),
                Json.integer(o, "windows", name),
                Json.integer(o, "window", name),
                Json.number(o, "perplexity_f32", name),
                Json.string(o, "machine", name),
                chartOf(file)));
        List<Chart.Bar> bars = new ArrayList<>();
        for (JsonElement e : Json.array(o, "rows", name)) {
            JsonObject r = e.getAsJsonObject();
            String weights = Json.string(r, "weights", name);
            double mean = Json.number(r, "kl_mean", name);
            page.append(String.format(
                    Locale.ROOT,
                    "| %s | %.4f | %.5f | %.2e | %.2e | %.2e | %.2f %% | %.3f |%n",
                    weights,
                    Json.number(r, "perplexity", name),
                    Json.number(r, "ratio", name),
                    mean,
                    Json.number(r, "kl_99", name),
                    Json.number(r, "kl_max", name),
                    100 * Json.number(r, "same_top", name),
                    Json.number(r, "bytes_per_weight", name)));
            bars.add(new Chart.Bar(weights, 1e3 * mean, 1e3 * mean, 1e3 * mean, true));
        }
        return Chart.svg("KL to float32, " + model, "thousandths of a nat per token, mean", bars);
    }
}
