package dev.tiller.loader.hub;

import dev.tiller.loader.Json;
import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileStore;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The folder of downloaded models, shared with the Python tools (documentation of huggingface_hub, "Understand
 * caching"): {@code models--org--name/blobs/ETAG} holds files by their checksum, {@code snapshots/COMMIT/FILE} links to
 * them, {@code refs/REVISION} holds the commit of a branch or tag.
 *
 * @param folder the whole cache
 */
public record HubCache(Path folder) {
    private static final String PREFIX = "models--";
    private static final int MAX_REF = 1024;

    // ---- where things lie ----

    Path repo(HubId id) {
        return folder.resolve(PREFIX + id.repo().replace("/", "--"));
    }

    Path blob(HubId id, String etag) {
        return repo(id).resolve("blobs").resolve(etag);
    }

    Path lock(HubId id, String etag) {
        return folder.resolve(".locks").resolve(repo(id).getFileName()).resolve(etag + ".lock");
    }

    Path snapshot(HubId id, String commit) {
        return repo(id).resolve("snapshots").resolve(commit);
    }

    Path ref(HubId id, String revision) {
        return repo(id).resolve("refs").resolve(revision);
    }

    /**
     * Name of the repository that a path in a cache belongs to, without its owner; empty for other paths. The last part
     * of such a path is a commit, which tells nobody anything.
     */
    public static Optional<String> modelName(Path snapshot) {
        Path parent = snapshot.toAbsolutePath().normalize().getParent();
        Path repo = parent == null ? null : parent.getParent();
        if (repo == null || repo.getFileName() == null || !parent.endsWith("snapshots")) {
            return Optional.empty();
        }
        String name = repo.getFileName().toString();
        return name.startsWith(PREFIX) ? Optional.of(name.substring(name.lastIndexOf("--") + 2)) : Optional.empty();
    }

    // ---- finding, offline ----

    /**
     * The directory or .gguf file of a model that is completely here. Anything else is an error that says how to get
     * it; the network is not used.
     */
    public Path find(HubId id) {
        String pull = ": tiller pull " + id;
        String revision = id.revisionOrMain();
        if (!hasAny(id)) {
            throw new TillerException(id + ": not in the cache (" + folder + ")" + pull);
        }
        String commit = HubId.isCommit(revision)
                ? revision
                : commit(id, revision)
                        .orElseThrow(() -> new TillerException(
                                id + ": revision " + revision + " is not in the cache (" + repo(id) + ")" + pull));
        Path snapshot = snapshot(id, commit);
        if (!Files.isDirectory(snapshot)) {
            throw new TillerException(id + ": commit " + commit + " is not in the cache (" + repo(id) + ")" + pull);
        }
        if (id.file() != null) {
            return Selection.named(files(snapshot), id.file())
                    .map(snapshot::resolve)
                    .orElseThrow(() -> new TillerException(id + ": not in the cache (" + snapshot + ")" + pull));
        }
        return whole(id, snapshot, pull);
    }

    /** True if something of the repository is here. */
    public boolean hasAny(HubId id) {
        return Files.isDirectory(repo(id));
    }

    private static Path whole(HubId id, Path snapshot, String pull) {
        List<String> missing = missing(snapshot);
        if (missing.isEmpty()) {
            return snapshot;
        }
        List<String> ggufs = Selection.models(files(snapshot));
        if (ggufs.size() == 1) {
            return snapshot.resolve(ggufs.getFirst());
        }
        if (ggufs.size() > 1) {
            throw new TillerException(id + ": the cache holds several files of it; name one, such as "
                    + new HubId(id.repo(), ggufs.getFirst(), id.revision()));
        }
        throw new TillerException(
                id + ": incomplete in the cache (" + snapshot + " lacks " + missing.getFirst() + ")" + pull);
    }

    /** What a snapshot lacks to be a model in safetensors; files that may be missing are not looked at. */
    private static List<String> missing(Path snapshot) {
        List<String> missing = new ArrayList<>();
        if (!Files.isRegularFile(snapshot.resolve(Selection.CONFIG))) {
            missing.add(Selection.CONFIG);
        }
        Path index = snapshot.resolve(Selection.INDEX);
        if (!Files.isRegularFile(snapshot.resolve(Selection.SINGLE))) {
            if (Files.isRegularFile(index)) {
                Selection.shards(Json.readObject(index), index.toString()).stream()
                        .filter(shard -> !Files.isRegularFile(snapshot.resolve(shard)))
                        .forEach(missing::add);
            } else {
                missing.add(Selection.SINGLE);
            }
        }
        return missing;
    }

    private static List<String> files(Path snapshot) {
        try (Stream<Path> files = Files.walk(snapshot, 8)) {
            return files.filter(Files::isRegularFile)
                    .map(f -> snapshot.relativize(f).toString().replace('\\', '/'))
                    .toList();
        } catch (IOException e) {
            throw unreadable(snapshot, e);
        } catch (UncheckedIOException e) {
            throw unreadable(snapshot, e.getCause()); // from a folder within
        }
    }

    /** The commit of a branch or tag, as of the last download; empty if there was none. */
    Optional<String> commit(HubId id, String revision) {
        Path ref = ref(id, revision);
        if (!Files.isRegularFile(ref)) {
            return Optional.empty();
        }
        try {
            String commit =
                    Files.size(ref) > MAX_REF ? "" : Files.readString(ref).strip();
            if (!HubId.isCommit(commit)) {
                throw new TillerException(ref + ": expected a commit of 40 hex digits, found something else");
            }
            return Optional.of(commit);
        } catch (IOException e) {
            throw unreadable(ref, e);
        }
    }

    /** One line about what cannot be read: a path, or something in it. */
    static TillerException unreadable(Path path, IOException e) {
        String inside = e instanceof FileSystemException f && f.getFile() != null ? f.getFile() : path.toString();
        return new TillerException(inside + ": cannot be read (" + Messages.reason(e) + ")", e);
    }

    // ---- what is here ----

    /** True if the file of a commit is here, whole as far as its size can tell. */
    boolean holds(HubId id, String commit, RemoteFile file) {
        return isWhole(snapshot(id, commit).resolve(file.name()), file) || isWhole(blob(id, file.etag()), file);
    }

    /** True if there is a file of that size. */
    static boolean isWhole(Path path, RemoteFile file) {
        try {
            return Files.isRegularFile(path) && (file.size() < 0 || Files.size(path) == file.size());
        } catch (IOException e) {
            return false;
        }
    }

    /** Bytes that can still be written; empty if nobody knows. */
    Optional<Long> free() {
        for (Path p = folder.toAbsolutePath(); p != null; p = p.getParent()) {
            if (Files.isDirectory(p)) {
                try {
                    FileStore store = Files.getFileStore(p);
                    // Some file systems over networks say 0 of 0.
                    return store.getTotalSpace() == 0 ? Optional.empty() : Optional.of(store.getUsableSpace());
                } catch (IOException e) {
                    return Optional.empty(); // writing will tell
                }
            }
        }
        return Optional.empty();
    }
}
