package dev.tiller.bench;

import dev.tiller.bench.peers.PeerOptions;
import dev.tiller.bench.peers.PeersReport;
import dev.tiller.bench.peers.PeersRun;
import dev.tiller.bench.peers.Shapes;
import dev.tiller.engine.Model;
import dev.tiller.kernels.Threads;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.cli.Console;
import dev.tiller.persona.cli.ModelOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
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

    @Mixin
    private RateOptions sizes;

    @Mixin
    private RoundOptions rounds = new RoundOptions(10);

    @Option(
            names = "--peer",
            paramLabel = "COMMAND",
            description = "Another engine to take turns with, e.g. \"python3 bench/peers/torch_peer.py\".")
    private String peerCommand;

    @Mixin
    private PeerOptions peers;

    @Mixin
    private Output output;

    BenchCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (peers.wanted() && peerCommand != null) {
            throw new TillerException("--peer and --peers: expected one of them, found both");
        }
        int threads = Threads.of(options.loadOptions(null).threads()).count();
        Shapes shapes = sizes.shapes(threads);
        Consumer<String> notes = options.notes(console);
        if (peers.wanted()) {
            PeersReport report = new PeersRun(options, peers, shapes, rounds.warmUp(), notes).run(rounds.rounds());
            output.show(console, notes, report.table(), report::json);
            return 0;
        }
        try (Model model = options.load(console);
                Peer peer = Peer.start(peerCommand, arguments(shapes), notes)) {
            Rounds result = rounds.run(sizes.rates(model)::round, peer, notes);
            Report report =
                    Report.endToEnd(Machine.with(model), options.name(), result, peer == null ? null : peer.name());
            output.show(console, notes, report.table(), report::json);
            return 0;
        }
    }

    /** The peer gets the same model, shapes and threads. */
    private List<String> arguments(Shapes shapes) {
        List<String> arguments =
                new ArrayList<>(List.of("--model", options.path().toString()));
        arguments.addAll(shapes.arguments());
        return arguments;
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
