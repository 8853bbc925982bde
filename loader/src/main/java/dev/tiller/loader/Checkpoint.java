package dev.tiller.loader;

import dev.tiller.loader.gguf.GgufModel;
import dev.tiller.loader.gguf.GgufParts;
import dev.tiller.loader.hub.HubCache;
import dev.tiller.loader.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A model on disk: configuration, tensors, tokenizer and chat template. Closing it invalidates its views. */
public final class Checkpoint implements AutoCloseable {
    private static final String GGUF = ".gguf";

    /** Names in an error at most. */
    private static final int MOST_NAMES = 8;

    private final ModelSource source;

    private Checkpoint(ModelSource source) {
        this.source = source;
    }

    /**
     * Opens a Hugging Face directory, a .gguf file (of a model in several, the first), or a directory whose only model is in
     * .gguf form.
     */
    public static Checkpoint open(Path path) {
        if (!Files.exists(path)) {
            throw missing(path);
        }
        if (isGguf(path)) {
            return new Checkpoint(openGguf(path));
        }
        if (!Files.isDirectory(path)) {
            throw new TillerException(
                    path + ": expected a model directory or a .gguf file; for a .safetensors file give its directory");
        }
        if (Files.exists(path.resolve("config.json"))) {
            return new Checkpoint(HfDirectory.open(path));
        }
        List<Path> ggufs = ggufFiles(path);
        if (ggufs.size() != 1) {
            throw new TillerException(path
                    + ": expected config.json or exactly one .gguf file, found no config.json and "
                    + (ggufs.isEmpty() ? "no .gguf file" : ggufs.size() + " .gguf files: name the one to open"));
        }
        return new Checkpoint(openGguf(ggufs.getFirst()));
    }

    /** What to throw where there is nothing. */
    public static TillerException missing(Path path) {
        return new TillerException(path + ": no such model directory or file");
    }

    private static ModelSource openGguf(Path file) {
        return GgufModel.open(file);
    }

    private static boolean isGguf(Path path) {
        return Files.isRegularFile(path)
                && path.getFileName().toString().toLowerCase(Locale.ROOT).endsWith(GGUF);
    }

    private static List<Path> ggufFiles(Path directory) {
        try (Stream<Path> files = Files.list(directory)) {
            return files.filter(Checkpoint::isGguf)
                    .filter(file -> !GgufParts.isLaterPart(file))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new TillerException(directory + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    /** The directory or file that was opened. */
    public Path path() {
        return source.path();
    }

    /** Short name for people: the last part of the path, without .gguf; that of the repository for a downloaded model. */
    public String name() {
        Path last = path().toAbsolutePath().normalize().getFileName();
        String name = HubCache.modelName(path()).orElse(last == null ? path().toString() : last.toString());
        return name.toLowerCase(Locale.ROOT).endsWith(GGUF) ? name.substring(0, name.length() - GGUF.length()) : name;
    }

    /** The shape of the model. */
    public ModelConfig config() {
        return source.config();
    }

    /** How its makers want it sampled. */
    public GenerationConfig generationConfig() {
        return source.generationConfig();
    }

    /** The tensor of that Hugging Face name; a missing one is an error that lists close names. */
    public TensorView tensor(String name) {
        return find(name)
                .orElseThrow(() -> new TillerException(path() + ": expected tensor " + Messages.quote(name)
                        + ", found none of that name" + Messages.closeNames(name, tensorNames())));
    }

    /** The tensor of that Hugging Face name, empty if the model has none. */
    public Optional<TensorView> find(String name) {
        return source.find(name);
    }

    /** Hugging Face names of all tensors. */
    public Set<String> tensorNames() {
        return source.tensorNames();
    }

    /** SHA-256 in hex that tells this model from others: see {@link Fingerprint}. */
    public String fingerprint() {
        return source.fingerprint();
    }

    /** True if the model comes with a tokenizer. */
    public boolean hasTokenizer() {
        return source.hasTokenizer();
    }

    /** Read on the first call; an error if the model comes without one. */
    public Tokenizer tokenizer() {
        return source.tokenizer();
    }

    /** The text of the chat template, empty if the model has none. */
    public Optional<String> chatTemplateSource() {
        return source.chatTemplateSource();
    }

    /** Special tokens by their names in tokenizer_config.json, e.g. "eos_token" to {@code "<|im_end|>"}. */
    public Map<String, String> specialTokens() {
        return source.specialTokens();
    }

    /**
     * Compares every tensor with what the configuration implies: those that are missing, or the first that has another
     * shape or is not of a floating type, are an error that names them.
     */
    public void checkShapes() {
        Map<String, WeightRole> expected = expected();
        List<String> missing =
                expected.keySet().stream().filter(n -> find(n).isEmpty()).toList();
        if (missing.size() > 1) {
            throw new TillerException(path() + ": expected tensors " + listed(missing) + ", found none of those names"
                    + Messages.closeNames(missing.getFirst(), tensorNames()));
        }
        expected.forEach((name, role) -> {
            TensorView tensor = tensor(name);
            long[] shape = role.shape(config());
            if (!Arrays.equals(shape, tensor.shape())) {
                throw new TillerException(tensor.source() + ": tensor " + Messages.quote(name) + ": expected shape "
                        + Arrays.toString(shape) + " by the configuration, found " + Arrays.toString(tensor.shape()));
            }
            if (!tensor.dtype().isFloat()) {
                throw new TillerException(tensor.source() + ": tensor " + Messages.quote(name)
                        + ": expected F64, F32, F16 or BF16, found " + tensor.dtype());
            }
        });
    }

    private static String listed(List<String> names) {
        String first = names.stream().limit(MOST_NAMES).map(Messages::quote).collect(Collectors.joining(", "));
        return first + (names.size() > MOST_NAMES ? " and " + (names.size() - MOST_NAMES) + " more" : "");
    }

    /**
     * Tensors that the forward pass of this family does not read, in a stable order. Buffers that some files carry and
     * that hold nothing of their own are not among them.
     */
    public List<String> unused() {
        WeightNames names = WeightNames.of(config().modelType());
        List<String> out = new ArrayList<>(tensorNames());
        out.removeAll(expected().keySet());
        out.removeIf(names::isBuffer);
        return out;
    }

    private Map<String, WeightRole> expected() {
        WeightNames names = WeightNames.of(config().modelType());
        Map<String, WeightRole> expected = names.expected(config());
        for (WeightRole role : names.optional()) {
            boolean none = expected.entrySet().stream()
                    .noneMatch(e -> e.getValue() == role && find(e.getKey()).isPresent());
            if (none) {
                expected.values().removeIf(role::equals);
            }
        }
        return expected;
    }

    @Override
    public void close() {
        source.close();
    }
}
