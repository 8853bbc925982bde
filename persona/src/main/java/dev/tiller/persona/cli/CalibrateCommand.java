package dev.tiller.persona.cli;

import com.google.gson.JsonObject;
import dev.tiller.engine.Calibration;
import dev.tiller.engine.Edit;
import dev.tiller.engine.Model;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.SteeringVector;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.CalibrationRecord;
import dev.tiller.persona.Calibrator;
import dev.tiller.persona.Prompts;
import dev.tiller.persona.VectorFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code tiller calibrate}: gives the coefficients of a vector a unit. */
@Command(
        name = "calibrate",
        header = "Measure the scale of a vector, so that its coefficients have units.",
        description = {
            "Lets the model answer prompts greedily and without steering, and measures on those answers, at every block of"
                    + " the vector: the mean length of the residual, and mean and standard deviation of its projection onto the"
                    + " vector. At some blocks it also finds the coefficients at which adding the vector changes what the model"
                    + " expects next by given divergences: the mean over all positions of all answers of KL(steered ||"
                    + " unsteered), in nats, each position counting the same.",
            "The numbers are stored in the vector file. Plans can then say {\"norm\": x}, {\"sd\": x} and {\"kl\": x}"
                    + " instead of a plain coefficient."
        },
        footer = {
            "",
            "Examples:",
            "  tiller calibrate cheerful.safetensors --model MODEL",
            "  tiller calibrate cheerful.safetensors --model MODEL --prompts prompts.txt --blocks 12..16 --kl 0.1,0.5,1"
        })
final class CalibrateCommand implements Callable<Integer> {
    private final Console console;

    @Parameters(paramLabel = "V", description = "Vector file.")
    private Path file;

    @Option(
            names = "--prompts",
            paramLabel = "FILE",
            description = "One prompt per line, a JSON list of texts, or a trait file (default: a few neutral ones).")
    private Path promptFile;

    @Option(
            names = "--blocks",
            paramLabel = "LIST",
            description = "Blocks at which divergences are measured: 3,5, 4..8 (half open) or all (default: the block"
                    + " that the file suggests, else all that it has). Norms and projections are measured at all.")
    private String blocks;

    @Option(
            names = "--kl",
            paramLabel = "NATS",
            defaultValue = "0.1,0.25,0.5,1,2",
            description = "Divergences to find coefficients for, both signs; \"none\" to leave them out (default:"
                    + " ${DEFAULT-VALUE}). Those in between are interpolated.")
    private String kl;

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            defaultValue = "64",
            converter = ModelOptions.Positive.class,
            description = "Longest answer (default: 64).")
    private int maxTokens;

    @Option(names = "--out", paramLabel = "FILE", description = "Vector file to write (default: V itself).")
    private Path out;

    @Option(names = "--json", description = "One JSON object instead of a table.")
    private boolean json;

    @Option(names = "--force", description = "Take a vector of another model; its width must fit.")
    private boolean force;

    @Mixin
    private ModelOptions options;

    CalibrateCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        VectorFile vectors = VectorFile.read(file);
        CalibrationRecord.check(vectors);
        Path target = OutputFile.check(out == null ? file : out, out == null ? "V" : "--out");
        List<String> prompts = promptFile == null ? Prompts.NEUTRAL : Prompts.read(promptFile);
        List<Double> targets = targets();
        if (!vectors.op().equals("add") && !targets.isEmpty()) {
            options.note(console, file + " is for " + vectors.op() + ": divergences of additions are left out");
            targets = List.of();
        }
        try (Model model = options.load(console);
                ProgressLine progress = new ProgressLine(console, options.quiet())) {
            SteeringVector vector = force ? vectors.steering().unbound() : vectors.steering();
            model.check(SteeringPlan.of(
                    Edit.add(vector.madeFor(null), 1, vectors.content().blocks().getFirst())
                            .at(vectors.content().site())));
            List<Integer> where = targets.isEmpty() ? List.of() : klBlocks(vectors, model);
            Calibrator.Result result =
                    Calibrator.run(model, vector, prompts, new Calibrator.Options(where, targets, maxTokens), progress);
            JsonObject method = CalibrationRecord.method(model, prompts, maxTokens, result.positions());
            CalibrationRecord.write(vectors, target, result.calibration(), method);
            if (json) {
                console.line(JsonLines.write(CalibrationRecord.json(result, method)));
            } else {
                table(vector, result, where, targets);
                console.line("wrote " + target);
            }
        }
        return Main.OK;
    }

    private List<Double> targets() {
        List<Double> out = new ArrayList<>();
        for (String text : kl.equals("none") ? new String[0] : kl.split(",", -1)) {
            double target = SteeringArguments.coefficient(text, "--kl " + kl);
            if (!(target > 0)) {
                throw new TillerException("--kl " + kl + ": expected numbers above 0, found " + text);
            }
            out.add(target);
        }
        return out;
    }

    private List<Integer> klBlocks(VectorFile vectors, Model model) {
        List<Integer> known = vectors.content().blocks();
        if (blocks == null) {
            String suggested = vectors.metadata().get(ExtractCommand.SUGGESTED_BLOCK);
            return suggested == null ? known : List.of(SteeringArguments.block(suggested, model, file.toString()));
        }
        if (blocks.equals("all")) {
            return known;
        }
        int range = blocks.indexOf("..");
        List<Integer> chosen = range < 0
                ? Arrays.stream(blocks.split(",", -1)).map(b -> block(b, model)).toList()
                : IntStream.range(block(blocks.substring(0, range), model), 1 + block(end(range), model))
                        .boxed()
                        .toList();
        for (int b : chosen) {
            if (!known.contains(b)) {
                throw new TillerException("--blocks " + blocks + ": " + file + " has no direction for block " + b
                        + "; it has blocks " + known);
            }
        }
        if (chosen.isEmpty()) {
            throw new TillerException("--blocks " + blocks + ": the range is empty; its end is not part of it");
        }
        return chosen;
    }

    /** The last block of a half open range. */
    private String end(int range) {
        String text = blocks.substring(range + 2);
        try {
            return Integer.toString(Integer.parseInt(text.strip()) - 1);
        } catch (NumberFormatException e) {
            throw new TillerException("--blocks " + blocks + ": \"" + text + "\" is not a block number", e);
        }
    }

    private int block(String text, Model model) {
        return SteeringArguments.block(text, model, "--blocks " + blocks);
    }

    private void table(SteeringVector vector, Calibrator.Result r, List<Integer> where, List<Double> targets) {
        console.line(r.positions() + " positions of " + r.prompts() + " unsteered answers, site "
                + vector.site().key() + "; coefficients of the stored vector:");
        console.line("block     |h|       |v|   mean h.u     sd h.u   {norm: 1}     {sd: 1}");
        r.calibration().forEach((block, c) -> {
            double length = Vectors.norm(vector.at(vector.site(), block));
            console.line(String.format(
                    Locale.ROOT,
                    "%5d %7s %9s %10s %10s %11s %11s",
                    block,
                    number(c.residualNorm()),
                    number(length),
                    number(c.mean()),
                    number(c.sd()),
                    number(c.residualNorm() / length),
                    number(c.sd() / length)));
        });
        for (int block : where) {
            StringBuilder line = new StringBuilder("block " + block + ":");
            Calibration c = r.calibration().get(block);
            List<Double> missed = r.missed().getOrDefault(block, List.of());
            for (int sign : new int[] {-1, 1}) {
                for (double t : targets) {
                    String found = missed.contains(sign * t)
                            ? "not reached"
                            : number(c.coefficient(sign * t, "block " + block + " "));
                    line.append("  {kl: ").append(number(sign * t)).append("} ").append(found);
                }
            }
            console.line(line.toString());
        }
    }

    /** Four significant digits. */
    private static String number(double x) {
        return Double.isFinite(x)
                ? new java.math.BigDecimal(x)
                        .round(new java.math.MathContext(4))
                        .toString()
                : "-";
    }
}
