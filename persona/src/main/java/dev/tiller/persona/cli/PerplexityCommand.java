package dev.tiller.persona.cli;

import com.google.gson.JsonObject;
import dev.tiller.engine.Model;
import dev.tiller.engine.Perplexity;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
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
            "  tiller perplexity --model MODEL --text test.txt --weights q4 --window 512 --stride 256 --tokens 20000 --json"
        })
final class PerplexityCommand implements Callable<Integer> {
    private final Console console;

    @Option(names = "--text", required = true, paramLabel = "FILE", description = "The text, in UTF-8.")
    private Path text;

    @Option(
            names = "--window",
            paramLabel = "N",
            converter = ModelOptions.Positive.class,
            description = "Tokens of a window (default: 512, or the model's context if that is less).")
    private Integer window;

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
        String written = read(text);
        try (Model model = options.load(console)) {
            int[] tokens = model.encode(written);
            if (tokens.length < 2) {
                throw new TillerException("--text " + text + ": expected at least 2 tokens, found " + tokens.length);
            }
            if (most != null && most < tokens.length) {
                tokens = Arrays.copyOf(tokens, most);
            }
            int size = window != null ? window : Math.min(512, model.spec().maxPositions());
            Perplexity perplexity = new Perplexity(model, size, stride != null ? stride : size);
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

    private static String read(Path file) {
        try {
            return Files.readString(file, StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new TillerException("--text " + file + ": " + ErrorReport.reason(e), e);
        }
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
