package dev.tiller.loader.hub;

import dev.tiller.loader.AtomicFile;
import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Makes the snapshot of a commit from blobs that are whole, and says which commit a branch is at. Where links cannot be
 * made, a snapshot holds the files themselves, and as with the Python tools nothing is kept twice.
 */
final class SnapshotWriter {
    private final HubCache cache;
    private final HubId id;
    private final String commit;
    private final boolean wanted;
    private final FileLinks links;

    /**
     * @param wanted false: no symbolic links, even where there are some
     * @param links how links are made
     */
    SnapshotWriter(HubCache cache, HubId id, String commit, boolean wanted, FileLinks links) {
        this.cache = cache;
        this.id = id;
        this.commit = commit;
        this.wanted = wanted;
        this.links = links;
    }

    // ---- before anything comes ----

    /** An error if something stands where these files must lie: after a long download it would be too late. */
    void checkClear(List<RemoteFile> files) {
        for (RemoteFile file : files) {
            checkFile(cache.blob(id, file.etag()));
            checkFile(target(file));
        }
        String revision = id.revisionOrMain();
        if (!HubId.isCommit(revision)) {
            checkRef(cache.ref(id, revision), revision);
        }
    }

    /** Revisions are files, and those with slashes lie in folders: "a" and "a/b" cannot both be there. */
    private void checkRef(Path ref, String revision) {
        Path refs = cache.repo(id).resolve("refs");
        String other = Files.isDirectory(ref) ? "one that begins with " + Messages.quote(revision + "/") : null;
        for (Path p = ref.getParent(); other == null && !p.equals(refs); p = p.getParent()) {
            if (Files.isRegularFile(p)) {
                other = Messages.quote(refs.relativize(p).toString());
            }
        }
        if (other != null) {
            throw new TillerException(cache.repo(id) + ": revision " + Messages.quote(revision) + " cannot lie beside "
                    + other + ", which is in the cache; name the commit instead, " + id.repo() + "@" + commit
                    + ", or first delete what is there: tiller cache models --remove " + id.repo());
        }
        checkFile(ref);
    }

    private static void checkFile(Path file) {
        if (Files.isDirectory(file, LinkOption.NOFOLLOW_LINKS)) {
            throw new TillerException(file + ": expected a file or nothing, found a folder");
        }
        checkFolder(file.getParent());
    }

    private static void checkFolder(Path folder) {
        for (Path p = folder; p != null && !Files.isDirectory(p); p = p.getParent()) {
            // Looked at once more: another download may just have made it.
            if (Files.exists(p, LinkOption.NOFOLLOW_LINKS) && !Files.isDirectory(p)) {
                throw new TillerException(
                        p + ": expected a folder, found a " + (Files.exists(p) ? "file" : "link that leads nowhere"));
            }
        }
    }

    /** Makes a folder and those around it. */
    static void directories(Path folder) {
        try {
            if (!Files.isDirectory(folder)) {
                Files.createDirectories(folder);
            }
        } catch (IOException e) {
            checkFolder(folder);
            throw new TillerException(folder + ": this folder cannot be made (" + Messages.reason(e) + ")", e);
        }
    }

    // ---- when all is there ----

    private Path target(RemoteFile file) {
        return cache.snapshot(id, commit).resolve(file.name());
    }

    /**
     * Makes a file appear in the snapshot, in one step; its blob is whole.
     *
     * @param mayMove nothing else needs the blob
     */
    void place(RemoteFile file, boolean mayMove) {
        Path blob = cache.blob(id, file.etag());
        Path target = target(file);
        if (HubCache.isWhole(target, file)) {
            return;
        }
        directories(target.getParent());
        String random = Long.toHexString(ThreadLocalRandom.current().nextLong());
        Path temporary = target.resolveSibling(".tiller." + random + ".tmp");
        try {
            try {
                if (!wanted || !linked(temporary, target.getParent().relativize(blob))) {
                    if (mayMove && moved(blob, target)) {
                        return;
                    }
                    copy(blob, temporary);
                }
                Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
            } finally {
                Files.deleteIfExists(temporary);
            }
        } catch (IOException e) {
            if (!HubCache.isWhole(target, file)) { // else another process was quicker
                throw new TillerException(target + ": cannot be made (" + Messages.reason(e) + ")", e);
            }
        }
    }

    /** False where there are no such links, or where one to that path would lead nowhere. */
    private boolean linked(Path link, Path to) throws IOException {
        try {
            links.symbolic(link, to);
        } catch (UnsupportedOperationException | IOException e) {
            if (Files.isWritable(link.getParent())) {
                return false; // Windows without the right to make links, or a file system without them
            }
            throw e;
        }
        if (Files.isRegularFile(link)) {
            return true;
        }
        Files.delete(link); // the folder of snapshots is itself a link to elsewhere
        return false;
    }

    private static boolean moved(Path blob, Path target) {
        try {
            Files.move(blob, target, StandardCopyOption.ATOMIC_MOVE);
            return true;
        } catch (IOException e) {
            return false; // on another disk; or copying says what is wrong
        }
    }

    /** A second name of the same bytes, or the bytes once more where the file system knows no such thing. */
    private void copy(Path blob, Path to) throws IOException {
        try {
            links.hard(to, blob);
        } catch (UnsupportedOperationException | IOException e) {
            Files.copy(blob, to);
        }
    }

    /** Deletes a blob that came with this pull if all files of its content are in the snapshot as copies. */
    void dropIfCopied(String etag, List<RemoteFile> files) {
        boolean needed = files.stream()
                .filter(f -> f.etag().equals(etag))
                .anyMatch(f -> Files.isSymbolicLink(target(f)) || !HubCache.isWhole(target(f), f));
        try {
            if (!needed) {
                Files.deleteIfExists(cache.blob(id, etag));
            }
        } catch (IOException e) {
            return; // it takes room and does no harm
        }
    }

    /** Says which commit a branch or tag is at; written last, when all files are there. */
    void remember() {
        String revision = id.revisionOrMain();
        if (HubId.isCommit(revision)) {
            return;
        }
        Path ref = cache.ref(id, revision);
        if (isRemembered(ref)) {
            return;
        }
        directories(ref.getParent());
        AtomicFile.writeString(ref, commit);
    }

    /** What it holds may be wrong; then it is written anew. */
    private boolean isRemembered(Path ref) {
        try {
            return Files.isRegularFile(ref) && Files.readString(ref).strip().equals(commit);
        } catch (IOException e) {
            return false;
        }
    }
}
