package dev.tiller.bench;

import com.google.gson.JsonObject;
import dev.tiller.engine.Model;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.cli.Console;
import dev.tiller.persona.cli.ModelOptions;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code tiller bench parity}: logits against a reference. */
@Command(
        name = "parity",
        header = "Compares logits with a reference made by another program.",
        description = {
            "Each folder holds a model and reference.safetensors with input_ids [N] and logits [N, V] (bench/peers/"
                    + "gpu_models.py makes such folders with transformers). The logits are computed in one pass, token by"
                    + " token, and in a batch of sequences of different lengths. Exit code 1 if an error is above the"
                    + " tolerance or a folder cannot be used."
        })
final class ParityCommand implements Callable<Integer> {
    private static final int FAILED = 1;

    private final Console console;

    @Parameters(arity = "1..*", paramLabel = "DIR", description = "Folders with a model and its reference.")
    private List<Path> folders;

    @Option(
            names = "--tolerance",
            paramLabel = "X",
            defaultValue = "1e-4",
            description = "Largest relative error |a - b| / |b| over all logits (default: ${DEFAULT-VALUE}).")
    private double tolerance;

    @Mixin
    private ModelOptions options;

    @Option(names = "--json", description = "One line of JSON per comparison.")
    private boolean json;

    ParityCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        int code = 0;
        for (Path folder : folders) {
            String name = folder.toAbsolutePath().normalize().getFileName().toString();
            try (Model model = Model.load(folder, options.loadOptions())) {
                options.note(console, name + ": " + model.backend().description());
                Map<String, Double> errors = new Parity(model, folder.resolve("reference.safetensors")).errors();
                for (Map.Entry<String, Double> e : errors.entrySet()) {
                    boolean ok = e.getValue() <= tolerance; // false if it is not a number
                    code = ok ? code : FAILED;
                    show(name, model.weightFormats(), e.getKey(), e.getValue(), ok);
                }
            } catch (TillerException e) {
                console.note("tiller: " + name + ": " + e.getMessage());
                code = FAILED;
            }
        }
        return code;
    }

    private void show(String model, String weights, String way, double error, boolean ok) {
        if (json) {
            JsonObject o = new JsonObject();
            o.addProperty("model", model);
            o.addProperty("weights", weights);
            o.addProperty("way", way);
            o.addProperty("relative_error", Double.isFinite(error) ? error : null);
            o.addProperty("tolerance", tolerance);
            o.addProperty("ok", ok);
            console.line(o.toString());
        } else {
            console.line(String.format(
                    Locale.ROOT,
                    "%-16s %-5s %-15s %.2e (at most %.1e)  %s",
                    model,
                    weights,
                    way,
                    error,
                    tolerance,
                    ok ? "ok" : "TOO LARGE"));
        }
    }
}
