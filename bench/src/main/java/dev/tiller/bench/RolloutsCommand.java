package dev.tiller.bench;

import dev.tiller.engine.GenerationRequest;
import dev.tiller.engine.Model;
import dev.tiller.engine.SamplingOptions;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.persona.cli.Console;
import dev.tiller.persona.cli.ModelOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tiller bench rollouts}: many sampled texts at once, as rollouts of a trait are made. */
@Command(
        name = "rollouts",
        header = "Measures many sampled texts side by side.",
        description = {
            "Texts go through the generator as in a rollout: prompts first, then drawing at temperature 1 from a seed of"
                    + " each text's own. Counted are generated tokens over all the time, prompts included."
        })
final class RolloutsCommand implements Callable<Integer> {
    private final Console console;

    @Mixin
    private ModelOptions options;

    @Option(
            names = "--batch",
            paramLabel = "N",
            defaultValue = "64",
            converter = ModelOptions.Positive.class,
            description = "Texts side by side (default: ${DEFAULT-VALUE}).")
    private Integer batch;

    @Option(
            names = "--prompt",
            paramLabel = "N",
            defaultValue = "16",
            converter = ModelOptions.Positive.class,
            description = "Tokens of each prompt (default: ${DEFAULT-VALUE}).")
    private Integer prompt;

    @Option(
            names = "--tokens",
            paramLabel = "N",
            defaultValue = "128",
            converter = ModelOptions.Positive.class,
            description = "Tokens generated for each text (default: ${DEFAULT-VALUE}).")
    private Integer tokens;

    @Mixin
    private RoundOptions rounds = new RoundOptions(5);

    @Mixin
    private Output output;

    RolloutsCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        try (Model model = options.load(console)) {
            Rates.checkContext(model, prompt, "--prompt", prompt, tokens);
            Consumer<String> notes = options.notes(console);
            Rounds result = rounds.run(() -> List.of(round(model)), null, notes);
            Report report = Report.alone(Machine.with(model), options.name(), result);
            output.show(console, notes, report.table(), report::json);
        }
        return 0;
    }

    private Sample round(Model model) {
        List<GenerationRequest> requests = new ArrayList<>();
        for (int i = 0; i < batch; i++) {
            int[] ids = Decoding.tokens(model, i, prompt);
            SamplingOptions sampling = SamplingOptions.temperature(1);
            requests.add(new GenerationRequest(ids, SteeringPlan.NONE, sampling, i, tokens, true));
        }
        long start = System.nanoTime();
        int generated =
                model.generate(requests).stream().mapToInt(g -> g.ids().length).sum();
        double seconds = (System.nanoTime() - start) / 1e9;
        return new Sample("rollouts", model.weightFormats(), batch, generated / seconds);
    }
}
