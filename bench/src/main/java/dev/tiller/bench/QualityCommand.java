package dev.tiller.bench;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.engine.Divergence;
import dev.tiller.engine.Model;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.cli.Console;
import dev.tiller.persona.cli.ModelOptions;
import dev.tiller.persona.cli.TextWindows;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code tiller bench quality}: what formats of weights change in what a model expects of a text. */
@Command(
        name = "quality",
        header = "Compares formats of weights by what the model expects of a text.",
        description = {
            "Loads the model once with float32 weights and once with each format (--weights, default: bf16,f16,q8,q4), runs"
                    + " both over the same windows of a text, and shows for each format: perplexity and its ratio to"
                    + " float32's; KL(float32 || format) per token in nats, its mean, its 99th percentile and its largest;"
                    + " the share of tokens whose most probable successor is the same; bytes per weight."
        })
final class QualityCommand implements Callable<Integer> {
    private static final List<WeightFormat> FORMATS =
            List.of(WeightFormat.BF16, WeightFormat.F16, WeightFormat.Q8, WeightFormat.Q4);

    private final Console console;

    @Mixin
    private ModelOptions options;

    @Mixin
    private TextWindows text;

    @Mixin
    private Output output;

    QualityCommand(Console console) {
        this.console = console;
    }

    /**
     * One format.
     *
     * @param weights as the model has them, e.g. "q4+q8"
     * @param bytesPerWeight of all matrices
     */
    private record Row(String weights, double bytesPerWeight, Divergence.Result result) {}

    @Override
    public Integer call() {
        List<WeightFormat> formats = options.weightFormats().isEmpty() ? FORMATS : options.weightFormats();
        Path path = options.path();
        List<Row> rows = new ArrayList<>();
        try (Model reference = Model.load(path, options.loadOptions(WeightFormat.F32))) {
            if (!reference.weightFormats().equals("f32")) {
                throw new TillerException(
                        path + ": expected float32 weights to compare with, found " + reference.weightFormats());
            }
            TextWindows.Part part = text.of(reference);
            for (WeightFormat format : formats) {
                try (Model model = Model.load(path, options.loadOptions(format))) {
                    options.note(console, "weights " + model.weightFormats());
                    Divergence.Result result =
                            new Divergence(reference, model, part.window()).of(part.tokens(), done -> {});
                    double weights = reference.weightBytes() / 4.0;
                    rows.add(new Row(model.weightFormats(), model.weightBytes() / weights, result));
                }
            }
            show(reference, part, rows);
        }
        return 0;
    }

    private void show(Model reference, TextWindows.Part part, List<Row> rows) {
        List<String> lines = new ArrayList<>();
        Divergence.Result first = rows.getFirst().result;
        int tokens = first.divergence().length;
        double full = Math.exp(first.referenceNll() / tokens);
        lines.add(String.format(
                Locale.ROOT, "float32: perplexity %.4f over %d tokens in %d windows", full, tokens, part.windows()));
        lines.add("weights   perplexity  ratio     KL mean    KL 99 %    KL max     same top  bytes per weight");
        for (Row r : rows) {
            Divergence.Result d = r.result;
            lines.add(String.format(
                    Locale.ROOT,
                    "%-9s %10.4f  %.6f  %.3e  %.3e  %.3e  %.4f    %.3f",
                    r.weights,
                    d.perplexity(),
                    d.ratio(),
                    d.mean(),
                    d.quantile(0.99),
                    d.quantile(1),
                    d.sameTop() / (double) tokens,
                    r.bytesPerWeight));
        }
        output.show(console, options.notes(console), lines, () -> object(reference, part, rows, full, tokens));
    }

    private JsonObject object(Model reference, TextWindows.Part part, List<Row> rows, double full, int tokens) {
        JsonObject o = new JsonObject();
        o.addProperty("machine", Machine.with(reference));
        o.addProperty("model", options.name());
        o.addProperty("text", part.name());
        o.addProperty("window", part.window());
        o.addProperty("windows", part.windows());
        o.addProperty("tokens", tokens);
        o.addProperty("perplexity_f32", full);
        JsonArray array = new JsonArray();
        for (Row r : rows) {
            Divergence.Result d = r.result;
            JsonObject row = new JsonObject();
            row.addProperty("weights", r.weights);
            row.addProperty("perplexity", d.perplexity());
            row.addProperty("ratio", d.ratio());
            row.addProperty("kl_mean", d.mean());
            row.addProperty("kl_99", d.quantile(0.99));
            row.addProperty("kl_max", d.quantile(1));
            row.addProperty("same_top", d.sameTop() / (double) tokens);
            row.addProperty("bytes_per_weight", r.bytesPerWeight);
            array.add(row);
        }
        o.add("rows", array);
        return o;
    }
}
