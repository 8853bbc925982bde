package dev.tiller.bench.peers;

import dev.tiller.bench.Entrant;
import dev.tiller.bench.Machine;
import dev.tiller.bench.OwnProcess;
import dev.tiller.bench.Peer;
import dev.tiller.bench.Sample;
import dev.tiller.bench.Spread;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.cpu.Ceilings;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.cli.ModelOptions;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;

/**
 * {@code tiller bench --peers}: everybody takes turns within each round; the ceilings of the machine are measured before
 * each turn, and a round has their medians.
 */
public final class PeersRun {
    /** Memory read by the ceiling: several times the caches. */
    private static final int MEMORY = 256 << 20;

    private static final List<WeightFormat> FORMATS = List.of(WeightFormat.BF16, WeightFormat.Q8, WeightFormat.Q4);

    private final ModelOptions options;
    private final PeerOptions peers;
    private final Shapes shapes;
    private final double warmUp;
    private final Consumer<String> say;
    private final Map<String, Entrant> entrants = new LinkedHashMap<>();
    private final Map<String, Rows> rows = new LinkedHashMap<>();
    private final List<String> notes = new ArrayList<>();

    /** What an entrant measured in all rounds. */
    private record Rows(String engine, List<List<Sample>> rounds) {}

    /**
     * @param warmUp shortest warm-up of each of our processes, in seconds
     * @param say told what goes on
     */
    public PeersRun(ModelOptions options, PeerOptions peers, Shapes shapes, double warmUp, Consumer<String> say) {
        this.options = options;
        this.peers = peers;
        this.shapes = shapes;
        this.warmUp = warmUp;
        this.say = say;
    }

    /** Runs everything. */
    public PeersReport run(int rounds) {
        try (Ceilings ceilings = new Ceilings(shapes.threads(), MEMORY)) {
            enter();
            List<Double> reads = new ArrayList<>();
            List<Double> flops = new ArrayList<>();
            for (int r = 1; r <= rounds; r++) {
                say.accept("round " + r + " of " + rounds);
                List<Double> read = new ArrayList<>();
                List<Double> multiply = new ArrayList<>();
                round(r - 1, () -> {
                    read.add(ceilings.bytesPerSecond());
                    multiply.add(ceilings.flopsPerSecond());
                });
                reads.add(Spread.of(read).median());
                flops.add(Spread.of(multiply).median());
            }
            return new PeersReport(Machine.describe(), options.name(), shapes, results(), reads, flops, notes);
        } finally {
            entrants.values().forEach(Entrant::close);
        }
    }

    /** Whoever begins changes from round to round, so that nobody always follows the same neighbour. */
    private void round(int number, Runnable beforeEach) {
        List<String> order = new ArrayList<>(entrants.keySet());
        for (int i = 0; i < order.size(); i++) {
            String label = order.get((i + number) % order.size());
            beforeEach.run();
            try {
                rows.get(label).rounds.add(entrants.get(label).round());
            } catch (TillerException e) {
                if (label.startsWith("tiller")) {
                    throw e;
                }
                note(label + " left in round " + (number + 1) + ": " + e.getMessage());
                entrants.remove(label).close();
                rows.remove(label);
            }
        }
    }

    private List<PeerRow> results() {
        List<PeerRow> results = new ArrayList<>();
        rows.forEach((label, r) -> {
            Entrant e = entrants.get(label);
            for (int i = 0; i < r.rounds.getFirst().size(); i++) {
                Sample first = r.rounds.getFirst().get(i);
                List<Double> rates = new ArrayList<>();
                for (List<Sample> round : r.rounds) {
                    rates.add(round.get(i).tokensPerSecond());
                }
                // The format that was asked for: "q4" and not "q8+q4".
                String weights = r.engine.equals(PeerRow.TILLER) ? label.replaceAll(".* ", "") : first.weights();
                results.add(new PeerRow(r.engine, e.name(), first.name(), weights, first.batch(), rates, e.facts()));
            }
        });
        return results;
    }

    // ---- who takes part ----

    private void enter() {
        LlamaCpp.Tools llama = LlamaCpp.Tools.find(peers.llamaCpp, peers.llamaVersion);
        Path gguf = gguf();
        LlamaFiles files = gguf == null ? null : files(gguf);
        if (llama == null) {
            note("llama.cpp is not here: no llama-bench "
                    + (peers.llamaCpp == null ? "on the PATH" : "in " + peers.llamaCpp));
        } else if (files == null) {
            note("llama.cpp takes no part: " + options.path() + " is no GGUF file; name one with --peer-gguf");
        }
        boolean withLlama = llama != null && files != null;
        List<WeightFormat> formats = options.weightFormats().isEmpty() ? FORMATS : options.weightFormats();
        for (WeightFormat format : formats) {
            String name = format.name().toLowerCase(Locale.ROOT);
            add("tiller " + name, PeerRow.TILLER, ours(format, files, withLlama));
            for (String type : withLlama ? types(format) : List.<String>of()) {
                files.of(type).ifPresent(f -> addLlama(llama, f, type, false));
            }
        }
        if (withLlama && !formats.contains(WeightFormat.F32)) {
            files.of("f32").ifPresent(f -> addLlama(llama, f, "f32", true));
        }
        enterTorch();
        enterJava(gguf);
    }

    private void addLlama(LlamaCpp.Tools tools, Path file, String type, boolean promptOnly) {
        add("llama.cpp " + type, PeerRow.LLAMA_CPP, new LlamaCpp(tools, file, type, shapes, promptOnly));
    }

    private static List<String> types(WeightFormat format) {
        return switch (format) {
            case F32 -> List.of("f32");
            case BF16 -> List.of("bf16");
            case F16 -> List.of("f16");
            case Q8 -> List.of("q8_0");
            case Q4 -> List.of("q4_1", "q4_0");
        };
    }

    private Path gguf() {
        if (peers.gguf != null && !Files.isRegularFile(peers.gguf)) {
            throw new TillerException("--peer-gguf " + peers.gguf + ": no such file");
        }
        return peers.gguf != null ? peers.gguf : LlamaFiles.find(options.path()).orElse(null);
    }

    private LlamaFiles files(Path gguf) {
        Path quantize = Programs.find("llama-quantize", peers.llamaCpp).orElse(null);
        return new LlamaFiles(gguf, peers.models(), quantize, shapes.threads(), say);
    }

    /** Q4 is taken from the Q4_1 file that llama.cpp reads, so that both hold the same numbers. */
    private Entrant ours(WeightFormat format, LlamaFiles files, boolean withLlama) {
        Path model = options.path();
        if (format == WeightFormat.Q4 && withLlama) {
            model = files.of("q4_1").orElse(model);
        }
        List<String> arguments = new ArrayList<>(List.of("bench", "rounds", "--quiet"));
        arguments.addAll(options.arguments(model, format));
        arguments.addAll(List.of("--prompt", "" + shapes.prompt(), "--decode", "" + shapes.decode()));
        arguments.addAll(List.of("--batch", "" + shapes.batch()));
        arguments.addAll(List.of("--warm-up", String.valueOf(warmUp)));
        say.accept("starting tiller with " + format.name().toLowerCase(Locale.ROOT) + " weights");
        return new Peer(OwnProcess.command(arguments));
    }

    private void enterTorch() {
        String python = peers.python();
        boolean fromGguf = options.path().toString().endsWith(".gguf");
        String packages = fromGguf ? "torch, transformers, gguf, accelerate" : "torch, transformers";
        try {
            Programs.run(List.of(python, "-c", "import " + packages));
        } catch (TillerException e) {
            note("torch + transformers are not here: " + python + " has no " + packages);
            return;
        }
        say.accept("starting torch");
        List<String> command =
                new ArrayList<>(List.of(python, PeerOptions.torchScript().toString()));
        command.addAll(List.of("--model", options.path().toString()));
        command.addAll(shapes.arguments());
        try {
            add("torch", PeerRow.TORCH, new Peer(command));
        } catch (TillerException e) {
            note("torch + transformers cannot run this model: " + e.getMessage());
        }
    }

    private void enterJava(Path gguf) {
        Path jlama = peers.jlama();
        Path llama3 = peers.llama3Java();
        String obstacle = PeerOptions.obstacle(Arrays.asList(jlama, llama3));
        if (obstacle != null) {
            throw new TillerException(obstacle);
        }
        if (jlama == null) {
            note("Jlama is not here: name its jar with --jlama");
        } else if (!Files.isDirectory(options.path())) {
            note("Jlama takes no part: it reads Hugging Face directories, not " + options.name());
        } else {
            add("jlama", "Jlama", JavaPeer.jlama(jlama, options.path(), "as stored", shapes));
        }
        if (llama3 == null) {
            note("llama3.java is not here: name its jar with --llama3-java");
        } else if (gguf == null) {
            note("llama3.java takes no part: it reads GGUF files; name one with --peer-gguf");
        } else {
            add("llama3.java", "llama3.java", JavaPeer.llama3(llama3, gguf, LlamaFiles.type(gguf), shapes));
        }
    }

    private void add(String label, String engine, Entrant entrant) {
        entrants.put(label, entrant);
        rows.put(label, new Rows(engine, new ArrayList<>()));
    }

    /** Something that the reader of the result must know. */
    private void note(String line) {
        notes.add(line);
        say.accept(line);
    }
}
