package dev.tiller.bench;

import dev.tiller.engine.Model;
import dev.tiller.kernels.Threads;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.cli.Console;
import dev.tiller.persona.cli.ModelOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tiller bench steering}: what steering and watching cost while decoding, from many short turns. */
@Command(
        name = "steering",
        header = "Tells what steering costs, from many short turns.",
        description = {
            "For each row, decoding with it and without it take turns every few tokens, in the order a b b a, so that both"
                    + " see the same machine. The ratio is the speed with it over the speed without it: one for each"
                    + " round, and one for each pair of neighbouring turns, whose median has a 95 %% interval (bootstrap).",
            "Rows: control (nothing on either side: the error of the method), idle (coefficient 0), add_one_block,"
                    + " add_all_blocks, add_3_vectors_all_blocks, ablate_all_blocks, clamp_all_blocks, rotate_all_blocks,"
                    + " add_norm_kept_all_blocks, projection_stream (8 directions watched and read after each token), capture_all_blocks (the residual of each block"
                    + " read after each token), plans_256_vs_1 (256 texts with a plan each beside 256 texts with one)."
        })
final class SteeringCommand implements Callable<Integer> {
    private final Console console;

    @Mixin
    private ModelOptions options;

    @Option(
            names = "--rounds",
            paramLabel = "N",
            defaultValue = "7",
            converter = ModelOptions.Positive.class,
            description = "Rounds, in which each row has its turns (default: ${DEFAULT-VALUE}).")
    private Integer rounds;

    @Option(names = "--rows", paramLabel = "NAME", split = ",", description = "Only these rows (default: all).")
    private List<String> wanted = List.of();

    @Option(
            names = "--batch",
            paramLabel = "N",
            defaultValue = "1",
            converter = ModelOptions.Positive.class,
            description = "Sequences side by side, but for plans_256_vs_1 (default: ${DEFAULT-VALUE}).")
    private Integer batch;

    @Option(
            names = "--warm-up",
            paramLabel = "SECONDS",
            defaultValue = "10",
            description = "Shortest warm-up; one round always runs (default: ${DEFAULT-VALUE}).")
    private double warmUp;

    @Option(
            names = "--peer",
            paramLabel = "COMMAND",
            description = "Another engine to take turns with, e.g. \"python3 bench/peers/hooks_peer.py\".")
    private String peerCommand;

    @Mixin
    private Output output;

    SteeringCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (!(warmUp >= 0)) {
            throw new TillerException("--warm-up " + warmUp + ": expected seconds, 0 or more");
        }
        try (Model model = options.load(console)) {
            List<SteeringRow> rows = rows(model);
            Consumer<String> notes = options.notes(console);
            try (Peer peer = Peer.start(peerCommand, arguments(), notes)) {
                SteeringReport report = measure(model, rows, peer);
                output.show(console, notes, report.lines(), report::json);
            }
        }
        return 0;
    }

    /** The rows asked for; each must fit into the model's context. */
    private List<SteeringRow> rows(Model model) {
        List<SteeringRow> all = SteeringRow.all(model.spec(), batch);
        List<String> names = all.stream().map(SteeringRow::name).toList();
        for (String name : wanted) {
            if (!names.contains(name)) {
                throw new TillerException("--rows " + name + ": expected one of " + String.join(", ", names));
            }
        }
        List<SteeringRow> rows = wanted.isEmpty()
                ? all
                : all.stream().filter(r -> wanted.contains(r.name())).toList();
        for (SteeringRow row : rows) {
            if (row.positions() > model.spec().maxPositions()) {
                throw new TillerException("row " + row.name() + " needs " + row.positions()
                        + " positions, the model's context has " + model.spec().maxPositions());
            }
        }
        return rows;
    }

    private SteeringReport measure(Model model, List<SteeringRow> rows, Peer peer) {
        SteeringReport report = new SteeringReport(model, options.name(), rows);
        options.note(console, "warming up");
        long start = System.nanoTime();
        do {
            rows.forEach(row -> row.round(model));
        } while (System.nanoTime() - start < warmUp * 1e9);
        List<List<Sample>> theirs = new ArrayList<>();
        long first = System.nanoTime();
        for (int r = 1; r <= rounds; r++) {
            options.note(console, "round " + r + " of " + rounds + left(r, first));
            rows.forEach(row -> report.add(row, row.round(model)));
            if (peer != null) {
                theirs.add(peer.round());
            }
        }
        if (peer != null) {
            report.peer(peer.name(), RateRow.of(theirs));
        }
        return report;
    }

    /** How long the rounds that are left will take, from the second one on. */
    private String left(int round, long first) {
        if (round == 1) {
            return "";
        }
        double each = (System.nanoTime() - first) / 1e9 / (round - 1);
        return String.format(Locale.ROOT, ", %.0f s each, about %.0f s left", each, each * (rounds - round + 1));
    }

    /** The peer gets the same model and threads. */
    private List<String> arguments() {
        int threads = Threads.of(options.loadOptions().threads()).count();
        return List.of("--model", options.path().toString(), "--threads", String.valueOf(threads));
    }
}
