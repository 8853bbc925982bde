package dev.tiller.bench.peers;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.AtomicFile;
import dev.tiller.loader.Json;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.cli.Console;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code tiller bench page}: a page of tables and charts from the results in a folder. */
@Command(
        name = "page",
        header = "Writes README.md and charts from the results in a folder.",
        description = {
            "Reads what the bench commands wrote with --json: peers-*.json, kernels*.json, startup*.json, steering*.json, site*.json,"
                    + " rollouts*.json, quality*.json, tokenizer*.json. What limits a row is said by people, in limits.md of the same folder: a line"
                    + " \"decode bf16: ...\" for each row of ours, \"MODEL decode bf16: ...\" where models differ."
                    + " intro.md begins the page, quality.md the part on formats of weights."
        })
public final class PageCommand implements Callable<Integer> {
    private static final String LIMITS = "limits.md";

    private final Console console;

    @Parameters(paramLabel = "DIR", defaultValue = "bench/results", description = "Default: ${DEFAULT-VALUE}.")
    private Path folder;

    public PageCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() throws IOException {
        Map<String, String> limits = limits();
        StringBuilder page = new StringBuilder(text("intro.md", "# Measured\n"));
        for (Path file : results("peers-")) {
            peers(page, file, limits);
        }
        page.append(results("quality-").isEmpty() ? "" : text("quality.md", ""));
        for (Path file : results("quality-")) {
            write(QualityPage.chartOf(file), QualityPage.append(page, file));
        }
        for (Path file : results("startup")) {
            startup(page, file);
        }
        for (Path file : results("steering")) {
            steering(page, file);
        }
        for (Path file : results("site")) {
            site(page, file);
        }
        for (Path file : results("rollouts")) {
            rollouts(page, file);
        }
        for (Path file : results("tokenizer")) {
            tokenizers(page, file);
        }
        for (Path file : results("kernels")) {
            kernels(page, file);
        }
        write("README.md", page.toString());
        console.note("wrote " + folder.resolve("README.md"));
        return 0;
    }

    /** A text of people in the folder. */
    private String text(String name, String otherwise) throws IOException {
        Path file = folder.resolve(name);
        return Files.isReadable(file) ? Files.readString(file) : otherwise;
    }

    private List<Path> results(String beginning) throws IOException {
        if (!Files.isDirectory(folder)) {
            throw new TillerException(folder + ": expected a folder of results, found none");
        }
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(f -> f.getFileName().toString().startsWith(beginning))
                    .filter(f -> f.toString().endsWith(".json"))
                    .sorted()
                    .toList();
        }
    }

    private Map<String, String> limits() throws IOException {
        Map<String, String> limits = new LinkedHashMap<>();
        Path file = folder.resolve(LIMITS);
        if (Files.isReadable(file)) {
            for (String line : Files.readAllLines(file)) {
                int colon = line.indexOf(": ");
                if (colon > 0) {
                    limits.put(
                            line.substring(0, colon).strip(),
                            line.substring(colon + 2).strip());
                }
            }
        }
        return limits;
    }

    private void write(String name, String text) {
        AtomicFile.writeString(folder.resolve(name), text);
    }

    // ---- with peers ----

    private void peers(StringBuilder page, Path file, Map<String, String> limits) {
        String name = file.getFileName().toString();
        JsonObject o = Json.readObject(file);
        String model = Json.string(o, "model", name);
        page.append("\n## ").append(model).append(" beside other engines\n\n");
        page.append(Json.string(o, "machine", name)).append(". Measured in the same run: reading memory ");
        page.append(show(Json.object(o, "read_gb_per_second", name), "%.1f")).append(" GB/s, multiply-adds ");
        page.append(show(Json.object(o, "multiply_add_gflop_per_second", name), "%.0f"))
                .append(" GFLOP/s.\n");
        for (String engine : Json.strings(o, "engines", name)) {
            page.append("- ").append(engine).append('\n');
        }
        for (String note : Json.strings(o, "notes", name)) {
            page.append("- ").append(note).append('\n');
        }
        List<JsonObject> rows = objects(o, "rows", name);
        String stem = name.replaceAll("\\.json$", "");
        for (String row :
                rows.stream().map(r -> Json.string(r, "name", name)).distinct().toList()) {
            chart(rows, row, model, stem, page, name);
        }
        page.append("\n| row | engine | weights | batch | tokens/s | share of the nearer ceiling | what limits it |\n");
        page.append("|---|---|---|---|---|---|---|\n");
        for (JsonObject r : rows) {
            peerRow(page, r, model, limits, name);
        }
        page.append(
                "\n| row | over | ratio, round by round | committed | aimed | result |\n|---|---|---|---|---|---|\n");
        for (JsonObject c : objects(o, "ratios", name)) {
            String ratio = show(c, "%.3f");
            page.append(String.format(
                    Locale.ROOT,
                    "| %s | %s | %s | %s | %s | %s |%n",
                    Json.string(c, "name", name),
                    Json.string(c, "to", name),
                    ratio,
                    bound(Json.number(c, "committed", name)),
                    bound(Json.number(c, "aimed", name)),
                    Json.string(c, "result", name)));
        }
    }

    private void chart(
            List<JsonObject> rows, String row, String model, String stem, StringBuilder page, String source) {
        List<Chart.Bar> bars = new ArrayList<>();
        for (JsonObject r : rows) {
            if (Json.string(r, "name", source).equals(row)) {
                JsonObject rate = Json.object(r, "tokens_per_second", source);
                String engine = Json.string(r, "engine", source);
                bars.add(new Chart.Bar(
                        engine + " " + Json.string(r, "weights", source),
                        Json.number(rate, "median", source),
                        Json.number(rate, "min", source),
                        Json.number(rate, "max", source),
                        engine.equals(PeerRow.TILLER)));
            }
        }
        String file = stem + "-" + row + ".svg";
        write(file, Chart.svg(row + ", " + model, "tokens per second; median, whisker from min to max", bars));
        page.append("\n![").append(row).append("](").append(file).append(")\n");
    }

    private static void peerRow(
            StringBuilder page, JsonObject r, String model, Map<String, String> limits, String source) {
        String key = Json.string(r, "name", source) + " " + Json.string(r, "weights", source);
        boolean ours = Json.string(r, "engine", source).equals(PeerRow.TILLER);
        String share = "";
        if (Json.has(r, "roofline")) {
            JsonObject roof = Json.object(r, "roofline", source);
            String bound = Json.string(roof, "bound_by", source);
            share = bound + " "
                    + show(Json.object(roof, bound.equals("memory") ? "of_read" : "of_multiply_add", source), "%.2f");
        }
        page.append(String.format(
                Locale.ROOT,
                "| %s | %s | %s | %d | %s | %s | %s |%n",
                Json.string(r, "name", source),
                Json.string(r, "engine", source),
                Json.string(r, "weights", source),
                Json.integer(r, "batch", source),
                show(Json.object(r, "tokens_per_second", source), "%.1f"),
                share,
                ours ? limits.getOrDefault(model + " " + key, limits.getOrDefault(key, "")) : ""));
    }

    // ---- the others ----

    private static void startup(StringBuilder page, Path file) {
        String name = file.getFileName().toString();
        JsonObject o = Json.readObject(file);
        page.append("\n## Start and memory: ").append(Json.string(o, "model", name));
        page.append(", weights ").append(Json.string(o, "weights", name)).append("\n\n");
        page.append(String.format(
                Locale.ROOT,
                "A fresh process gave the first token after a prompt of %d tokens in %s s. Its peak resident memory was"
                        + " %s MB (at most %s MB of no file, %s MB of mapped files); weights, keys and values, and 300 MiB"
                        + " are %.0f MB.%n",
                Json.integer(o, "prompt", name),
                show(Json.object(o, "first_token_seconds", name), "%.2f"),
                show(Json.object(o, "peak_resident_mb", name), "%.0f"),
                show(Json.object(o, "resident_of_no_file_mb", name), "%.0f"),
                show(Json.object(o, "resident_of_mapped_files_mb", name), "%.0f"),
                Json.number(o, "limit_mb", name)));
    }

    private static void steering(StringBuilder page, Path file) {
        String name = file.getFileName().toString();
        JsonObject o = Json.readObject(file);
        page.append(String.format(
                Locale.ROOT,
                "%n## Steering: %s, weights %s%n%n%s. Speed with it over speed without it: by rounds, and by neighbouring"
                        + " turns with the 95 %% interval of their median.%n%n"
                        + "| row | batch | ratio of rounds | turns |%n|---|---|---|---|%n",
                Json.string(o, "model", name),
                Json.string(o, "weights", name),
                Json.string(o, "machine", name)));
        for (JsonObject r : objects(o, "rows", name)) {
            JsonObject turns = Json.object(r, "turns", name);
            page.append(String.format(
                    Locale.ROOT,
                    "| %s | %d | %s | %.4f (%.4f..%.4f, n %d) |%n",
                    Json.string(r, "name", name),
                    Json.integer(r, "batch", name),
                    show(Json.object(r, "ratio", name), "%.4f"),
                    Json.number(turns, "median", name),
                    Json.number(turns, "low", name),
                    Json.number(turns, "high", name),
                    Json.integer(turns, "n", name)));
        }
        if (Json.has(o, "peer")) {
            page.append("\nThe same in ").append(Json.string(o, "peer", name)).append(":\n\n");
            page.append("| row | ratio of rounds |\n|---|---|\n");
            for (JsonObject r : objects(o, "peer_rows", name)) {
                String ratio = show(Json.object(r, "ratio", name), "%.4f");
                page.append("| " + Json.string(r, "name", name) + " | " + ratio + " |\n");
            }
        }
    }

    private static void site(StringBuilder page, Path file) {
        String name = file.getFileName().toString();
        JsonObject o = Json.readObject(file);
        page.append(String.format(
                Locale.ROOT,
                "%n## Edits at one residual site%n%n%s. One thread; nanoseconds for a row, and what the edits add; bytes of the"
                        + " directions over those of a block's weights (12 d^2 in bf16), and the time of all rows' edits"
                        + " over the time of reading those weights at %.1f GB/s.%n%n"
                        + "| edits | width | rows | ns for a row | added | bytes | time |%n|---|---|---|---|---|---|---|%n",
                Json.string(o, "machine", name),
                Json.number(o, "read_gb_per_second", name)));
        for (JsonObject r : objects(o, "rows", name)) {
            page.append(String.format(
                    Locale.ROOT,
                    "| %s | %d | %d | %s | %s | %.4f %% | %.4f %% |%n",
                    Json.string(r, "edits", name),
                    Json.integer(r, "width", name),
                    Json.integer(r, "rows", name),
                    show(Json.object(r, "nanoseconds_per_row", name), "%.0f"),
                    show(Json.object(r, "nanoseconds_added", name), "%.0f"),
                    100 * Json.number(r, "share_of_bytes", name),
                    100 * Json.number(r, "share_of_time", name)));
        }
    }

    private static void rollouts(StringBuilder page, Path file) {
        String name = file.getFileName().toString();
        JsonObject o = Json.readObject(file);
        page.append("\n## Rollouts: ").append(Json.string(o, "model", name)).append("\n\n");
        for (JsonObject r : objects(o, "rows", name)) {
            page.append(String.format(
                    Locale.ROOT,
                    "%d texts side by side, weights %s: %s tokens/s.%n",
                    Json.integer(r, "batch", name),
                    Json.string(r, "weights", name),
                    show(Json.object(r, "tokens_per_second", name), "%.0f")));
        }
    }

    private static void tokenizers(StringBuilder page, Path file) {
        String name = file.getFileName().toString();
        JsonObject o = Json.readObject(file);
        boolean peer = Json.has(o, "peer");
        page.append(String.format(
                Locale.ROOT,
                "%n## Tokenizers%n%n%s. %s, the first %d bytes; one thread%s. `encode` takes the lines one by one,"
                        + " `encode_whole` the text at once, `decode` turns the tokens of the lines back. MB are 10^6"
                        + " bytes of UTF-8.%n%n| tokenizer | row | MB/s |%s%n|---|---|---|%s%n",
                Json.string(o, "machine", name),
                Json.string(o, "text", name),
                Json.integer(o, "bytes", name),
                peer ? "; beside " + Json.string(o, "peer", name) + ", in turns" : "",
                peer ? " peer MB/s | ratio, round by round |" : "",
                peer ? "---|---|" : ""));
        for (JsonObject r : objects(o, "rows", name)) {
            page.append(String.format(
                    Locale.ROOT,
                    "| %s | %s | %s |",
                    Json.string(r, "tokenizer", name),
                    Json.string(r, "row", name),
                    show(Json.object(r, "mb_per_second", name), "%.1f")));
            if (peer) {
                page.append(" ").append(show(Json.object(r, "peer_mb_per_second", name), "%.1f"));
                page.append(" | ")
                        .append(show(Json.object(r, "ratio", name), "%.2f"))
                        .append(" |");
            }
            page.append('\n');
        }
    }

    private static void kernels(StringBuilder page, Path file) {
        String name = file.getFileName().toString();
        JsonObject o = Json.readObject(file);
        page.append("\n## Single operations (").append(name).append(")\n\n");
        page.append(Json.string(o, "machine", name)).append(". Reading memory ");
        page.append(show(Json.object(o, "read_gb_per_second", name), "%.1f")).append(" GB/s, multiply-adds ");
        page.append(show(Json.object(o, "multiply_add_gflop_per_second", name), "%.0f"))
                .append(" GFLOP/s.\n\n");
        page.append("| kernel | shape | us | GB/s | GFLOP/s | share | bound by |\n|---|---|---|---|---|---|---|\n");
        for (JsonObject r : objects(o, "rows", name)) {
            page.append(String.format(
                    Locale.ROOT,
                    "| %s | %s | %s | %.1f | %.1f | %.0f %% | %s |%n",
                    Json.string(r, "kernel", name),
                    Json.string(r, "shape", name),
                    show(Json.object(r, "microseconds", name), "%.2f"),
                    Json.number(r, "gb_per_second", name),
                    Json.number(r, "gflop_per_second", name),
                    100 * Json.number(r, "share_of_ceiling", name),
                    Json.string(r, "bound_by", name)));
        }
        Json.object(o, "skipped", name)
                .asMap()
                .forEach((what, why) -> page.append("\nSkipped ")
                        .append(what)
                        .append(": ")
                        .append(why.getAsString())
                        .append('\n'));
    }

    private static List<JsonObject> objects(JsonObject o, String key, String source) {
        List<JsonObject> objects = new ArrayList<>();
        JsonArray array = Json.array(o, key, source);
        for (JsonElement e : array) {
            objects.add(e.getAsJsonObject());
        }
        return objects;
    }

    private static String show(JsonObject spread, String number) {
        return String.format(
                Locale.ROOT,
                number + " [" + number + ".." + number + "]",
                Json.number(spread, "median", "spread"),
                Json.number(spread, "min", "spread"),
                Json.number(spread, "max", "spread"));
    }

    private static String bound(double value) {
        return value == 0 ? "" : String.valueOf(value);
    }
}
