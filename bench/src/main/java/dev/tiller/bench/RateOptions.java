package dev.tiller.bench;

import dev.tiller.bench.peers.Shapes;
import dev.tiller.engine.Model;
import dev.tiller.persona.cli.ModelOptions;
import picocli.CommandLine.Option;

/** Sizes of the rows of {@link Rates}. */
final class RateOptions {
    @Option(
            names = "--prompt",
            paramLabel = "N",
            defaultValue = "512",
            converter = ModelOptions.Positive.class,
            description = "Tokens of the prefill row (default: ${DEFAULT-VALUE}).")
    private Integer prompt;

    @Option(
            names = "--decode",
            paramLabel = "N",
            defaultValue = "64",
            converter = ModelOptions.Positive.class,
            description = "Tokens decoded per row and round (default: ${DEFAULT-VALUE}).")
    private Integer decode;

    @Option(
            names = "--batch",
            paramLabel = "N",
            defaultValue = "8",
            converter = ModelOptions.Positive.class,
            description = "Sequences of the batch row (default: ${DEFAULT-VALUE}).")
    private Integer batch;

    Rates rates(Model model) {
        return new Rates(model, prompt, decode, batch);
    }

    /** What other engines are asked for. */
    Shapes shapes(int threads) {
        return new Shapes(prompt, Rates.CONTEXT, decode, batch, threads);
    }
}
