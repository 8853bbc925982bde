package dev.tiller.engine;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.cpu.PackedWeights;
import dev.tiller.kernels.cpu.SimdBackend;
import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.Timeline;
import dev.tiller.loader.gguf.GgufParts;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;
import java.util.zip.Checksum;

/**
 * Packed weights in the user's cache: a model that has been added loads without packing. Files are only written when
 * asked for ({@link #add}), used whenever they fit, and may be deleted at any time.
 *
 * <p>A file is named after the content it was made of: sizes, times of change and samples of the model's files, the format
 * of the weights and the width of the vectors. So a model that changes is not found, and its old file is never used.
 */
public final class WeightCache {
    private static final String SUFFIX = ".packed";
    private static final int SAMPLES = 128;
    private static final int SAMPLE_BYTES = 4096;

    /** What is left of a writer that was killed is older than this. */
    private static final Duration ABANDONED = Duration.ofHours(1);

    private final Path folder;

    /** A file of the cache. Used is when it was last made or taken. */
    public record Entry(Path file, String model, String format, long bytes, Instant used) {}

    /** The cache in a folder, which need not exist. */
    public WeightCache(Path folder) {
        this.folder = folder;
    }

    /**
     * The user's cache: {@code $TILLER_CACHE/weights}, else {@code $XDG_CACHE_HOME/tiller/weights}, else
     * {@code ~/.cache/tiller/weights}.
     */
    public static WeightCache ofUser(Map<String, String> environment) {
        String own = environment.getOrDefault("TILLER_CACHE", "");
        if (!own.isEmpty()) {
            return new WeightCache(Path.of(own).toAbsolutePath().resolve("weights"));
        }
        String xdg = environment.getOrDefault("XDG_CACHE_HOME", "");
        Path caches = !xdg.isEmpty() && Path.of(xdg).isAbsolute()
                ? Path.of(xdg)
                : Path.of(environment.getOrDefault("HOME", System.getProperty("user.home")), ".cache");
        return new WeightCache(caches.resolve("tiller").resolve("weights"));
    }

    public Path folder() {
        return folder;
    }

    /** Where the weights of a model in that format are, if they are there. */
    Path file(Checkpoint checkpoint, WeightFormat format) {
        return folder.resolve(safe(checkpoint.name()) + "." + name(format) + "." + SimdBackend.vectorBits() + "."
                + key(checkpoint, format).substring(0, 16) + SUFFIX);
    }

    /**
     * Lets a backend take its weights from the cache if they are there. What is wrong with a file is a reason not to use
     * it, no more.
     *
     * @return why a file that is there is not used; null if all is well
     */
    String attach(Backend backend, Checkpoint checkpoint, WeightFormat format) {
        if (!(backend instanceof SimdBackend simd) || !Files.isDirectory(folder)) {
            return null;
        }
        try {
            Path file = file(checkpoint, format);
            if (Files.isRegularFile(file)) {
                checkPrivate();
                simd.takePacked(file, key(checkpoint, format));
                touch(file);
            }
            Timeline.mark("cache looked at");
            return null;
        } catch (IOException | UncheckedIOException | TillerException e) {
            return e.getMessage();
        }
    }

    /** Whoever can write to the folder decides what the weights are. */
    private void checkPrivate() throws IOException {
        if (!folder.getFileSystem().supportedFileAttributeViews().contains("posix")) {
            return;
        }
        Set<PosixFilePermission> may = Files.getPosixFilePermissions(folder);
        if (may.contains(PosixFilePermission.GROUP_WRITE) || may.contains(PosixFilePermission.OTHERS_WRITE)) {
            throw new TillerException(folder + ": expected a folder that only its owner can write to, found "
                    + PosixFilePermissions.toString(may));
        }
    }

    private static void touch(Path file) {
        try {
            Files.setLastModifiedTime(file, FileTime.from(Instant.now()));
        } catch (IOException e) {
            return; // a cache that may only be read is used all the same
        }
    }

    /**
     * Packs the weights of a model and keeps them.
     *
     * @param format as in {@link LoadOptions}
     * @return the file
     */
    public Path add(Path model, WeightFormat format) {
        LoadOptions options = new LoadOptions("simd", 0, format).withoutCache();
        try (Model loaded = Model.load(model, options)) {
            makeFolder();
            checkPrivate();
            Path file = file(loaded.checkpoint(), format);
            checkRoom(loaded.weightBytes());
            ((SimdBackend) loaded.backend()).writePacked(file, key(loaded.checkpoint(), format));
            return file;
        } catch (IOException e) {
            throw new TillerException(folder + ": cannot be looked at (" + e + ")", e);
        }
    }

    private void makeFolder() {
        try {
            if (folder.getFileSystem().supportedFileAttributeViews().contains("posix")) {
                Files.createDirectories(
                        folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            } else {
                Files.createDirectories(folder);
            }
        } catch (IOException e) {
            throw new TillerException(folder + ": expected a folder that can be made and written to, found " + e, e);
        }
    }

    private void checkRoom(long bytes) {
        long free;
        try {
            free = Files.getFileStore(folder).getUsableSpace();
        } catch (IOException e) {
            return; // writing will tell
        }
        if (free < bytes) {
            throw new TillerException(
                    folder + ": expected room for " + bytes + " bytes of packed weights, found " + free);
        }
    }

    /** All files, the last used first. Those of other versions are listed as well: they take room. */
    public List<Entry> list() {
        List<Entry> entries = new ArrayList<>();
        for (Path file : files(SUFFIX)) {
            try {
                String[] parts = file.getFileName().toString().split("\\.");
                int n = parts.length;
                String format = n < 5 ? "?" : parts[n - 4];
                String model = n < 5
                        ? file.getFileName().toString()
                        : String.join(".", List.of(parts).subList(0, n - 4));
                entries.add(new Entry(
                        file,
                        model,
                        format,
                        Files.size(file),
                        Files.getLastModifiedTime(file).toInstant()));
            } catch (IOException e) {
                continue; // deleted meanwhile by another process
            }
        }
        entries.sort(Comparator.comparing(Entry::used).reversed());
        return entries;
    }

    /**
     * Deletes files; a process that uses one keeps it until it ends.
     *
     * @param model name of the model whose files go, null for all
     * @return bytes of the files
     */
    public long clear(String model) {
        long bytes = 0;
        for (Entry e : list()) {
            if (model == null || e.model().equals(safe(model))) {
                bytes += delete(e.file()) ? e.bytes() : 0;
            }
        }
        for (Path leftover : files(".tmp")) {
            try {
                if (Files.getLastModifiedTime(leftover)
                        .toInstant()
                        .isBefore(Instant.now().minus(ABANDONED))) {
                    delete(leftover);
                }
            } catch (IOException e) {
                continue; // its writer has finished
            }
        }
        return bytes;
    }

    private static boolean delete(Path file) {
        try {
            return Files.deleteIfExists(file);
        } catch (IOException e) {
            throw new TillerException(file + ": cannot be deleted (" + e + ")", e);
        }
    }

    private List<Path> files(String suffix) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(f -> f.getFileName().toString().endsWith(suffix))
                    .toList();
        } catch (NoSuchFileException e) {
            return List.of();
        } catch (IOException e) {
            throw new TillerException(folder + ": cannot be read (" + e + ")", e);
        }
    }

    private static String safe(String name) {
        return name.replaceAll("[^A-Za-z0-9_.-]", "_");
    }

    private static String name(WeightFormat format) {
        return format == null ? "stored" : format.name().toLowerCase(Locale.ROOT);
    }

    /** What the packed weights are made of. The first 16 characters tell the files of the model apart. */
    static String key(Checkpoint checkpoint, WeightFormat format) {
        Checksum[] sums = {new CRC32(), new CRC32C()};
        for (Path file : modelFiles(checkpoint.path())) {
            try {
                sample(file, sums);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        HexFormat hex = HexFormat.of();
        return hex.toHexDigits((int) sums[0].getValue()) + hex.toHexDigits((int) sums[1].getValue()) + " "
                + name(format) + " " + SimdBackend.vectorBits() + " packing " + PackedWeights.PACKING;
    }

    /** The files that say what the weights are. */
    private static List<Path> modelFiles(Path model) {
        if (!Files.isDirectory(model)) {
            return GgufParts.files(model);
        }
        try (Stream<Path> files = Files.list(model)) {
            return files.filter(f -> f.getFileName().toString().matches("config\\.json|.*\\.(safetensors|gguf)"))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Size, time of change and some of the bytes: quick even while Java is cold, and enough where all three count. */
    private static void sample(Path file, Checksum[] sums) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocateDirect(SAMPLE_BYTES);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            long size = channel.size();
            bytes.putLong(size);
            bytes.putLong(Files.getLastModifiedTime(file).toMillis());
            update(sums, bytes.flip());
            long last = Math.max(0, size - SAMPLE_BYTES);
            for (int i = 0; i < SAMPLES; i++) {
                channel.read(bytes.clear(), last / (SAMPLES - 1) * i + (i == SAMPLES - 1 ? last % (SAMPLES - 1) : 0));
                update(sums, bytes.flip());
            }
        }
    }

    private static void update(Checksum[] sums, ByteBuffer bytes) {
        for (Checksum sum : sums) {
            sum.update(bytes.rewind());
        }
    }
}
