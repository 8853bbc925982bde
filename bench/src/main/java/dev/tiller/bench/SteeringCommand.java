package dev.tiller.bench;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import dev.tiller.engine.Model;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.cli.Console;
import dev.tiller.persona.cli.ModelOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tiller bench steering}: what a direction added at every block costs, in many short turns. */
@Command(
        name = "steering",
        header = "Tells what steering every block costs, from many short turns.",
        description = {
            "Steered and unsteered decoding take turns every few tokens, in the order a b b a, so that both see the same"
                    + " machine; each pair of neighbours gives one quotient. Shown is the median with its 95 %% interval"
                    + " (bootstrap). --control puts unsteered decoding on both sides: what is found then is the error of"
                    + " the method."
        })
final class SteeringCommand implements Callable<Integer> {
    private static final int STRETCH = 4;

    /** Turns of one pair of sequences, before a new one begins with a short context again. */
    private static final int TURNS = 32;

    private static final long SEED = 7;

    private final Console console;

    @Mixin
    private ModelOptions options;

    @Option(
            names = "--rounds",
            paramLabel = "N",
            defaultValue = "20",
            converter = ModelOptions.Positive.class,
            description = "Rounds of " + TURNS + " turns (default: ${DEFAULT-VALUE}).")
    private Integer rounds;

    @Option(
            names = "--batch",
            paramLabel = "N",
            defaultValue = "1",
            converter = ModelOptions.Positive.class,
            description = "Sequences side by side (default: ${DEFAULT-VALUE}).")
    private Integer batch;

    @Option(
            names = "--warm-up",
            paramLabel = "SECONDS",
            defaultValue = "10",
            description = "Shortest warm-up; one round always runs (default: ${DEFAULT-VALUE}).")
    private double warmUp;

    @Option(names = "--control", description = "Unsteered against unsteered.")
    private boolean control;

    @Option(names = "--json", description = "One JSON object; the table goes to standard error.")
    private boolean json;

    SteeringCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (!(warmUp >= 0)) {
            throw new TillerException("--warm-up " + warmUp + ": expected seconds, 0 or more");
        }
        try (Model model = options.load(console)) {
            Rates.checkContext(model, 1, "--prompt", Rates.CONTEXT, TURNS * STRETCH);
            Workload other = control
                    ? Workload.UNSTEERED
                    : new Workload("decode_steered", List.of(Workload.everyBlock(model.spec())), List.of());
            long start = System.nanoTime();
            do {
                round(model, other, new ArrayList<>(), new ArrayList<>());
            } while (System.nanoTime() - start < warmUp * 1e9);
            List<Double> quotients = new ArrayList<>();
            List<Double> rates = new ArrayList<>();
            for (int r = 1; r <= rounds; r++) {
                round(model, other, quotients, rates);
            }
            report(model, quotients, rates);
        }
        return 0;
    }

    /** Adds the quotient of speeds, steered over unsteered, of each turn, and the unsteered speed. */
    private void round(Model model, Workload other, List<Double> quotients, List<Double> rates) {
        try (Decoding plain = new Decoding(model, Workload.UNSTEERED, Rates.CONTEXT, batch);
                Decoding steered = new Decoding(model, other, Rates.CONTEXT, batch)) {
            for (int t = 0; t < TURNS; t++) {
                double a = plain.seconds();
                double b = steered.seconds();
                (t % 2 == 0 ? plain : steered).advance(STRETCH);
                (t % 2 == 0 ? steered : plain).advance(STRETCH);
                double unsteered = plain.seconds() - a;
                quotients.add(unsteered / (steered.seconds() - b));
                rates.add(batch * STRETCH / unsteered);
            }
        }
    }

    private void report(Model model, List<Double> quotients, List<Double> rates) {
        double[] values = quotients.stream().mapToDouble(Double::doubleValue).toArray();
        Interval i = Interval.of(values, SEED);
        String name = control ? "decode / decode (control)" : "decode_steered / decode";
        List<String> lines = List.of(
                "machine  " + Machine.describe() + "; " + model.backend().description(),
                "model    " + options.path().toAbsolutePath().normalize().getFileName() + ", weights "
                        + model.weightFormats() + ", batch " + batch,
                "decode   " + Spread.of(rates).show("%.1f") + " tokens/s",
                String.format(
                        Locale.ROOT,
                        "%s  %.4f, 95 %% interval %.4f..%.4f, %d pairs of %d tokens",
                        name,
                        i.median(),
                        i.low(),
                        i.high(),
                        i.n(),
                        STRETCH));
        for (String line : lines) {
            if (json) {
                options.note(console, line);
            } else {
                console.line(line);
            }
        }
        if (json) {
            JsonObject o = new JsonObject();
            o.addProperty("machine", Machine.describe() + "; " + model.backend().description());
            o.addProperty(
                    "model",
                    options.path().toAbsolutePath().normalize().getFileName().toString());
            o.addProperty("weights", model.weightFormats());
            o.addProperty("batch", batch);
            o.addProperty("name", name);
            o.addProperty("median", i.median());
            o.addProperty("low", i.low());
            o.addProperty("high", i.high());
            o.addProperty("n", i.n());
            console.line(new Gson().toJson(o));
        }
    }
}
