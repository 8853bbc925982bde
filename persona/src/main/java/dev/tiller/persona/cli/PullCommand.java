package dev.tiller.persona.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.hub.HubCache;
import dev.tiller.loader.hub.HubId;
import dev.tiller.loader.hub.HubSettings;
import dev.tiller.loader.hub.Pull;
import dev.tiller.loader.hub.PullListener;
import dev.tiller.loader.hub.PullPlan;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code tiller pull}: a model from the hub into the cache. */
@Command(
        name = "pull",
        header = "Download a model from the Hugging Face hub or a mirror of it.",
        description = {
            "Downloads the files that a model needs into the cache that the Python tools use as well: configuration,"
                    + " tokenizer, chat template and safetensors, or one .gguf file. Every file is compared with its"
                    + " checksum. What has come is kept when a download is stopped or breaks; the same command goes on"
                    + " there. Prints where the model is; --model org/name finds it from then on, without network."
        },
        footer = {
            "",
            "Environment: HF_ENDPOINT (a mirror), HF_TOKEN or HF_TOKEN_PATH (for private and gated models),"
                    + " HF_HUB_CACHE or HF_HOME (the folder), HF_HUB_OFFLINE=1 (only look into the cache), HTTPS_PROXY,"
                    + " HTTP_PROXY and NO_PROXY, SSL_CERT_FILE (certificates to trust).",
            "",
            "Examples:",
            "  tiller pull HuggingFaceTB/SmolLM2-135M-Instruct",
            "  tiller pull org/name@v1.0 --dry-run",
            "  tiller pull org/name-GGUF --file name.Q8_0.gguf"
        })
final class PullCommand implements Callable<Integer> {
    private final Console console;
    private final Map<String, String> environment;

    @Parameters(
            paramLabel = "MODEL",
            description = "org/name, org/name/file.gguf, either with @revision (default: main).")
    private String model;

    @Option(names = "--file", paramLabel = "NAME", description = "The .gguf file, where a repository has several.")
    private String file;

    @Option(names = "--dry-run", description = "Show files and sizes, download nothing.")
    private boolean dryRun;

    @Option(names = "--token-file", paramLabel = "FILE", description = "A file with the access token.")
    private Path tokenFile;

    @Option(names = "--json", description = "One JSON object: model, commit, path, files.")
    private boolean json;

    @Option(
            names = {"-q", "--quiet"},
            description = "No notes and no progress on standard error.")
    private boolean quiet;

    PullCommand(Console console) {
        this(console, System.getenv());
    }

    PullCommand(Console console, Map<String, String> environment) {
        this.console = console;
        this.environment = environment;
    }

    @Override
    public Integer call() throws InterruptedException {
        HubId id = HubId.parse(model);
        if (file != null && id.file() != null && !file.equals(id.file())) {
            throw new TillerException("--file " + file + ": expected one file, found also " + id.file());
        }
        id = file == null ? id : id.withFile(file);
        HubSettings settings = HubSettings.of(environment, tokenFile);
        if (settings.offline() && !dryRun) {
            note("HF_HUB_OFFLINE is set: looking into the cache alone");
            Path found = new HubCache(settings.cache()).find(id);
            if (json) {
                JsonObject o = new JsonObject();
                o.addProperty("model", id.toString());
                o.addProperty("path", found.toString());
                console.line(JsonLines.write(o));
            } else {
                console.line(found.toString());
            }
            return Main.OK;
        }
        try (ProgressLine progress = ProgressLine.ofBytes(console, quiet);
                Pull pull = new Pull(settings, id, listener(id, progress))) {
            PullPlan plan = pull.plan();
            note(summary(plan, settings));
            if (!dryRun) {
                pull.run(plan);
            }
            show(plan);
        }
        return Main.OK;
    }

    private PullListener listener(HubId id, ProgressLine progress) {
        return new PullListener() {
            @Override
            public void bytes(long done, long total) {
                progress.update(id.repo(), done, total);
            }

            @Override
            public void note(String line) {
                progress.close();
                PullCommand.this.note(line);
            }
        };
    }

    private static String summary(PullPlan plan, HubSettings settings) {
        String free = plan.free().map(f -> ", " + ByteCount.text(f) + " free").orElse("");
        return plan.id() + ": commit " + plan.commit() + ", " + plan.files().size()
                + (plan.files().size() == 1 ? " file, " : " files, ") + ByteCount.text(plan.total()) + ", of which "
                + ByteCount.text(plan.missing()) + " to come from " + settings.endpoint() + " into " + settings.cache()
                + free;
    }

    private void show(PullPlan plan) {
        if (json) {
            console.line(JsonLines.write(describe(plan)));
            return;
        }
        if (!dryRun) {
            console.line(plan.path().toString());
            return;
        }
        for (PullPlan.File f : plan.files()) {
            String size = f.size() < 0 ? "?" : ByteCount.text(f.size());
            String here = f.isHere() ? "here" : f.here() > 0 ? ByteCount.text(f.here()) + " here" : "to come";
            console.line(String.format(Locale.ROOT, "%10s  %-16s %s", size, here, console.visible(f.name())));
        }
    }

    private JsonObject describe(PullPlan plan) {
        JsonObject o = new JsonObject();
        o.addProperty("model", plan.id().toString());
        o.addProperty("commit", plan.commit());
        o.addProperty("path", plan.path().toString());
        o.addProperty("bytes", plan.total());
        o.addProperty("missing", dryRun ? plan.missing() : 0);
        JsonArray files = new JsonArray();
        for (PullPlan.File f : plan.files()) {
            JsonObject entry = new JsonObject();
            entry.addProperty("name", f.name());
            entry.addProperty("size", f.size());
            files.add(entry);
        }
        o.add("files", files);
        return o;
    }

    private void note(String line) {
        if (!quiet) {
            console.note(console.visible(line));
        }
    }
}
