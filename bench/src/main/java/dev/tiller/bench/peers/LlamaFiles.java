package dev.tiller.bench.peers;

import dev.tiller.loader.TillerException;
import dev.tiller.loader.gguf.Gguf;
import dev.tiller.loader.gguf.GgufTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Stream;

/** GGUF files of one model in several types, made by {@code llama-quantize} and kept for the next run. */
final class LlamaFiles {
    private final Path original;
    private final String originalType;
    private final Path folder;
    private final Path quantize;
    private final int threads;
    private final Consumer<String> note;

    /**
     * @param folder for the files that are made
     * @param quantize llama-quantize, or null
     */
    LlamaFiles(Path original, Path folder, Path quantize, int threads, Consumer<String> note) {
        this.original = original;
        this.originalType = type(original);
        this.folder = folder;
        this.quantize = quantize;
        this.threads = threads;
        this.note = note;
    }

    /** The GGUF file of a model: itself, or the only one in its directory; empty if there is none. */
    static Optional<Path> find(Path model) {
        if (model.getFileName().toString().endsWith(".gguf")) {
            return Optional.of(model);
        }
        if (!Files.isDirectory(model)) {
            return Optional.empty();
        }
        try (Stream<Path> files = Files.list(model)) {
            List<Path> found = files.filter(f -> f.toString().endsWith(".gguf")).toList();
            return found.size() == 1 ? Optional.of(found.getFirst()) : Optional.empty();
        } catch (IOException e) {
            throw new TillerException(model + ": cannot be listed (" + e.getMessage() + ")", e);
        }
    }

    /** Type of most weights in the blocks, e.g. q4_1. */
    static String type(Path file) {
        Map<String, Long> elements = new HashMap<>();
        try (Gguf gguf = Gguf.open(file)) {
            for (GgufTensor t : gguf.tensors()) {
                if (t.name().startsWith("blk.") && t.dims().length > 1) {
                    elements.merge(t.type().name().toLowerCase(Locale.ROOT), t.elements(), Long::sum);
                }
            }
        }
        return elements.entrySet().stream()
                .max(Map.Entry.comparingByValue())
                .orElseThrow(() -> new TillerException(file + ": expected weights of blocks, found none"))
                .getKey();
    }

    /** The file of that type: the original, or one made from it. Empty, with a note, if it cannot be made. */
    Optional<Path> of(String type) {
        if (type.equals(originalType)) {
            return Optional.of(original);
        }
        Path made = folder.resolve(stem() + "-" + type + ".gguf");
        if (Files.exists(made)) {
            return Optional.of(made);
        }
        if (quantize == null) {
            note.accept("no " + type + " file for llama.cpp: llama-quantize was not found");
            return Optional.empty();
        }
        note.accept("making " + made);
        Path part = folder.resolve(made.getFileName() + ".part");
        try {
            Files.createDirectories(folder);
            Programs.run(List.of(
                    quantize.toString(),
                    "--allow-requantize",
                    original.toString(),
                    part.toString(),
                    type.toUpperCase(Locale.ROOT),
                    String.valueOf(threads)));
            Files.move(part, made, StandardCopyOption.ATOMIC_MOVE);
            return Optional.of(made);
        } catch (IOException e) {
            throw new TillerException(made + ": cannot be written (" + e.getMessage() + ")", e);
        }
    }

    /** Another original, even of the same name, gets files of its own. */
    private String stem() {
        try {
            String name = original.getFileName().toString().replaceAll("\\.gguf$", "");
            long stamp = Files.size(original) * 31
                    + Files.getLastModifiedTime(original).toMillis();
            return name + "-" + Long.toHexString(stamp);
        } catch (IOException e) {
            throw new TillerException(original + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }
}
