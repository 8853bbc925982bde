package dev.tiller.bench.kernel;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.bench.Machine;
import dev.tiller.bench.Output;
import dev.tiller.bench.Spread;
import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Threads;
import dev.tiller.kernels.cpu.Ceilings;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.cli.Console;
import dev.tiller.persona.cli.ModelOptions;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;
import org.openjdk.jmh.util.Statistics;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tiller bench kernels}: the JMH benchmarks of single operations beside the ceilings of the machine. */
@Command(
        name = "kernels",
        header = "Times single operations with JMH, beside what the machine can do.",
        description = {
            "Each case runs in a Java machine of its own. Reading memory and multiply-adds in registers are measured"
                    + " between the cases with the same number of threads; the share is the shortest time that their"
                    + " medians allow for the bytes and operations of the case, over the median time taken. What fits"
                    + " the caches can be above 100 %%."
        })
public final class KernelsCommand implements Callable<Integer> {
    /** Memory read by the ceiling: several times the caches. */
    private static final int MEMORY = 256 << 20;

    private final Console console;

    @Option(names = "--quick", description = "A choice of the cases, and short runs: some two minutes in all.")
    private boolean quick;

    @Option(
            names = "--only",
            paramLabel = "REGEX",
            description = "Cases whose name and shape (\"matmul q8: smollm2_135m, gate_up, rows 1\") have a match.")
    private String only;

    @Option(
            names = "--threads",
            paramLabel = "N",
            converter = ModelOptions.Positive.class,
            description = "Worker threads (default: that of the backend).")
    private Integer threads;

    @Mixin
    private Output output;

    @Option(names = "--list", description = "Names and shapes of the cases, without running them.")
    private boolean list;

    /** Time of a case in seconds. */
    private record Row(KernelCase work, Spread seconds) {}

    public KernelsCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        List<KernelCase> cases = chosen();
        if (list) {
            cases.forEach(c -> console.line(c.name() + ": " + c.shape()));
            return 0;
        }
        int workers = Threads.of(threads == null ? 0 : threads).count();
        Map<String, String> skipped = new LinkedHashMap<>();
        List<Row> rows = new ArrayList<>();
        List<Double> reads = new ArrayList<>();
        List<Double> flops = new ArrayList<>();
        String machine;
        try (Backend probe = KernelCase.open(threads == null ? 0 : threads);
                Ceilings ceilings = new Ceilings(workers, MEMORY)) {
            machine = Machine.describe() + "; " + probe.description();
            for (KernelCase c : cases) {
                String obstacle = c.obstacle(probe);
                if (obstacle != null) {
                    skipped.put(c.name(), obstacle);
                    continue;
                }
                reads.add(ceilings.bytesPerSecond());
                flops.add(ceilings.flopsPerSecond());
                console.note((rows.size() + 1) + " of " + cases.size() + "  " + c.name() + ": " + c.shape());
                rows.add(new Row(c, run(c)));
            }
        }
        report(machine, rows, skipped, reads, flops);
        return 0;
    }

    private List<KernelCase> chosen() {
        try {
            Pattern pattern = Pattern.compile(only == null ? "" : only);
            List<KernelCase> cases = KernelCase.all(quick).stream()
                    .filter(c -> pattern.matcher(c.name() + ": " + c.shape()).find())
                    .toList();
            if (cases.isEmpty()) {
                throw new TillerException("--only " + only + ": no case has a match; --list shows them");
            }
            return cases;
        } catch (PatternSyntaxException e) {
            throw new TillerException("--only " + only + ": expected a regular expression, " + e.getDescription(), e);
        }
    }

    private Spread run(KernelCase c) {
        ChainedOptionsBuilder options = new OptionsBuilder()
                .include("^" + Pattern.quote(c.benchmark()) + "$")
                .forks(1)
                .shouldFailOnError(true)
                // JMH uses Unsafe, and hands over the commands to the compiler without their "quiet"
                .jvmArgsAppend("--sun-misc-unsafe-memory-access=allow", "-XX:CompileCommand=quiet")
                .verbosity(VerboseMode.SILENT);
        c.params().forEach(options::param);
        if (!c.params().containsKey("threads")) {
            options.param("threads", String.valueOf(threads == null ? 0 : threads));
        }
        if (quick) {
            options.warmupIterations(4).warmupTime(TimeValue.milliseconds(250));
            options.measurementIterations(3).measurementTime(TimeValue.milliseconds(200));
        }
        try {
            Collection<RunResult> results = new Runner(options.build()).run();
            if (results.size() != 1) {
                throw new TillerException(c.benchmark() + ": expected one result, found " + results.size());
            }
            var primary = results.iterator().next().getPrimaryResult();
            double unit = primary.getScoreUnit().startsWith("ns") ? 1e-9 : 1e-6;
            Statistics s = primary.getStatistics();
            return new Spread(s.getPercentile(50) * unit, s.getMin() * unit, s.getMax() * unit, (int) s.getN());
        } catch (RunnerException e) {
            throw new TillerException(c.name() + ", " + c.shape() + ": the benchmark failed: " + e.getMessage(), e);
        }
    }

    private void report(
            String machine, List<Row> rows, Map<String, String> skipped, List<Double> reads, List<Double> flops) {
        JsonObject o = new JsonObject();
        o.addProperty("machine", machine);
        JsonArray array = new JsonArray();
        List<String> lines = new ArrayList<>();
        lines.add("machine  " + machine);
        Spread read = reads.isEmpty() ? null : Spread.of(reads);
        Spread multiply = flops.isEmpty() ? null : Spread.of(flops);
        if (read != null) {
            lines.add("reading  " + read.in(1e9).show("%.1f") + " GB/s");
            lines.add("multiply-adds in registers  " + multiply.in(1e9).show("%.1f") + " GFLOP/s");
            o.add("read_gb_per_second", read.in(1e9).json());
            o.add("multiply_add_gflop_per_second", multiply.in(1e9).json());
            lines.add("");
            lines.add(String.format(
                    "%-22s %-40s %32s %8s %9s %7s  %s",
                    "kernel", "shape", "us, median [min..max]", "GB/s", "GFLOP/s", "share", "bound by"));
        }
        for (Row r : rows) {
            Work w = r.work.work();
            double t = r.seconds.median();
            double share = w.seconds(read.median(), multiply.median()) / t;
            String binding = w.binding(read.median(), multiply.median());
            Spread us = r.seconds.in(1e-6);
            lines.add(String.format(
                    Locale.ROOT,
                    "%-22s %-40s %32s %8.1f %9.1f %6.1f%%  %s",
                    r.work.name(),
                    r.work.shape(),
                    us.show("%.2f"),
                    w.bytes() / t / 1e9,
                    w.flops() / t / 1e9,
                    100 * share,
                    binding));
            JsonObject row = new JsonObject();
            row.addProperty("kernel", r.work.name());
            row.addProperty("shape", r.work.shape());
            row.add("microseconds", us.json());
            row.addProperty("gb_per_second", w.bytes() / t / 1e9);
            row.addProperty("gflop_per_second", w.flops() / t / 1e9);
            row.addProperty("share_of_ceiling", share);
            row.addProperty("bound_by", binding);
            array.add(row);
        }
        o.add("rows", array);
        JsonObject left = new JsonObject();
        skipped.forEach((name, why) -> {
            lines.add("skipped  " + name + ": " + why);
            left.addProperty(name, why);
        });
        o.add("skipped", left);
        output.show(console, console::note, lines, () -> o);
    }
}
