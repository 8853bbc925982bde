package dev.tiller.bench;

import dev.tiller.persona.cli.ModelOptions;
import java.math.BigDecimal;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;
import picocli.CommandLine.Option;

/** How long is measured. */
final class RoundOptions {
    @Option(
            names = "--rounds",
            paramLabel = "N",
            converter = ModelOptions.Positive.class,
            description = "Rounds measured (default: ${DEFAULT-VALUE}).")
    private Integer rounds = 5;

    @Option(
            names = "--warm-up",
            paramLabel = "SECONDS",
            description = "Shortest warm-up; two rounds always run (default: ${DEFAULT-VALUE}).")
    private BigDecimal warmUp;

    /** @param warmUp seconds, unless the user says otherwise */
    RoundOptions(int warmUp) {
        this.warmUp = BigDecimal.valueOf(warmUp);
    }

    int rounds() {
        return rounds;
    }

    double warmUp() {
        return warmUp.doubleValue();
    }

    /** Warms up, then measures; see {@link Rounds#run}. */
    Rounds run(Supplier<List<Sample>> round, Peer peer, Consumer<String> notes) {
        return run(round, peer, Rounds.NO_END, notes);
    }

    /** The same, beginning no further round after so many seconds. */
    Rounds run(Supplier<List<Sample>> round, Peer peer, double most, Consumer<String> notes) {
        return Rounds.run(round, peer, rounds, warmUp(), most, notes);
    }
}
