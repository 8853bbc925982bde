package dev.tiller.loader.gguf;

import dev.tiller.loader.AtomicFile;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.stream.Stream;

/**
 * A directory in the making, {@code .NAME.partial} beside its place, locked against a second process. Closed before it is
 * complete it stays only if it holds something to go on with.
 */
final class PartialDirectory implements AutoCloseable {
    private static final String LOCK = ".lock";
    private static final String IDENTITY = ".identity";
    private static final String SHARD = "model-[0-9]{5}-of-[0-9]{5}\\.safetensors";

    private final Path place;
    private final Path path;
    private final FileChannel lock;
    private boolean complete;

    private PartialDirectory(Path place, Path path, FileChannel lock) {
        this.place = place;
        this.path = path;
        this.lock = lock;
    }

    /** Refuses a place that is taken or has no directory above it. */
    static void checkPlace(Path place) {
        Path parent = place.getParent();
        if (parent == null || place.getFileName() == null) {
            throw new TillerException(place + ": expected the name of a new directory");
        }
        if (!Files.isDirectory(parent)) {
            throw new TillerException(place + ": directory " + parent + " does not exist");
        }
        if (Files.exists(place) && !(Files.isDirectory(place) && list(place).isEmpty())) {
            throw new TillerException(place + ": expected a new or empty directory, found "
                    + (Files.isDirectory(place) ? "files in it" : "a file"));
        }
    }

    /**
     * Makes the directory, or takes over what an earlier one of the same identity left in it.
     *
     * @param identity says what is being made; files left by something else are deleted
     */
    static PartialDirectory open(Path place, String identity) {
        Path path = place.resolveSibling("." + place.getFileName() + ".partial");
        try {
            Files.createDirectories(path);
            PartialDirectory partial = new PartialDirectory(place, path, lock(path));
            try {
                partial.keepOnly(identity);
            } catch (IOException | RuntimeException e) {
                partial.lock.close();
                throw e;
            }
            return partial;
        } catch (IOException e) {
            throw new TillerException(path + ": cannot be written (" + e + ")", e);
        }
    }

    private static FileChannel lock(Path path) throws IOException {
        FileChannel channel = FileChannel.open(path.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock lock = null;
        try {
            lock = channel.tryLock();
        } catch (OverlappingFileLockException e) {
            lock = null; // held by this very process
        }
        if (lock == null) {
            channel.close();
            throw new TillerException(path + ": another conversion is writing there");
        }
        return channel;
    }

    private void keepOnly(String identity) throws IOException {
        Path file = path.resolve(IDENTITY);
        boolean same = Files.exists(file) && Files.readString(file).equals(identity);
        for (Path left : list(path)) {
            String name = left.getFileName().toString();
            if (!name.equals(LOCK) && !(same && (name.equals(IDENTITY) || name.matches(SHARD)))) {
                Files.delete(left);
            }
        }
        AtomicFile.writeString(file, identity);
    }

    Path path() {
        return path;
    }

    /** Moves the directory to its place. */
    void complete() {
        try {
            Files.delete(path.resolve(IDENTITY));
            Files.delete(path.resolve(LOCK));
            Files.deleteIfExists(place); // an empty directory; Windows cannot rename over one
            Files.move(path, place, StandardCopyOption.ATOMIC_MOVE);
            complete = true;
        } catch (DirectoryNotEmptyException e) {
            throw new TillerException(place + ": expected a new or empty directory, found files in it", e);
        } catch (IOException e) {
            throw new TillerException(place + ": cannot be written (" + e + ")", e);
        }
    }

    @Override
    public void close() {
        try (lock) {
            if (!complete
                    && list(path).stream()
                            .noneMatch(f -> f.getFileName().toString().matches(SHARD))) {
                for (Path file : list(path)) {
                    Files.delete(file);
                }
                Files.delete(path);
            }
        } catch (IOException e) {
            return; // what is left is hidden, and taken over or deleted by the next conversion
        }
    }

    private static List<Path> list(Path directory) {
        try (Stream<Path> files = Files.list(directory)) {
            return files.toList();
        } catch (IOException e) {
            throw new TillerException(directory + ": cannot be read (" + e + ")", e);
        }
    }
}
