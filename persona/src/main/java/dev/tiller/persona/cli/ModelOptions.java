package dev.tiller.persona.cli;

import dev.tiller.engine.LoadOptions;
import dev.tiller.engine.Model;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.loader.TillerException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** Options of every command that runs a model. */
public final class ModelOptions {
    private static final List<String> BACKENDS = List.of("auto", "scalar", "simd", "cuda");

    @Option(
            names = "--model",
            paramLabel = "PATH",
            description =
                    "Hugging Face directory, .gguf file, or org/name[@revision] after \"tiller pull\" (default: the"
                            + " bundled models/microworld).")
    private Path model;

    @Option(
            names = "--backend",
            paramLabel = "NAME",
            defaultValue = "auto",
            converter = BackendName.class,
            description = "auto, scalar, simd or cuda (default: auto).")
    private String backend;

    @Option(
            names = "--threads",
            paramLabel = "N",
            converter = Positive.class,
            description = "Worker threads (default: one per physical core).")
    private Integer threads;

    @Option(
            names = "--weights",
            paramLabel = "FORMAT",
            converter = Formats.class,
            description = "Weights in memory: f32, bf16, f16, q8 or q4; with q4 the embedding table and the head are q8"
                    + " (default: as stored).")
    private SeveralFormats weights = new SeveralFormats(List.of());

    @Option(names = "--no-cache", description = "Pack the weights anew even if \"tiller cache add\" has kept them.")
    private boolean noCache;

    @Option(
            names = "--kv",
            paramLabel = "FORMAT",
            converter = Operand.class,
            description = "Keys and values in memory: f32, bf16 or f16 (default: f32; cuda: as the weights).")
    private WeightFormat kv;

    @Option(
            names = "--kv-memory",
            paramLabel = "SIZE",
            converter = Size.class,
            description = "Most memory for keys and values, such as 500m or 4g (default: 3/4 of the Java heap).")
    private Long kvMemory;

    @Option(
            names = {"-q", "--quiet"},
            description = "No notes and no progress on standard error.")
    private boolean quiet;

    private Map<String, Path> kernels = Map.of();

    /** The model's directory or file. */
    public Path path() {
        return model != null ? ModelPath.find("--model ", model) : bundled();
    }

    /** Name of the model for people: that of its directory or file, or org/name. */
    public String name() {
        return ModelPath.name(path());
    }

    /** True if no model was named, so that the bundled one is taken. */
    boolean isBundled() {
        return model == null;
    }

    /** How the model is loaded. */
    public LoadOptions loadOptions() {
        List<WeightFormat> formats = weights.formats;
        if (formats.size() > 1) {
            throw new TillerException("--weights: expected one format, found "
                    + formats.stream().map(ModelOptions::name).collect(Collectors.joining(",")));
        }
        return loadOptions(formats.isEmpty() ? null : formats.getFirst());
    }

    /** How the model is loaded with that format, whatever --weights says. */
    public LoadOptions loadOptions(WeightFormat format) {
        return new LoadOptions(
                backend, threads == null ? 0 : threads, format, kv, kvMemory == null ? 0 : kvMemory, kernels, !noCache);
    }

    /** The same options for another process of this program, with that format of weights; null leaves it to the file. */
    public List<String> arguments(Path model, WeightFormat format) {
        List<String> arguments = new ArrayList<>(List.of("--model", model.toString(), "--backend", backend));
        if (format != null) {
            arguments.addAll(List.of("--weights", name(format)));
        }
        if (threads != null) {
            arguments.addAll(List.of("--threads", threads.toString()));
        }
        if (noCache) {
            arguments.add("--no-cache");
        }
        if (kv != null) {
            arguments.addAll(List.of("--kv", name(kv)));
        }
        if (kvMemory != null) {
            arguments.addAll(List.of("--kv-memory", kvMemory.toString()));
        }
        return arguments;
    }

    private static String name(WeightFormat format) {
        return format.name().toLowerCase(Locale.ROOT);
    }

    /** The formats of --weights: none, one, or several where a command takes turns with several. */
    public List<WeightFormat> weightFormats() {
        return weights.formats;
    }

    /** True if notes and progress are not wanted. */
    public boolean quiet() {
        return quiet;
    }

    /** Replaces operations of the backend by kernels from files. */
    public void kernels(Map<String, Path> replaced) {
        kernels = Map.copyOf(replaced);
    }

    /** Loads the model and says on standard error what runs it. */
    public Model load(Console console) {
        Path path = path();
        Model loaded = Model.load(path, loadOptions());
        note(
                console,
                ModelPath.name(path) + ": "
                        + loaded.spec().blocks() + " blocks, width "
                        + loaded.spec().width() + "; " + loaded.backend().description()
                        + (loaded.weightsCached() ? "; weights from the cache" : ""));
        loaded.cacheProblem().ifPresent(problem -> note(console, problem + "; weights are packed anew"));
        note(console, loaded.memory());
        return loaded;
    }

    /** A note on standard error, unless notes are not wanted. */
    public void note(Console console, String line) {
        if (!quiet) {
            console.note(line);
        }
    }

    /** Takes notes for standard error, unless they are not wanted. */
    public Consumer<String> notes(Console console) {
        return line -> note(console, line);
    }

    /** Folder of the bundled models and traits: {@code tiller.home}, or the working directory. */
    static Path home() {
        return Path.of(System.getProperty("tiller.home", ""));
    }

    /** The model that comes with the program. */
    public static Path bundled() {
        Path path = home().resolve("models").resolve("microworld");
        if (!Files.isDirectory(path)) {
            throw new TillerException("no --model was given and the bundled one is not at " + path.toAbsolutePath());
        }
        return path;
    }

    static final class BackendName implements ITypeConverter<String> {
        @Override
        public String convert(String value) {
            if (!BACKENDS.contains(value)) {
                throw new TypeConversionException(
                        "unknown backend \"" + value + "\"; accepted: " + String.join(", ", BACKENDS));
            }
            return value;
        }
    }

    /** A type of its own: of a list the help would say that all commands take several. */
    record SeveralFormats(List<WeightFormat> formats) {
        /** Asked for at every start; that of records makes Java write a class first. */
        @Override
        public String toString() {
            return formats.toString();
        }
    }

    static final class Formats implements ITypeConverter<SeveralFormats> {
        @Override
        public SeveralFormats convert(String value) {
            List<WeightFormat> all = List.of(WeightFormat.values());
            return new SeveralFormats(
                    Stream.of(value.split(",", -1)).map(v -> format(v, all)).toList());
        }
    }

    static final class Weights implements ITypeConverter<WeightFormat> {
        @Override
        public WeightFormat convert(String value) {
            return format(value, List.of(WeightFormat.values()));
        }
    }

    /** A format that inputs of matmuls, keys and values can have. */
    public static final class Operand implements ITypeConverter<WeightFormat> {
        @Override
        public WeightFormat convert(String value) {
            return format(value, WeightFormat.PLAIN);
        }
    }

    private static WeightFormat format(String value, List<WeightFormat> accepted) {
        return accepted.stream()
                .filter(f -> f.name().equalsIgnoreCase(value))
                .findFirst()
                .orElseThrow(() -> new TypeConversionException("unknown format \"" + value + "\"; accepted: "
                        + accepted.stream()
                                .map(f -> f.name().toLowerCase(Locale.ROOT))
                                .collect(Collectors.joining(", "))));
    }

    /** A number of bytes, with k, m or g for powers of 1024. */
    static final class Size implements ITypeConverter<Long> {
        private static final Pattern FORM = Pattern.compile("(\\d{1,12}(?:\\.\\d{1,6})?)([kmg]?)b?");

        @Override
        public Long convert(String value) {
            Matcher m = FORM.matcher(value.toLowerCase(Locale.ROOT));
            if (m.matches()) {
                int shift = m.group(2).isEmpty() ? 0 : 10 * (1 + "kmg".indexOf(m.group(2)));
                double bytes = Double.parseDouble(m.group(1)) * (1L << shift);
                if (bytes >= 1) {
                    return (long) bytes;
                }
            }
            throw new TypeConversionException("expected a size such as 500m or 4g, found \"" + value + "\"");
        }
    }

    /** A whole number of at least 1. */
    public static final class Positive implements ITypeConverter<Integer> {
        @Override
        public Integer convert(String value) {
            try {
                int n = Integer.parseInt(value);
                if (n >= 1) {
                    return n;
                }
            } catch (NumberFormatException e) {
                // said below
            }
            throw new TypeConversionException("expected a whole number of at least 1, found \"" + value + "\"");
        }
    }
}
