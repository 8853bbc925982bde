package dev.tiller.persona;

import dev.tiller.engine.Op;
import dev.tiller.engine.SteeringVector;
import dev.tiller.engine.VectorResolver;
import dev.tiller.loader.Json;
import dev.tiller.loader.Safetensors;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Finds the vectors that plans name: a name is {@code <name>.safetensors} in one of the directories, a file is looked up
 * as it is or, if relative, in the directories in their order. A file with a named tensor may be any safetensors file; one
 * without must be a vector file. A tensor is a direction [d] or a matrix of positions [n, d]. What was read is kept, so that using a plan often reads its files once.
 */
public final class VectorStore implements VectorResolver {
    private static final String SUFFIX = ".safetensors";

    /** Of the whole process: a plan that is parsed again gets the same vectors, and the engine knows it again. */
    private static final VectorCache<VectorFile> FILES = new VectorCache<>();

    private static final VectorCache<SteeringVector> TENSORS = new VectorCache<>();

    private final List<Path> directories;

    /** @param searchDirectories in the order of search; for plans: the plan's own directory, then the working directory */
    public VectorStore(Path... searchDirectories) {
        this.directories = Arrays.stream(searchDirectories)
                .map(p -> p.toAbsolutePath().normalize())
                .distinct()
                .toList();
    }

    /** The vectors are bound to their model and their operation. */
    @Override
    public SteeringVector resolve(Reference reference) {
        return find(reference);
    }

    /** The same vectors for whatever is to be done with them, in their model. */
    public VectorResolver forAnyOperation() {
        return reference -> find(reference).madeFor(null);
    }

    /** The same vectors, bound to nothing. */
    public VectorResolver forced() {
        return reference -> find(reference).unbound();
    }

    private SteeringVector find(Reference reference) {
        if (reference.tensor() != null) {
            Path path = find(reference.file());
            return TENSORS.get(path, reference.tensor(), p -> tensor(p, reference.tensor()));
        }
        VectorFile file = file(reference);
        return reference.incremental() ? file.incremental() : file.steering();
    }

    /** The vector file that a reference without a tensor means; read once and again only when it has changed. */
    public VectorFile file(Reference reference) {
        Path path = reference.name() != null ? named(reference.name()) : find(reference.file());
        return FILES.get(path, "", VectorFile::read);
    }

    /** Names that a plan can use. */
    public List<String> names() {
        TreeSet<String> names = new TreeSet<>();
        for (Path directory : directories) {
            if (!Files.isDirectory(directory)) {
                continue;
            }
            try (Stream<Path> files = Files.list(directory)) {
                files.map(f -> f.getFileName().toString())
                        .filter(f -> f.endsWith(SUFFIX))
                        .map(f -> f.substring(0, f.length() - SUFFIX.length()))
                        .forEach(names::add);
            } catch (IOException e) {
                throw AtomicFiles.failed(directory, "cannot be listed", e);
            }
        }
        return List.copyOf(names);
    }

    private Path named(String name) {
        if (name.isBlank() || name.contains("/") || name.contains("\\")) {
            throw new TillerException(
                    "vector \"" + name + "\": a name, not a path, is expected; for a path write {\"file\": ...}");
        }
        Path found = search(name + SUFFIX);
        if (found == null) {
            throw new TillerException("vector \"" + name + "\": there is no " + name + SUFFIX + " in " + places()
                    + "; known names: " + (names().isEmpty() ? "none" : String.join(", ", names())));
        }
        return found;
    }

    private Path find(String file) {
        Path found = search(file);
        if (found == null) {
            throw new TillerException("vector file \"" + file + "\": not found in " + places());
        }
        return found;
    }

    /** The first directory that has it; an absolute path stands for itself. */
    private Path search(String file) {
        try {
            for (Path directory : directories) {
                Path candidate = directory.resolve(file);
                if (Files.isRegularFile(candidate)) {
                    return candidate;
                }
            }
            Path alone = Path.of(file);
            return alone.isAbsolute() && Files.isRegularFile(alone) ? alone : null;
        } catch (InvalidPathException e) {
            throw new TillerException("vector file \"" + file + "\": is no file name: " + e.getReason());
        }
    }

    private String places() {
        return directories.stream().map(Path::toString).collect(Collectors.joining(", "));
    }

    private static SteeringVector tensor(Path path, String tensor) {
        try (Safetensors open = Safetensors.open(path)) {
            TensorView view = open.tensor(tensor);
            if (view.shape().length == 2 && view.shape()[0] < 2) {
                throw new TillerException("tensor " + view.describe()
                        + ": expected one dimension, a direction, or two of at least 2 rows, a matrix of positions");
            }
            float[][] rows = VectorFile.rows(view);
            String name = path.getFileName() + ":" + tensor;
            return new SteeringVector(
                    name,
                    VectorContent.joined(rows),
                    null,
                    Map.of(),
                    fingerprint(path, open.metadata()),
                    rows.length,
                    op(open.metadata(), tensor),
                    Map.of());
        }
    }

    /** One of a vector file's directions stays bound to what the file is for; its other tensors are for anything. */
    private static Op op(Map<String, String> metadata, String tensor) {
        String site = metadata.get(VectorFile.SITE);
        return metadata.containsKey(VectorFile.VERSION_KEY) && site != null && tensor.startsWith(site + ".")
                ? VectorContent.operation(metadata.get(VectorFile.OP))
                : null;
    }

    /** A tensor out of a vector file stays bound to the model of that file. */
    private static String fingerprint(Path path, Map<String, String> metadata) {
        if (!metadata.containsKey(VectorFile.VERSION_KEY) || !metadata.containsKey(VectorFile.MODEL)) {
            return null;
        }
        String where = path + ": metadata: " + VectorFile.MODEL;
        return Json.stringOr(Json.parseObject(metadata.get(VectorFile.MODEL), where), "fingerprint", null, where);
    }
}
