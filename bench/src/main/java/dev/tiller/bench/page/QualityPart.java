package dev.tiller.bench.page;

import java.util.ArrayList;
import java.util.List;

/** What {@code tiller bench quality} found. */
final class QualityPart {
    private QualityPart() {}

    static void write(Page page, Result r) {
        String model = r.text("model");
        page.add(
                "\n### What formats of weights change: %s\n\n%d tokens of %s in %d windows of %d; with float32 weights the"
                        + " perplexity is %.4f. KL(float32 || format) of each token's distribution, in nats; same first: the"
                        + " share of tokens after which both expect the same token most. %s.\n",
                model,
                r.whole("tokens"),
                r.text("text"),
                r.whole("windows"),
                r.whole("window"),
                r.number("perplexity_f32"),
                r.text("machine"));
        List<Chart.Bar> bars = new ArrayList<>();
        List<Result> rows = r.objects("rows");
        for (Result row : rows) {
            double mean = 1e3 * row.number("kl_mean");
            bars.add(new Chart.Bar(row.text("weights"), mean, mean, mean, true));
        }
        String scale = "thousandths of a nat per token, mean";
        page.chart(r.sibling(".svg"), "KL", "KL to float32, " + model, scale, bars);
        page.add("\n");
        page.add(new Table()
                .text("weights", "weights")
                .number("perplexity", "perplexity", "%.4f")
                .number("over float32's", "ratio", "%.5f")
                .number("KL, mean", "kl_mean", "%.2e")
                .number("KL, 99 %", "kl_99", "%.2e")
                .number("KL, largest", "kl_max", "%.2e")
                .percent("same first", "same_top", "%.2f")
                .number("bytes per weight", "bytes_per_weight", "%.3f")
                .of(rows));
    }
}
