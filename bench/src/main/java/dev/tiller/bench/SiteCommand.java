package dev.tiller.bench;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.bench.ResidualSiteBenchmark.Edits;
import dev.tiller.kernels.Threads;
import dev.tiller.kernels.cpu.Ceilings;
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

/** {@code tiller bench site}: the price of each operation at one residual site. */
@Command(
        name = "site",
        header = "Tells what each operation costs at one residual site.",
        description = {
            "The call is that of the JMH class ResidualSiteBenchmark: residual add, edits of every row, norm. With and"
                    + " without edits take turns; shown are nanoseconds for each row and what they add to the call"
                    + " without edits, medians with the smallest and the largest.",
            "The share of the step compares bytes: the directions that a row reads at one site over the weights of one"
                    + " block that a step reads, 12 d^2 in bf16 (a block of four d x d matrices for attention and 8 d^2"
                    + " for its feed-forward part). The share of its time compares what the edits of all rows add with"
                    + " reading those weights at the speed measured between the rows."
        })
final class SiteCommand implements Callable<Integer> {
    /** Weights of a block in units of d^2, and bytes of each. */
    private static final double BLOCK_BYTES = 12 * 2;

    private static final int MEMORY = 256 << 20;

    private final Console console;

    @Option(
            names = "--widths",
            paramLabel = "D",
            split = ",",
            converter = ModelOptions.Positive.class,
            defaultValue = "576,896,2048,4096,8192",
            description = "Model widths (default: ${DEFAULT-VALUE}).")
    private List<Integer> widths;

    @Option(
            names = "--rows",
            paramLabel = "T",
            split = ",",
            converter = ModelOptions.Positive.class,
            defaultValue = "1,8,64",
            description = "Rows of the call (default: ${DEFAULT-VALUE}).")
    private List<Integer> rows;

    @Option(
            names = "--edits",
            paramLabel = "NAME",
            split = ",",
            description = "Of ${COMPLETION-CANDIDATES} (default: all).")
    private List<Edits> edits = List.of(Edits.values());

    @Option(
            names = "--rounds",
            paramLabel = "N",
            defaultValue = "7",
            converter = ModelOptions.Positive.class,
            description = "Turns of each (default: ${DEFAULT-VALUE}).")
    private Integer rounds;

    @Option(
            names = "--turn",
            paramLabel = "MS",
            defaultValue = "10",
            description = "Milliseconds of a turn (default: ${DEFAULT-VALUE}).")
    private double turn;

    @Option(
            names = "--threads",
            paramLabel = "N",
            defaultValue = "1",
            converter = ModelOptions.Positive.class,
            description = "Worker threads (default: ${DEFAULT-VALUE}, as one row takes).")
    private Integer threads;

    @Mixin
    private Output output;

    SiteCommand(Console console) {
        this.console = console;
    }

    /** Nanoseconds for each row with the edits, and what they add to the call without. */
    private record Row(Edits edits, int width, int rows, Spread each, Spread added) {
        double bytes() {
            return edits.directions() * 4.0 * width / (BLOCK_BYTES * width * width);
        }

        double time(double bytesPerSecond) {
            double block = BLOCK_BYTES * width * width / bytesPerSecond;
            return added.median() * 1e-9 * rows / block;
        }
    }

    @Override
    public Integer call() {
        if (!(turn > 0)) {
            throw new TillerException("--turn " + turn + ": expected milliseconds above 0");
        }
        List<Row> found = new ArrayList<>();
        List<Double> reads = new ArrayList<>();
        try (Ceilings ceilings = new Ceilings(Threads.of(0).count(), MEMORY)) {
            for (int width : widths) {
                for (int t : rows) {
                    reads.add(ceilings.bytesPerSecond());
                    console.note("width " + width + ", rows " + t);
                    for (Edits e : edits) {
                        if (e != Edits.NONE) {
                            found.add(row(e, width, t));
                        }
                    }
                }
            }
        }
        report(found, Spread.of(reads));
        return 0;
    }

    private Row row(Edits e, int width, int t) {
        ResidualSiteBenchmark without = benchmark(Edits.NONE, width, t);
        ResidualSiteBenchmark with = benchmark(e, width, t);
        try {
            for (int i = 0; i < 3; i++) { // until compiled
                nanoseconds(without, 20 * turn);
                nanoseconds(with, 20 * turn);
            }
            List<Double> each = new ArrayList<>();
            List<Double> added = new ArrayList<>();
            for (int r = 0; r < rounds; r++) {
                double first = r % 2 == 0 ? nanoseconds(without, turn) : nanoseconds(with, turn);
                double second = r % 2 == 0 ? nanoseconds(with, turn) : nanoseconds(without, turn);
                double steered = r % 2 == 0 ? second : first;
                each.add(steered / t);
                added.add((steered - (r % 2 == 0 ? first : second)) / t);
            }
            return new Row(e, width, t, Spread.of(each), Spread.of(added));
        } finally {
            without.tearDown();
            with.tearDown();
        }
    }

    private ResidualSiteBenchmark benchmark(Edits e, int width, int t) {
        ResidualSiteBenchmark b = new ResidualSiteBenchmark();
        b.backend = "simd";
        b.edits = e;
        b.width = width;
        b.rows = t;
        b.threads = threads;
        b.setUp();
        return b;
    }

    /** Mean time of a call, over so many milliseconds. */
    private static double nanoseconds(ResidualSiteBenchmark b, double milliseconds) {
        long calls = 0;
        long start = System.nanoTime();
        long passed;
        do {
            for (int i = 0; i < 16; i++) {
                b.site();
            }
            calls += 16;
            passed = System.nanoTime() - start;
        } while (passed < milliseconds * 1e6);
        return (double) passed / calls;
    }

    private void report(List<Row> found, Spread read) {
        List<String> lines = new ArrayList<>(Arrays.asList(
                "machine  " + Machine.describe(),
                "reading  " + read.in(1e9).show("%.1f") + " GB/s",
                String.format(
                        "%-10s %6s %5s %34s %34s %14s %13s",
                        "edits",
                        "width",
                        "rows",
                        "ns for a row",
                        "added by the edits",
                        "share of bytes",
                        "share of time")));
        JsonArray array = new JsonArray();
        for (Row r : found) {
            lines.add(String.format(
                    Locale.ROOT,
                    "%-10s %6d %5d %34s %34s %12.4f %% %11.4f %%",
                    r.edits.name().toLowerCase(Locale.ROOT),
                    r.width,
                    r.rows,
                    r.each.show("%.1f"),
                    r.added.show("%.1f"),
                    100 * r.bytes(),
                    100 * r.time(read.median())));
            JsonObject o = new JsonObject();
            o.addProperty("edits", r.edits.name().toLowerCase(Locale.ROOT));
            o.addProperty("directions", r.edits.directions());
            o.addProperty("width", r.width);
            o.addProperty("rows", r.rows);
            o.add("nanoseconds_per_row", r.each.rounded().json());
            o.add("nanoseconds_added", r.added.rounded().json());
            o.addProperty("share_of_bytes", r.bytes());
            o.addProperty("share_of_time", r.time(read.median()));
            array.add(o);
        }
        output.show(console, console::note, lines, () -> {
            JsonObject o = new JsonObject();
            o.addProperty("machine", Machine.describe());
            o.addProperty("read_gb_per_second", read.median() / 1e9);
            o.add("rows", array);
            return o;
        });
    }
}
