package dev.tiller.persona.cli;

import dev.tiller.engine.WeightCache;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.hub.HubId;
import dev.tiller.loader.hub.HubModels;
import dev.tiller.loader.hub.HubSettings;
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
            "  tiller cache models",
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
                                    "Hugging Face directory, .gguf file or org/name (default: the bundled models/microworld).")
                    Path model,
            @Option(
                            names = "--weights",
                            paramLabel = "FORMAT",
                            converter = ModelOptions.Weights.class,
                            description = "As in the commands that will use them (default: as stored).")
                    WeightFormat weights) {
        Path file = cache.add(model == null ? ModelOptions.bundled() : ModelPath.find("--model ", model), weights);
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
        String name = null;
        if (model != null && !Files.exists(model) && model.getNameCount() == 1) {
            name = model.toString(); // as "cache list" shows it
        } else if (model != null) {
            try (Checkpoint checkpoint = Checkpoint.open(ModelPath.find("--model ", model))) {
                name = checkpoint.name();
            }
        }
        console.line("deleted " + megabytes(cache.clear(name)));
        return Main.OK;
    }

    @Command(
            name = "models",
            description = "Show the models that \"tiller pull\" and the Python tools have downloaded.")
    int models(
            @Option(
                            names = "--remove",
                            paramLabel = "ORG/NAME",
                            description = "Delete this one, for all programs that share the cache.")
                    String remove) {
        Path folder = HubSettings.cache(System.getenv());
        HubModels models = new HubModels(folder);
        if (remove != null) {
            console.line("deleted " + ByteCount.text(models.remove(HubId.parse(remove))));
            return Main.OK;
        }
        List<HubModels.Entry> entries = models.list();
        long bytes = 0;
        for (HubModels.Entry e : entries) {
            bytes += e.bytes();
            console.line(String.format(
                    Locale.ROOT,
                    "%9s  %d %-9s  %s",
                    ByteCount.text(e.bytes()),
                    e.snapshots(),
                    e.snapshots() == 1 ? "revision" : "revisions",
                    console.visible(e.repo())));
        }
        console.line(entries.size() + (entries.size() == 1 ? " model, " : " models, ") + ByteCount.text(bytes) + " in "
                + folder);
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
