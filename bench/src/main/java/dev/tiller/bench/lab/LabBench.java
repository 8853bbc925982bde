package dev.tiller.bench.lab;

import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.bench.Spread;
import dev.tiller.kernels.Backend;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.lab.Ceiling;
import dev.tiller.kernels.lab.Contenders;
import dev.tiller.kernels.lab.LabCase;
import dev.tiller.kernels.lab.Operation;
import dev.tiller.kernels.lab.Operations;
import dev.tiller.kernels.lab.Stopwatch;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.cli.Console;
import dev.tiller.persona.cli.ModelOptions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code tiller lab bench}: a kernel beside the built-in ones and the ceiling. */
@Command(
        name = "bench",
        header = "Time a kernel beside the built-in variants and the ceiling measured in the same run.",
        description = {
            "All take turns, round by round. The share of the ceiling is the shortest time that memory traffic and"
                    + " arithmetic allow, over the time taken. Times of an emulated GPU say nothing about a GPU."
        })
final class LabBench implements Callable<Integer> {
    private final Console console;

    @Parameters(paramLabel = "OP", description = "Operation (tiller lab list).")
    private String name;

    @Option(
            names = "--shapes",
            split = ",",
            paramLabel = "AxBxC",
            description = "Shapes to time (default: those of tiller lab list).")
    private List<String> shapes = List.of();

    @Option(
            names = "--rounds",
            paramLabel = "N",
            defaultValue = "7",
            converter = ModelOptions.Positive.class,
            description = "Rounds (default: 7).")
    private Integer rounds;

    @Option(
            names = "--seconds",
            paramLabel = "S",
            defaultValue = "1.5",
            description = "Warm-up of each contender and shape; a sample takes a quarter of it (default: 1.5).")
    private double seconds;

    @Mixin
    private LabOptions options;

    /** One line of the result. */
    private record Row(String shape, String variant, LabCase labCase, Spread nanos) {}

    LabBench(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (!(seconds > 0 && seconds <= 60)) {
            throw new TillerException("--seconds: expected above 0, at most 60, found " + seconds);
        }
        Operation operation = Operations.of(name);
        WeightFormat operand = options.operand == null ? WeightFormat.BF16 : options.operand;
        List<int[]> chosen = shapes.isEmpty()
                ? operation.shapes()
                : shapes.stream().map(s -> shape(operation, s)).toList();
        try (Contenders contenders =
                Contenders.open(options.backendName(), options.threads(), operation, options.kernel, operand)) {
            LabOptions.require(operation, contenders.all().getLast().backend());
            console.note(contenders.description());
            Ceiling ceiling = contenders.ceiling();
            console.note(String.format(
                    Locale.ROOT,
                    "ceiling: %.1f GB/s, %.1f GFLOP/s (%s)",
                    ceiling.bytesPerSecond() / 1e9,
                    ceiling.flopsPerSecond() / 1e9,
                    ceiling.how()));
            List<Row> rows = new ArrayList<>();
            for (int[] shape : chosen) {
                rows.addAll(time(contenders, operation.benchmark().at(shape, operand), Operation.show(shape)));
            }
            Backend first = contenders.all().getFirst().backend();
            if (!options.ran(operation, operand, first)) {
                throw new TillerException(options.kernel + ": none of its kernels was asked for at these shapes in "
                        + operand.name().toLowerCase(Locale.ROOT) + "; the built-in ones are "
                        + String.join(", ", operation.cudaEntries()));
            }
            report(operation, operand, rows, ceiling, contenders.description());
        }
        return 0;
    }

    private static int[] shape(Operation operation, String text) {
        String[] parts = text.split("x");
        boolean good = parts.length == operation.dimensions().size()
                && Arrays.stream(parts).allMatch(p -> p.matches("\\d{1,8}"));
        if (!good) {
            throw new TillerException("--shapes: expected " + String.join(" x ", operation.dimensions()) + ", like "
                    + Operation.show(operation.shapes().getFirst()) + ", found \"" + text + "\"");
        }
        return Arrays.stream(parts).mapToInt(Integer::parseInt).toArray();
    }

    private List<Row> time(Contenders contenders, LabCase labCase, String shape) {
        List<Stopwatch> watches = new ArrayList<>();
        List<List<Double>> times = new ArrayList<>();
        for (Contenders.Contender c : contenders.all()) {
            Stopwatch watch = new Stopwatch(contenders.operation(), labCase, c.backend());
            watch.warmUp(seconds);
            watches.add(watch);
            times.add(new ArrayList<>());
        }
        for (int r = 0; r < rounds; r++) {
            for (int i = 0; i < watches.size(); i++) {
                times.get(i).add(watches.get(i).sample() * 1e9);
            }
        }
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < watches.size(); i++) {
            rows.add(new Row(shape, contenders.all().get(i).label(), labCase, Spread.of(times.get(i))));
        }
        return rows;
    }

    private void report(Operation op, WeightFormat operand, List<Row> rows, Ceiling ceiling, String device) {
        JsonArray all = new JsonArray();
        String dimensions = String.join(" x ", op.dimensions());
        options.say(
                console, op.name() + " in " + operand.name().toLowerCase(Locale.ROOT) + ", shapes are " + dimensions);
        options.say(
                console,
                String.format("%-20s %-22s %34s %9s %9s %8s", "shape", "variant", "ns", "GB/s", "GFLOP/s", "ceiling"));
        for (Row r : rows) {
            double t = r.nanos.median() / 1e9;
            double share = ceiling.seconds(r.labCase) / t;
            double bandwidth = r.labCase.bytes() / t / 1e9;
            double rate = r.labCase.flops() / t / 1e9;
            options.say(
                    console,
                    String.format(
                            Locale.ROOT,
                            "%-20s %-22s %34s %9.1f %9.1f %7.1f%%",
                            r.shape,
                            r.variant,
                            r.nanos.show("%.0f"),
                            bandwidth,
                            rate,
                            100 * share));
            JsonObject o = new JsonObject();
            o.addProperty("shape", r.shape);
            o.addProperty("variant", r.variant);
            o.add("ns", r.nanos.json());
            o.addProperty("gb_per_second", bandwidth);
            o.addProperty("gflop_per_second", rate);
            o.addProperty("share_of_ceiling", share);
            all.add(o);
        }
        if (options.json) {
            JsonObject o = new JsonObject();
            o.addProperty("operation", op.name());
            o.addProperty("operand", operand.name().toLowerCase(Locale.ROOT));
            o.addProperty("device", device);
            o.addProperty("ceiling_gb_per_second", ceiling.bytesPerSecond() / 1e9);
            o.addProperty("ceiling_gflop_per_second", ceiling.flopsPerSecond() / 1e9);
            o.add("rows", all);
            console.line(new Gson().toJson(o));
        }
    }
}
