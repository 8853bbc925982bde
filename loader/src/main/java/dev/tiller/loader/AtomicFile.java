package dev.tiller.loader;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Writes a file that is complete or absent: under a temporary name in the same directory, forced to disk, then renamed
 * over the target in one step. Directories are never created; a missing one is an error that names it.
 */
public final class AtomicFile {
    private AtomicFile() {}

    /** Writes the content to an open, empty file. */
    @FunctionalInterface
    public interface Content {
        void writeTo(FileChannel channel) throws IOException;
    }

    /** Replaces or creates {@code file}; if the content fails, the target is as it was and nothing else is left. */
    public static void write(Path file, Content content) {
        Path directory = file.toAbsolutePath().getParent();
        if (directory == null || !Files.isDirectory(directory)) {
            throw new TillerException(file + ": cannot be written, no such directory: " + directory);
        }
        if (Files.isDirectory(file)) {
            throw new TillerException(file + ": cannot be written, it is a directory");
        }
        if (Files.exists(file) && !Files.isRegularFile(file)) {
            // a device or pipe would be replaced by the rename, not written to
            throw new TillerException(file + ": cannot be written, it is not a regular file");
        }
        String random = Long.toHexString(ThreadLocalRandom.current().nextLong());
        Path temporary = directory.resolve("." + file.getFileName() + "." + random + ".tmp");
        try {
            try (FileChannel channel =
                    FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                content.writeTo(channel);
                channel.force(true);
            }
            move(temporary, file);
            forceDirectory(directory);
        } catch (IOException e) {
            throw new TillerException(file + ": cannot be written (" + Messages.reason(e) + ")", e);
        } finally {
            deleteQuietly(temporary);
        }
    }

    /** As {@link #write}, UTF-8 text. */
    public static void writeString(Path file, String text) {
        write(file, channel -> writeFully(channel, ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8))));
    }

    /** Writes all that remains in the buffer. */
    public static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    private static void move(Path from, Path to) throws IOException {
        try {
            Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
        } catch (AtomicMoveNotSupportedException e) {
            throw new IOException("this file system cannot rename in one step", e);
        }
    }

    /** Makes the rename itself durable, where directories can be opened (not on Windows). */
    private static void forceDirectory(Path directory) {
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        } catch (IOException e) {
            return; // The file is complete either way; only its survival of a power cut is less certain.
        }
    }

    private static void deleteQuietly(Path temporary) {
        try {
            Files.deleteIfExists(temporary);
        } catch (IOException e) {
            return; // Already reported what went wrong; the leftover is hidden and named after the target.
        }
    }
}
