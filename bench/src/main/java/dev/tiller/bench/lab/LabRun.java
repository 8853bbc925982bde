package dev.tiller.bench.lab;

import dev.tiller.engine.Model;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.cuda.CudaBackend;
import dev.tiller.kernels.lab.Operation;
import dev.tiller.kernels.lab.Operations;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.cli.Console;
import dev.tiller.persona.cli.GenerateCommand;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code tiller lab run}: text generated with kernels replaced. */
@Command(
        name = "run",
        header = "Generate text with your kernels in place.",
        description = "Does what tiller generate does, with its options, on a backend whose operations are replaced.",
        footer = {
            "",
            "Example:",
            "  tiller lab run site=my_site.cu --prompt \"Once upon a time\" --max-tokens 20 --temperature 0"
        })
final class LabRun extends GenerateCommand {
    private final Console console;

    private final Map<String, Path> kernels = new LinkedHashMap<>();

    @Spec
    private CommandSpec spec;

    @Parameters(arity = "1..*", paramLabel = "OP=FILE", description = "An operation (tiller lab list) and its kernel.")
    private List<String> replacements;

    LabRun(Console console) {
        super(console);
        this.console = console;
    }

    /** A kernel that was never asked for would leave its user in the belief that it ran. */
    @Override
    protected void generated(Model model) {
        if (!(model.backend() instanceof CudaBackend gpu)) {
            return;
        }
        Set<String> used = new TreeSet<>(gpu.controls().replacementsUsed());
        options.note(console, "your kernels that ran: " + (used.isEmpty() ? "none" : String.join(", ", used)));
        for (String name : kernels.keySet()) {
            Operation operation = Operations.of(name);
            WeightFormat operand = model.operandFormat();
            if (used.stream().noneMatch(operation::isEntry)) {
                throw new TillerException(
                        kernels.get(name) + ": no kernel of " + name + " was asked for by this model; the"
                                + " built-in ones are " + String.join(", ", operation.cudaEntries()));
            }
            if (used.stream().noneMatch(u -> operation.isEntry(u, operand))) {
                throw new TillerException(kernels.get(name) + ": has no kernel of " + name + " in "
                        + operand.name().toLowerCase(Locale.ROOT)
                        + ", which this model runs in; the built-in one ran in its place");
            }
        }
    }

    @Override
    public Integer call() {
        kernels.clear();
        for (String r : replacements) {
            int at = r.indexOf('=');
            if (at < 1 || at == r.length() - 1) {
                throw new ParameterException(spec.commandLine(), "expected OP=FILE, found \"" + r + "\"");
            }
            String operation = Operations.of(r.substring(0, at)).name();
            if (kernels.put(operation, Path.of(r.substring(at + 1))) != null) {
                throw new ParameterException(spec.commandLine(), "two kernels for " + operation);
            }
        }
        options.kernels(kernels);
        return super.call();
    }
}
