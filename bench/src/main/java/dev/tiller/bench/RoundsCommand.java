package dev.tiller.bench;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.engine.Model;
import dev.tiller.engine.ModelSpec;
import dev.tiller.kernels.KvPages;
import dev.tiller.persona.cli.Console;
import dev.tiller.persona.cli.ModelOptions;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * {@code tiller bench rounds}: one model in a process of its own that measures when it is told to, in the words of
 * {@link Peer}. So formats of weights do not share compiled code, and a peer cannot share memory with us.
 */
@Command(
        name = "rounds",
        hidden = true,
        description = "Measures the rows of \"tiller bench\" once for each line \"round\" on standard input.")
final class RoundsCommand implements Callable<Integer> {
    private final Console console;

    @Mixin
    private ModelOptions options;

    @Mixin
    private RateOptions sizes;

    @Option(
            names = "--warm-up",
            paramLabel = "SECONDS",
            defaultValue = "5",
            description = "Shortest warm-up; two rounds always run (default: ${DEFAULT-VALUE}).")
    private double warmUp;

    RoundsCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() throws IOException {
        try (Model model = options.load(console)) {
            Rates rates = sizes.rates(model);
            long start = System.nanoTime();
            for (int r = 0; r < 2 || System.nanoTime() - start < warmUp * 1e9; r++) {
                rates.round();
            }
            JsonObject hello = new JsonObject();
            hello.addProperty("name", "tiller, " + model.backend().description());
            JsonObject facts = new JsonObject();
            facts(model).forEach(facts::addProperty);
            hello.add("facts", facts);
            console.line(hello.toString());
            console.out().flush();
            BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                if (line.strip().equals("round")) {
                    console.line(answer(rates.round()));
                    console.out().flush();
                }
            }
        }
        return 0;
    }

    private static String answer(List<Sample> samples) {
        JsonArray rows = new JsonArray();
        for (Sample s : samples) {
            JsonObject row = new JsonObject();
            row.addProperty("name", s.name());
            row.addProperty("weights", s.weights());
            row.addProperty("batch", s.batch());
            row.addProperty("tokens_per_second", s.tokensPerSecond());
            rows.add(row);
        }
        JsonObject o = new JsonObject();
        o.add("rows", rows);
        return o.toString();
    }

    /** What a token costs at least. */
    static Map<String, Double> facts(Model model) {
        Map<String, Double> facts = new LinkedHashMap<>();
        ModelSpec s = model.spec();
        double q = (double) s.attention().heads() * s.attention().headDim();
        double kv = (double) s.attention().kvHeads() * s.attention().headDim();
        double block = s.width() * (2 * q + 2 * kv) + (s.gated() ? 3.0 : 2.0) * s.width() * s.ffn();
        facts.put(Facts.STEP_BYTES, (double) model.weightBytesPerStep());
        facts.put(Facts.KV_BYTES, kvBytesPerPosition(model));
        facts.put(Facts.BLOCK_FLOPS, 2 * block * s.blocks());
        facts.put(Facts.HEAD_FLOPS, 2.0 * s.width() * s.vocabulary());
        facts.put(Facts.ATTENTION_FLOPS, 4 * q * s.blocks());
        return facts;
    }

    private static double kvBytesPerPosition(Model model) {
        try (Decoding one = new Decoding(model, Workload.UNSTEERED, Rates.CONTEXT, 1)) {
            one.skip(1);
            return (double) model.cache().bytesInUse() / model.cache().pagesInUse() / KvPages.PAGE;
        }
    }
}
