package dev.tiller.bench;

import dev.tiller.bench.peers.PeerOptions;
import dev.tiller.bench.peers.PeersRun;
import dev.tiller.engine.Model;
import dev.tiller.kernels.Threads;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.cli.Console;
import dev.tiller.persona.cli.ModelOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.Function;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Unmatched;

/** {@code tiller bench}: tokens per second of a model, steered and unsteered side by side. */
@Command(
        name = "bench",
        description = {
            "Measures tokens per second: prefill, decode, decode of a batch, and decode with every block steered.",
            "Rows take turns within each round, steered and unsteered decode in short alternating stretches, after a"
                    + " warm-up; shown are medians over the rounds with the smallest and the largest. Decoding is greedy"
                    + " and starts after a context of " + Rates.CONTEXT + " tokens."
        },
        subcommands = BenchCommand.Jmh.class)
final class BenchCommand implements Callable<Integer> {
    private final Console console;

    @Mixin
    private ModelOptions options;

    @Option(
            names = "--prompt",
            paramLabel = "N",
            defaultValue = "512",
            converter = ModelOptions.Positive.class,
            description = "Tokens of the prefill row (default: 512).")
    private Integer prompt;

    @Option(
            names = "--decode",
            paramLabel = "N",
            defaultValue = "64",
            converter = ModelOptions.Positive.class,
            description = "Tokens decoded per row and round (default: 64).")
    private Integer decode;

    @Option(
            names = "--batch",
            paramLabel = "N",
            defaultValue = "8",
            converter = ModelOptions.Positive.class,
            description = "Sequences of the batch row (default: 8).")
    private Integer batch;

    @Option(
            names = "--rounds",
            paramLabel = "N",
            defaultValue = "5",
            converter = ModelOptions.Positive.class,
            description = "Rounds measured (default: 5).")
    private Integer rounds;

    @Option(
            names = "--warm-up",
            paramLabel = "SECONDS",
            defaultValue = "10",
            description = "Shortest warm-up; two rounds always run (default: 10).")
    private double warmUp;

    @Option(
            names = "--peer",
            paramLabel = "COMMAND",
            description = "Another engine to take turns with, e.g. \"python3 bench/peers/torch_peer.py\".")
    private String peerCommand;

    @Mixin
    private PeerOptions peers;

    @Option(names = "--json", description = "One JSON object; the table goes to standard error.")
    private boolean json;

    BenchCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (peers.wanted() && peerCommand != null) {
            throw new TillerException("--peer and --peers: expected one of them, found both");
        }
        if (peers.wanted()) {
            new PeersRun(console, options, peers, prompt, Rates.CONTEXT, decode, batch, warmUp).run(rounds, json);
            return 0;
        }
        try (Model model = options.load(console);
                Peer peer = startPeer()) {
            Rates rates = new Rates(model, prompt, decode, batch);
            Rounds result =
                    Rounds.run(rates::round, peer, rounds, warmUp, Rounds.NO_END, line -> options.note(console, line));
            Report report = Report.endToEnd(
                    Machine.describe() + "; " + model.backend().description(),
                    options.path().toAbsolutePath().normalize().getFileName().toString(),
                    result,
                    peer == null ? null : peer.name());
            report.print(console, options, json);
            return 0;
        }
    }

    /** The peer gets the same model, shapes and threads as options. */
    private Peer startPeer() {
        if (peerCommand == null) {
            return null;
        }
        List<String> command = new ArrayList<>(List.of(peerCommand.strip().split("\\s+")));
        int threads = options.loadOptions().threads();
        Function<Integer, String> number = n -> String.format(Locale.ROOT, "%d", n);
        command.addAll(List.of("--model", options.path().toString(), "--prompt", number.apply(prompt)));
        command.addAll(List.of("--context", number.apply(Rates.CONTEXT), "--decode", number.apply(decode)));
        command.addAll(List.of("--batch", number.apply(batch), "--threads"));
        command.add(number.apply(Threads.of(threads).count()));
        options.note(console, "starting " + String.join(" ", command));
        return new Peer(command);
    }

    /** {@code tiller bench jmh}: the JMH benchmarks, with JMH's own options. */
    @Command(
            name = "jmh",
            description = {
                "Runs the JMH benchmarks of single operations; all arguments go to JMH.",
                "For example: tiller bench jmh ResidualSite -p width=576 -p rows=1 (-l lists the benchmarks; after \"--\","
                        + " -h shows JMH's own options)."
            })
    static final class Jmh implements Callable<Integer> {
        @Unmatched
        private List<String> arguments = new ArrayList<>();

        @Override
        public Integer call() throws Exception {
            org.openjdk.jmh.Main.main(arguments.toArray(String[]::new));
            return 0;
        }
    }
}
