package dev.tiller.bench;

import dev.tiller.engine.LoadOptions;
import dev.tiller.engine.Model;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.cli.Console;
import dev.tiller.persona.cli.ModelOptions;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code tiller bench gpu}: decode and prefill over batch sizes, steered in several ways. */
@Command(
        name = "gpu",
        header = "Measures decode and prefill over batch sizes, steered in several ways.",
        description = {
            "Decode of each batch size: unsteered; a direction at one block; at every block; three at every block; a"
                    + " plan of its own (every block) for each sequence; eight projections. All take turns every few"
                    + " steps; the first steps of a turn are not counted. Shown are medians over the rounds with the"
                    + " smallest and the largest, and ratios taken round by round.",
            "The backend is cuda unless --backend names another."
        },
        footer = {
            "",
            "Example:",
            "  tiller bench gpu --model DIR --also graph=off --also gemv=0 --peer \"python3 bench/peers/gpu_peer.py\""
        })
final class GpuCommand implements Callable<Integer> {
    private final Console console;

    @Spec
    private CommandSpec spec;

    @Mixin
    private ModelOptions options;

    @Option(
            names = "--batch",
            paramLabel = "N",
            split = ",",
            defaultValue = "1,8,64,256",
            converter = ModelOptions.Positive.class,
            description = "Sequences decoded side by side (default: ${DEFAULT-VALUE}).")
    private List<Integer> batches;

    @Option(
            names = "--prefill",
            paramLabel = "N",
            split = ",",
            defaultValue = "512,4096",
            converter = ModelOptions.Positive.class,
            description = "Lengths of prompts (default: ${DEFAULT-VALUE}).")
    private List<Integer> prefills;

    @Option(
            names = "--context",
            paramLabel = "N",
            defaultValue = "32",
            converter = ModelOptions.Positive.class,
            description = "Tokens before the first decoded one (default: ${DEFAULT-VALUE}).")
    private Integer context;

    @Option(
            names = "--decode",
            paramLabel = "N",
            defaultValue = "32",
            converter = ModelOptions.Positive.class,
            description = "Tokens decoded and counted per sequence, row and round (default: ${DEFAULT-VALUE}).")
    private Integer decode;

    @Mixin
    private RoundOptions rounds = new RoundOptions(5);

    @Option(
            names = "--at-most",
            paramLabel = "SECONDS",
            defaultValue = "Infinity",
            description = "Begin no further round after that time, loading included; one is always measured.")
    private double atMost;

    @Option(
            names = "--also",
            paramLabel = "KEY=VALUE",
            description =
                    "Loads the model once more with the property tiller.cuda.KEY set, e.g. graph=off or gemv=0, and"
                            + " adds its unsteered decode. Can be repeated.")
    private List<String> also = List.of();

    @Option(
            names = "--bandwidth",
            paramLabel = "GB/S",
            description = "Compares decode with what this bandwidth allows if weights alone are read (default: what the"
                    + " peer measured, if it did).")
    private Double bandwidth;

    @Option(
            names = "--peer",
            paramLabel = "COMMAND",
            description = "Another engine to take turns with, e.g. \"python3 bench/peers/gpu_peer.py\".")
    private String peerCommand;

    @Mixin
    private Output output;

    GpuCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        Map<String, String> settings = settings();
        if (bandwidth != null && !(bandwidth > 0)) {
            throw new TillerException("--bandwidth " + bandwidth + ": expected GB/s, above 0");
        }
        boolean named = spec.commandLine().getParseResult().hasMatchedOption("--backend");
        LoadOptions how = named ? options.loadOptions() : options.loadOptions().withBackend("cuda");
        Map<String, Model> others = new LinkedHashMap<>();
        long start = System.nanoTime();
        try (Model model = Model.load(options.path(), how)) {
            double loading = (System.nanoTime() - start) / 1e9;
            Consumer<String> notes = options.notes(console);
            notes.accept(model.backend().description());
            settings.forEach((key, value) -> others.put(key + "=" + value, loadWith(key, value, how)));
            try (Peer peer = Peer.start(peerCommand, arguments(), notes)) {
                double left = atMost - (System.nanoTime() - start) / 1e9;
                Report report = report(model, others, loading, peer, left);
                output.show(console, notes, report.table(), report::json);
            }
            return 0;
        } finally {
            others.values().forEach(Model::close);
        }
    }

    private Report report(Model model, Map<String, Model> others, double loading, Peer peer, double left) {
        GpuRates rates = new GpuRates(model, others, new GpuRates.Shapes(batches, prefills, context, decode));
        Rounds result = rounds.run(rates::round, peer, left, options.notes(console));
        Map<String, Double> facts = new LinkedHashMap<>();
        facts.put("load s", loading);
        facts.put("load GB/s", model.weightBytes() / loading / 1e9);
        facts.put("weights GB", model.weightBytes() / 1e9);
        facts.put("weights GB/step", model.weightBytesPerStep() / 1e9);
        if (peer != null) {
            peer.facts().forEach((name, value) -> facts.put("peer " + name, value));
        }
        Double limit = bandwidth != null ? bandwidth : facts.get("peer read GB/s");
        return new Report(
                Machine.with(model),
                options.name(),
                facts,
                result.ours(),
                peer == null ? null : peer.name(),
                result.theirs(),
                GpuRatios.of(result, limit == null ? 0 : limit * 1e9 / model.weightBytesPerStep()));
    }

    private Map<String, String> settings() {
        Map<String, String> settings = new LinkedHashMap<>();
        for (String s : also) {
            int at = s.indexOf('=');
            if (at < 1) {
                throw new TillerException("--also " + s + ": expected KEY=VALUE, e.g. graph=off");
            }
            settings.put(s.substring(0, at), s.substring(at + 1));
        }
        return settings;
    }

    /** The property counts while the backend is opened; afterwards it is what it was. */
    private Model loadWith(String key, String value, LoadOptions how) {
        String property = "tiller.cuda." + key;
        String before = System.getProperty(property);
        System.setProperty(property, value);
        try {
            options.note(console, "loading once more with " + key + "=" + value);
            return Model.load(options.path(), how);
        } finally {
            if (before == null) {
                System.clearProperty(property);
            } else {
                System.setProperty(property, before);
            }
        }
    }

    /** The peer gets the same model and shapes. */
    private List<String> arguments() {
        List<String> arguments =
                new ArrayList<>(List.of("--model", options.path().toString()));
        arguments.addAll(List.of("--batch", list(batches), "--prefill", list(prefills)));
        arguments.addAll(List.of("--context", context.toString(), "--decode", decode.toString()));
        return arguments;
    }

    private static String list(List<Integer> numbers) {
        return String.join(",", numbers.stream().map(String::valueOf).toList());
    }
}
