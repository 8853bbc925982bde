package dev.tiller.persona.cli;

import dev.tiller.engine.WeightCache;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.TillerException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code tiller cache}: packed weights that make loading fast. */
@Command(
        name = "cache",
        header = "Keep packed weights, so that a model loads at once.",
        description =
                "A model's weights are rearranged each time it is loaded on the simd backend. \"cache add\" keeps the result in"
                        + " a file as large as the weights in memory; from then on loading maps it, and processes that"
                        + " run the same model share its memory. Nothing is written unless asked for. A file is used"
                        + " only for the very model, format and vector width it was made of, and may be deleted at any"
                        + " time. Without a subcommand: list what is kept.",
        footer = {
            "",
            "The files lie in $TILLER_CACHE/weights, else $XDG_CACHE_HOME/tiller/weights, else ~/.cache/tiller/weights.",
            "",
            "Examples:",
            "  tiller cache add --model DIR --weights bf16",
            "  tiller cache",
            "  tiller cache clear"
        })
final class CacheCommand implements Callable<Integer> {
    private static final DateTimeFormatter MINUTES =
            DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm", Locale.ROOT).withZone(ZoneId.systemDefault());

    private final Console console;
    private final WeightCache cache = WeightCache.ofUser(System.getenv());

    CacheCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        return list();
    }

    @Command(name = "list", description = "Show what is kept: size, last use, format, model.")
    int list() {
        List<WeightCache.Entry> entries = cache.list();
        long bytes = 0;
        for (WeightCache.Entry e : entries) {
            bytes += e.bytes();
            console.line(String.format(
                    Locale.ROOT,
                    "%9s  %s  %-6s  %s",
                    megabytes(e.bytes()),
                    MINUTES.format(e.used()),
                    e.format(),
                    e.model()));
        }
        console.line(entries.size() + (entries.size() == 1 ? " file, " : " files, ") + megabytes(bytes) + " in "
                + cache.folder());
        return Main.OK;
    }

    @Command(name = "add", description = "Pack the weights of a model and keep them.")
    int add(
            @Option(
                            names = "--model",
                            paramLabel = "PATH",
                            description =
                                    "Hugging Face directory or .gguf file (default: the bundled models/microworld).")
                    Path model,
            @Option(
                            names = "--weights",
                            paramLabel = "FORMAT",
                            converter = ModelOptions.Weights.class,
                            description = "As in the commands that will use them (default: as stored).")
                    WeightFormat weights) {
        Path file = cache.add(model == null ? ModelOptions.bundled() : model, weights);
        console.line(file.toString());
        return Main.OK;
    }

    @Command(name = "clear", description = "Delete what is kept, of one model or of all.")
    int clear(
            @Option(
                            names = "--model",
                            paramLabel = "PATH",
                            description = "Model whose weights are deleted (default: all).")
                    Path model) {
        if (model != null && !Files.exists(model) && model.getNameCount() > 1) {
            throw new TillerException("--model " + model + ": no such file or directory");
        }
        String name = null;
        if (model != null && Files.exists(model)) {
            try (Checkpoint checkpoint = Checkpoint.open(model)) {
                name = checkpoint.name();
            }
        } else if (model != null) {
            name = model.toString();
        }
        console.line("deleted " + megabytes(cache.clear(name)));
        return Main.OK;
    }

    @Command(name = "path", description = "Show the folder.")
    int path() {
        console.line(cache.folder().toString());
        return Main.OK;
    }

    private static String megabytes(long bytes) {
        return String.format(Locale.ROOT, "%.1f MB", bytes / 1e6);
    }
}
