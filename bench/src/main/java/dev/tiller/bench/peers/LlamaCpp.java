package dev.tiller.bench.peers;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import dev.tiller.bench.Entrant;
import dev.tiller.bench.Facts;
import dev.tiller.bench.Sample;
import dev.tiller.loader.Json;
import dev.tiller.loader.TillerException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * llama.cpp on one file, through its own benchmark programs, started anew for every row (they warm up by themselves):
 * {@code llama-bench} for a prompt and for decoding, {@code llama-batched-bench} for several sequences.
 */
final class LlamaCpp implements Entrant {
    private static final String SOURCE = "llama-bench";

    private final Tools tools;
    private final Path file;
    private final String weights;
    private final Shapes shapes;
    private final boolean promptOnly;
    private final Map<String, Double> facts = new LinkedHashMap<>();
    private String version = "llama.cpp";

    /**
     * The programs.
     *
     * @param bench llama-bench
     * @param batched llama-batched-bench, or null
     * @param depth true if llama-bench can begin after a context
     * @param version what the user calls this build, or null
     */
    record Tools(Path bench, Path batched, boolean depth, String version) {
        /** From a folder, or from the PATH if none is given; null if there is no llama-bench. */
        static Tools find(Path folder, String version) {
            Path bench = Programs.find("llama-bench", folder).orElse(null);
            if (bench == null) {
                return null;
            }
            Path batched = Programs.find("llama-batched-bench", folder).orElse(null);
            Programs.Output help = Programs.run(List.of(bench.toString(), "--help"));
            return new Tools(bench, batched, (help.out() + help.err()).contains("--n-depth"), version);
        }
    }

    /**
     * @param weights type of the file's matrices, e.g. q8_0
     * @param promptOnly true to leave decoding out
     */
    LlamaCpp(Tools tools, Path file, String weights, Shapes shapes, boolean promptOnly) {
        this.tools = tools;
        this.file = file;
        this.weights = weights;
        this.shapes = shapes;
        this.promptOnly = promptOnly;
    }

    @Override
    public List<Sample> round() {
        List<Sample> samples = new ArrayList<>();
        samples.add(new Sample("prefill", weights, 1, bench("-p", shapes.prompt(), "-n", 0)));
        if (promptOnly) {
            return samples;
        }
        double decode = tools.depth
                ? bench("-p", 0, "-n", shapes.decode(), "-d", shapes.context())
                : bench("-p", 0, "-n", shapes.decode());
        samples.add(new Sample("decode", weights, 1, decode));
        if (tools.batched != null) {
            samples.add(new Sample("decode_batch", weights, shapes.batch(), batched()));
        }
        return samples;
    }

    private double bench(Object... options) {
        List<String> command = new ArrayList<>(List.of(tools.bench.toString(), "-m", file.toString()));
        for (Object o : options) {
            command.add(o.toString());
        }
        command.addAll(List.of("-r", "1", "-t", String.valueOf(shapes.threads()), "-o", "json"));
        JsonObject row = parseBench(Programs.run(command).out());
        version = version(row);
        if (Json.has(row, "model_size")) {
            facts.put(Facts.STEP_BYTES, Json.number(row, "model_size", SOURCE));
        }
        return Json.number(row, "avg_ts", SOURCE);
    }

    /** The one result of {@code llama-bench -o json}. */
    static JsonObject parseBench(String text) {
        try {
            JsonElement all = JsonParser.parseString(text);
            if (all.isJsonArray() && all.getAsJsonArray().size() == 1) {
                return all.getAsJsonArray().get(0).getAsJsonObject();
            }
        } catch (JsonParseException | IllegalStateException e) {
            // said below
        }
        throw new TillerException(SOURCE + ": expected a list of one result, found " + beginning(text));
    }

    private String version(JsonObject row) {
        String commit = Json.has(row, "build_commit") ? Json.string(row, "build_commit", SOURCE) : "unknown";
        if (tools.version != null) {
            return "llama.cpp " + tools.version;
        }
        return commit.equals("unknown") ? "llama.cpp (its build does not know its version)" : "llama.cpp " + commit;
    }

    private double batched() {
        int positions = shapes.batch() * (shapes.context() + shapes.decode() + 1);
        String threads = String.valueOf(shapes.threads());
        Programs.Output output = Programs.run(List.of(
                tools.batched.toString(),
                "-m",
                file.toString(),
                "-c",
                String.valueOf(Math.ceilDiv(positions, 256) * 256),
                "-npp",
                String.valueOf(shapes.context()),
                "-ntg",
                String.valueOf(shapes.decode()),
                "-npl",
                String.valueOf(shapes.batch()),
                "-t",
                threads,
                "-tb",
                threads,
                "--output-format",
                "jsonl"));
        return parseBatched(output.out());
    }

    /** Tokens per second of all sequences, from {@code llama-batched-bench --output-format jsonl}. */
    static double parseBatched(String text) {
        for (String line : text.split("\n")) {
            if (line.strip().startsWith("{") && line.contains("\"speed_tg\"")) {
                JsonObject row = Json.parseObject(line.strip(), "llama-batched-bench");
                return Json.number(row, "speed_tg", "llama-batched-bench");
            }
        }
        throw new TillerException("llama-batched-bench: expected a line with \"speed_tg\", found " + beginning(text));
    }

    private static String beginning(String text) {
        String t = text.strip();
        return t.isEmpty() ? "nothing" : "\"" + t.substring(0, Math.min(200, t.length())) + "\"";
    }

    /** With the version as soon as one round has run. */
    @Override
    public String name() {
        return version;
    }

    @Override
    public Map<String, Double> facts() {
        return facts;
    }

    @Override
    public void close() {}
}
