package dev.tiller.persona;

import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;

/**
 * Vectors that were read, so that a plan that is used again reads no file again. A file that has changed (size, time or
 * identity) is read anew. For one reader's result each: whole files and single tensors have a cache of their own.
 *
 * @param <T> what is read
 */
final class VectorCache<T> {
    private static final int MAX_FILES = 64;

    private record Stamp(long bytes, FileTime changed, Object identity) {
        static Stamp of(Path file) {
            try {
                BasicFileAttributes a = Files.readAttributes(file, BasicFileAttributes.class);
                return new Stamp(a.size(), a.lastModifiedTime(), a.fileKey());
            } catch (IOException e) {
                throw new TillerException(file + ": cannot be read (" + e + ")", e);
            }
        }
    }

    private record Kept<T>(Stamp stamp, T value) {}

    private final Map<String, Kept<T>> kept = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Kept<T>> eldest) {
            return size() > MAX_FILES;
        }
    };

    /**
     * What the reader makes of the file.
     *
     * @param part of the file, "" for all of it
     */
    synchronized T get(Path file, String part, Function<Path, T> reader) {
        String key = file.toAbsolutePath().normalize() + "\0" + part;
        Stamp stamp = Stamp.of(file);
        Kept<T> known = kept.get(key);
        if (known == null || !known.stamp.equals(stamp)) {
            known = new Kept<>(stamp, reader.apply(file));
            kept.put(key, known);
        }
        return known.value;
    }
}
