package dev.tiller.bench;

import com.google.gson.JsonObject;
import dev.tiller.engine.Model;
import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.cli.Console;
import dev.tiller.persona.cli.ModelOptions;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tiller bench startup}: from the start of a process to its first token, and the memory it takes. */
@Command(
        name = "startup",
        header = "Times fresh processes from their start to the first token, and shows their memory.",
        description = {
            "Each run starts \"tiller generate\" anew, after one that is not counted (the file is in the page cache then)."
                    + " The clock runs from the start of the process to the first byte of text. Peak resident memory is"
                    + " the kernel's figure at the end of the process; pages of the model's mapped file count while they"
                    + " are in use."
        })
final class StartupCommand implements Callable<Integer> {
    /** What a process may take besides weights, keys and values. */
    private static final long ALLOWANCE = 300L << 20;

    private final Console console;

    @Mixin
    private ModelOptions options;

    @Option(
            names = "--rounds",
            paramLabel = "N",
            defaultValue = "5",
            converter = ModelOptions.Positive.class,
            description = "Processes measured (default: ${DEFAULT-VALUE}).")
    private Integer rounds;

    @Option(
            names = "--prompt",
            paramLabel = "N",
            defaultValue = "64",
            converter = ModelOptions.Positive.class,
            description = "Tokens of the prompt (default: ${DEFAULT-VALUE}).")
    private Integer prompt;

    @Option(
            names = "--decode",
            paramLabel = "N",
            defaultValue = "64",
            converter = ModelOptions.Positive.class,
            description = "Tokens generated (default: ${DEFAULT-VALUE}).")
    private Integer decode;

    @Option(names = "--without-script", description = "Starts Java directly, not through the tiller script.")
    private boolean withoutScript;

    @Mixin
    private Output output;

    StartupCommand(Console console) {
        this.console = console;
    }

    /** One process: seconds to the first token and to the end, bytes. */
    private record Run(double first, double all, ResidentMemory memory) {}

    @Override
    public Integer call() throws IOException, InterruptedException {
        List<String> command = command();
        List<Run> runs = new ArrayList<>();
        for (int r = 0; r <= rounds; r++) {
            options.note(console, r == 0 ? "one run that is not counted" : "run " + r + " of " + rounds);
            Run run = run(command);
            if (r > 0) {
                runs.add(run);
            }
        }
        long weights;
        long kv;
        String what;
        try (Model model = options.load(console)) {
            weights = model.weightBytes();
            kv = (long) (RoundsCommand.facts(model).get(Facts.KV_BYTES) * (prompt + decode));
            what = model.weightFormats();
        }
        report(runs, what, weights, kv);
        return 0;
    }

    private List<String> command() {
        List<String> arguments = new ArrayList<>(List.of("generate", "--quiet"));
        arguments.addAll(options.arguments(options.path(), options.loadOptions().weights()));
        arguments.addAll(List.of("--temperature", "0", "--ignore-eos", "--max-tokens", String.valueOf(decode)));
        arguments.addAll(List.of("--prompt", text()));
        Path script = Path.of(System.getProperty("tiller.home", ""), "tiller");
        if (!withoutScript && Files.isExecutable(script) && Files.isRegularFile(script)) {
            arguments.addFirst(script.toAbsolutePath().toString());
            return arguments;
        }
        return OwnProcess.command(arguments);
    }

    /** A text of that many tokens. */
    private String text() {
        try (Checkpoint checkpoint = Checkpoint.open(options.path())) {
            if (!checkpoint.hasTokenizer()) {
                throw new TillerException(options.path() + ": has no tokenizer, so there is no text to start with");
            }
            StringBuilder text = new StringBuilder("the");
            while (checkpoint.tokenizer().encode(text.toString(), true).length < prompt) {
                text.append(" the");
            }
            return text.toString();
        }
    }

    private static Run run(List<String> command) throws IOException, InterruptedException {
        long start = System.nanoTime();
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        ResidentMemory memory = ResidentMemory.of(process);
        double first;
        try (InputStream out = process.getInputStream()) {
            int one = out.read();
            first = (System.nanoTime() - start) / 1e9;
            if (one >= 0) {
                out.skip(Long.MAX_VALUE);
                out.readAllBytes();
            }
        }
        int code = process.waitFor();
        if (code != 0) {
            throw new TillerException("tiller generate: exit code " + code + "; its own messages are above");
        }
        return new Run(first, (System.nanoTime() - start) / 1e9, memory);
    }

    private void report(List<Run> runs, String what, long weights, long kv) {
        Spread first = Spread.of(runs.stream().map(Run::first).toList());
        Spread peak = megabytes(runs.stream().map(r -> r.memory.peak()).toList());
        Spread anonymous =
                megabytes(runs.stream().map(r -> r.memory.anonymous()).toList());
        Spread mapped = megabytes(runs.stream().map(r -> r.memory.mapped()).toList());
        double limit = (weights + kv + ALLOWANCE) / 1e6;
        List<String> lines = List.of(
                "machine  " + Machine.describe(),
                "model    " + options.name() + ", weights " + what,
                String.format("prompt   %d tokens, %d generated", prompt, decode),
                "",
                "process start to first token   " + first.show("%.2f") + " s",
                "peak resident memory           " + peak.show("%.0f") + " MB",
                "  of no file                   " + anonymous.show("%.0f") + " MB",
                "  of mapped files              " + mapped.show("%.0f") + " MB",
                String.format(
                        Locale.ROOT,
                        "weights + KV + 300 MiB         %.0f MB (%.0f + %.0f + %.0f): %s",
                        limit,
                        weights / 1e6,
                        kv / 1e6,
                        ALLOWANCE / 1e6,
                        peak.median() <= limit ? "kept" : "missed"));
        output.show(console, options.notes(console), lines, () -> {
            JsonObject o = new JsonObject();
            o.addProperty("machine", Machine.describe());
            o.addProperty("model", options.name());
            o.addProperty("weights", what);
            o.addProperty("prompt", prompt);
            o.addProperty("decode", decode);
            o.add("first_token_seconds", first.json());
            o.add("peak_resident_mb", peak.json());
            o.add("resident_of_no_file_mb", anonymous.json());
            o.add("resident_of_mapped_files_mb", mapped.json());
            o.addProperty("weights_mb", weights / 1e6);
            o.addProperty("kv_mb", kv / 1e6);
            o.addProperty("limit_mb", limit);
            return o;
        });
    }

    private static Spread megabytes(List<Long> bytes) {
        return Spread.of(bytes.stream().map(b -> b / 1e6).toList());
    }
}
