package dev.tiller.persona.cli;

import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.ModelConfig;
import dev.tiller.loader.Safetensors;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.VectorFile;
import dev.tiller.persona.vectors.ImportOptions;
import dev.tiller.persona.vectors.VectorImport;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.IntSummaryStatistics;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code tiller inspect}: what is in a file, and whether it is sound. */
@Command(
        name = "inspect",
        header = "Show and check a model, vector or safetensors file.",
        description =
                "Shows what a model directory, a .gguf model, a vector file of ours or of another tool (.pt, .gguf, .svec) or"
                        + " any other safetensors file holds, and checks it. With --json a line {\"file\", \"ok\", \"error\"} for each. Exit code 1 if any is not sound.",
        footer = {
            "",
            "Examples:",
            "  tiller inspect models/microworld",
            "  tiller inspect optimistic.safetensors",
            "  tiller inspect --json *.safetensors"
        })
final class InspectCommand implements Callable<Integer> {
    /** Names in a line at most. */
    private static final int MOST_NAMES = 20;

    private final Console console;

    @Parameters(
            arity = "1..*",
            paramLabel = "PATH",
            description = "Files, model directories, or org/name of downloaded models.")
    private List<Path> paths;

    @Option(names = "--json", description = "One line of JSON per path instead of a table.")
    private boolean json;

    InspectCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        int code = Main.OK;
        for (Path path : paths) {
            String error = null;
            try {
                inspect(path);
            } catch (TillerException | UncheckedIOException e) {
                error = ErrorReport.line(e);
                code = Main.FAILED;
            }
            if (json) {
                JsonObject o = new JsonObject();
                o.addProperty("file", path.toString());
                o.addProperty("ok", error == null);
                o.add("error", error == null ? JsonNull.INSTANCE : new JsonPrimitive(error));
                console.line(JsonLines.write(o));
            } else if (error != null) {
                console.flush();
                console.note("tiller: " + error);
            }
        }
        return code;
    }

    private void inspect(Path given) {
        Path path = ModelPath.find("", given);
        String name = path.toString();
        if (Files.isDirectory(path)) {
            model(path);
        } else if (name.endsWith(".gguf")) {
            if (VectorImport.isControlVector(path)) {
                foreign(path);
            } else {
                model(path);
            }
        } else if (name.endsWith(".pt") || name.endsWith(".pth") || name.endsWith(".svec")) {
            foreign(path);
        } else {
            safetensors(path);
        }
    }

    /** A vector of another tool: sound or not, and how to convert it. */
    private void foreign(Path path) {
        String holds = VectorImport.inspect(path);
        if (json) {
            return;
        }
        row("file", path + String.format(Locale.ROOT, ", %,d bytes", size(path)));
        row("holds", holds);
        try {
            VectorImport imported = VectorImport.read(path, ImportOptions.from(null));
            row("tool", imported.tool().key());
            VectorTable.lines(path, imported.content()).stream()
                    .skip(1)
                    .forEach(line -> console.line(console.visible(line)));
        } catch (TillerException e) {
            row("as a vector", ErrorReport.line(e));
        }
    }

    private void model(Path path) {
        try (Checkpoint checkpoint = Checkpoint.open(path)) {
            checkpoint.checkShapes();
            if (json) {
                return;
            }
            ModelConfig c = checkpoint.config();
            long parameters = 0;
            for (String name : checkpoint.tensorNames()) {
                parameters += checkpoint.tensor(name).elements();
            }
            row("model", path + " (" + c.modelType() + ")");
            if (!c.partOf().isEmpty()) {
                row("part", "the text part of a " + c.partOf() + " model; nothing else of it is used");
            }
            row(
                    "parameters",
                    String.format(
                            Locale.ROOT,
                            "%,d in %d tensors",
                            parameters,
                            checkpoint.tensorNames().size()));
            StoredWeights.lines(checkpoint).forEach(line -> row("weights", line));
            row("blocks", c.blocks() + " (0.." + (c.blocks() - 1) + ")");
            row("width", c.hiddenSize() + ", MLP " + c.intermediateSize());
            if (c.hasMixture()) {
                ModelConfig.Mixture m = c.mlp().mixture();
                row("experts", m.experts() + ", " + m.chosen() + " for each token, " + m.intermediateSize() + " wide");
            }
            row(
                    "attention",
                    c.heads() + " heads, " + c.kvHeads() + " for keys and values, " + c.headDim() + " wide"
                            + windows(c));
            row("vocabulary", c.vocabSize() + (c.tiedEmbeddings() ? ", head tied to the embedding" : ""));
            row(
                    "context",
                    c.maxPositions() + " tokens, "
                            + (c.rope() == null
                                    ? "learned positions"
                                    : "rope " + c.rope().type() + ", theta "
                                            + c.rope().theta()));
            row("tokenizer", checkpoint.hasTokenizer() ? checkpoint.tokenizer().vocabSize() + " tokens" : "none");
            row("chat template", checkpoint.chatTemplateSource().isPresent() ? "yes" : "none");
            row("end tokens", checkpoint.generationConfig().eosIds().toString());
            row("fingerprint", checkpoint.fingerprint());
            if (!checkpoint.unused().isEmpty()) {
                row("not used", listed(checkpoint.unused()));
            }
        }
    }

    /** The sliding windows, and how many blocks have them; nothing if none has one. */
    private static String windows(ModelConfig c) {
        IntSummaryStatistics windows = c.perBlock().stream()
                .mapToInt(ModelConfig.Block::window)
                .filter(w -> w > 0)
                .summaryStatistics();
        long blocks = windows.getCount();
        return blocks == 0
                ? ""
                : ", a window of " + windows.getMax() + " tokens in "
                        + (blocks == c.blocks() ? "all blocks" : blocks + " of " + c.blocks() + " blocks");
    }

    /** Names; where there are many, by their beginnings. */
    static String listed(List<String> names) {
        if (names.size() <= MOST_NAMES) {
            return String.join(", ", names);
        }
        Map<String, Long> groups = names.stream()
                .collect(Collectors.groupingBy(n -> n.replaceFirst("\\..*", ""), TreeMap::new, Collectors.counting()));
        return names.size() + " tensors: "
                + groups.entrySet().stream()
                        .map(e -> e.getKey() + ".* (" + e.getValue() + ")")
                        .collect(Collectors.joining(", "));
    }

    private void safetensors(Path path) {
        if (VectorFile.isVectorFile(path)) {
            VectorFile.read(path); // says what is wrong
        }
        try (Safetensors file = Safetensors.open(path)) {
            if (json) {
                return;
            }
            row("file", path + String.format(Locale.ROOT, ", %,d bytes", size(path)));
            for (Map.Entry<String, String> e : file.metadata().entrySet()) {
                row(e.getKey(), e.getValue());
            }
            for (TensorView t : file.tensors().values()) {
                row("tensor", t.name() + "  " + t.dtype() + " " + Arrays.toString(t.shape()) + norm(t));
            }
        }
    }

    /** Length of a vector; nothing for other tensors. */
    private static String norm(TensorView t) {
        boolean vector = t.shape().length == 1 && t.elements() > 1 && t.elements() < 1 << 20;
        if (!vector || !t.dtype().isFloat()) {
            return "";
        }
        return String.format(Locale.ROOT, "  norm %.4g", dev.tiller.engine.Vectors.norm(t.toFloats()));
    }

    private static long size(Path path) {
        try {
            return Files.size(path);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void row(String key, String value) {
        console.out().printf("%-14s %s%n", console.visible(key), console.visible(value));
    }
}
