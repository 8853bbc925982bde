package dev.tiller.persona.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.engine.Model;
import dev.tiller.engine.Perplexity;
import dev.tiller.loader.TillerException;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tiller perplexity}: how well a model foretells a text. */
@Command(
        name = "perplexity",
        header = "Measure how well a model foretells a text.",
        description =
                "Cuts a text into windows of tokens, runs each through the model and reports the perplexity: exp of the"
                        + " mean negative log-likelihood of the tokens. A token is scored in the first window that holds it,"
                        + " unless it is that window's first. With a stride below the window, windows overlap, and tokens of"
                        + " the later ones are scored with at least window - stride tokens before them.",
        footer = {
            "",
            "Examples:",
            "  tiller perplexity --model MODEL --text test.txt",
            "  tiller perplexity --model MODEL --text test.txt --window 512 --windows 0..3 --weights f32 --json",
            "  tiller perplexity --model MODEL --text test.txt --weights q4 --window 512 --stride 256 --tokens 20000 --json"
        })
final class PerplexityCommand implements Callable<Integer> {
    private final Console console;

    @Mixin
    private TextWindows text;

    @Option(
            names = "--stride",
            paramLabel = "N",
            converter = ModelOptions.Positive.class,
            description = "Tokens from the beginning of a window to that of the next (default: the window).")
    private Integer stride;

    @Option(
            names = "--tokens",
            paramLabel = "N",
            converter = ModelOptions.Positive.class,
            description = "Only the first N tokens of the text.")
    private Integer most;

    @Option(names = "--json", description = "One JSON object instead of a line for people.")
    private boolean json;

    @Mixin
    private ModelOptions options;

    PerplexityCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (text.chosen() && (stride != null || most != null)) {
            throw new TillerException("--windows does not go together with --stride or --tokens");
        }
        try (Model model = options.load(console)) {
            TextWindows.Part part = text.of(model);
            int[] tokens = part.tokens();
            if (most != null && most < tokens.length) {
                tokens = Arrays.copyOf(tokens, most);
            }
            Perplexity perplexity = new Perplexity(model, part.window(), stride != null ? stride : part.window());
            long total = perplexity.scored(tokens.length);
            long began = System.nanoTime();
            Perplexity.Result result;
            try (ProgressLine progress = new ProgressLine(console, options.quiet())) {
                result = perplexity.of(tokens, done -> progress.update("tokens", done, total));
            }
            report(model, result, (System.nanoTime() - began) / 1e9);
        }
        return Main.OK;
    }

    private void report(Model model, Perplexity.Result r, double seconds) {
        if (!json) {
            console.line(String.format(
                    Locale.ROOT,
                    "perplexity %.4f over %d tokens in %d windows, weights %s (%.1f s)",
                    r.perplexity(),
                    r.tokens(),
                    r.windows(),
                    model.weightFormats(),
                    seconds));
            return;
        }
        JsonObject o = new JsonObject();
        o.addProperty("perplexity", r.perplexity());
        JsonArray sums = new JsonArray();
        r.windowSums().forEach(sums::add);
        o.add("nll_sum", sums);
        o.addProperty("log_likelihood", r.logLikelihood());
        o.addProperty("tokens", r.tokens());
        o.addProperty("windows", r.windows());
        o.addProperty("weights", model.weightFormats());
        o.addProperty("backend", model.backend().description());
        o.addProperty("fingerprint", model.fingerprint());
        o.addProperty("seconds", seconds);
        console.line(JsonLines.write(o));
    }
}
