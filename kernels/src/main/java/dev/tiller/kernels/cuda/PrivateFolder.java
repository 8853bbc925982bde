package dev.tiller.kernels.cuda;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * A folder that nobody but this user can write to, for libraries that will be loaded into this process. It lies in the
 * user's cache where that is safe; where it is not (not writable, or open to others), a fresh temporary folder takes its
 * place, which is removed when Java ends.
 */
final class PrivateFolder {
    private static final FileAttribute<Set<PosixFilePermission>> OWNER_ONLY =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
    private static final int OTHERS_WRITE = 0022;
    private static final int OTHERS_ANYTHING = 0077;
    private static final int STICKY = 01000;

    private PrivateFolder() {}

    /** The user's folder for caches, or null if the environment names none. */
    static Path userCache(Map<String, String> environment) {
        String xdg = environment.get("XDG_CACHE_HOME");
        if (xdg != null && Path.of(xdg).isAbsolute()) {
            return Path.of(xdg);
        }
        String home = environment.getOrDefault("HOME", System.getProperty("user.home"));
        return home != null && Path.of(home).isAbsolute() ? Path.of(home, ".cache") : null;
    }

    /**
     * Makes or reuses the folder cache/tiller/name.
     *
     * @param cache the user's folder for caches, or null
     * @return the folder, or null if a safe one cannot be had there
     */
    static Path in(Path cache, String name) {
        if (cache == null) {
            return null;
        }
        try {
            Path parent = cache.resolve("tiller");
            Files.createDirectories(parent, OWNER_ONLY);
            Path folder = parent.toRealPath().resolve(name);
            try {
                Files.createDirectory(folder, OWNER_ONLY);
            } catch (FileAlreadyExistsException e) {
                // Made by an earlier run, or planted: checked below either way.
            }
            return isPrivate(folder) && Files.isWritable(folder) ? folder : null;
        } catch (IOException | UnsupportedOperationException e) {
            return null;
        }
    }

    /** A fresh folder that is removed when Java ends. */
    static Path temporary(String name) {
        try {
            Path folder = Files.createTempDirectory("tiller-" + name + "-", OWNER_ONLY);
            Runtime.getRuntime().addShutdownHook(new Thread(() -> remove(folder)));
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException("cannot make a temporary folder", e);
        }
    }

    /** Removes a folder with what is in it, if it is there. */
    static void remove(Path folder) {
        if (!Files.exists(folder, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        try (Stream<Path> s = Files.walk(folder)) {
            for (Path p : s.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(p);
            }
        } catch (IOException | UncheckedIOException e) {
            // What cannot be removed stays in the system's temporary folder.
        }
    }

    /** Whether the folder is ours alone and no folder above it lets others put another one in its place. */
    static boolean isPrivate(Path folder) throws IOException {
        int us = user();
        if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)
                || owner(folder) != us
                || (mode(folder) & OTHERS_ANYTHING) != 0) {
            return false;
        }
        for (Path p = folder.toRealPath().getParent(); p != null; p = p.getParent()) {
            boolean trusted = owner(p) == us || owner(p) == 0;
            if (!trusted || (mode(p) & OTHERS_WRITE) != 0 && (mode(p) & STICKY) == 0) {
                return false;
            }
        }
        return true;
    }

    /**
     * Makes the folder hold exactly these bytes under a name. A file that is there counts only if it is ours alone and
     * equal to the last byte; else it is replaced in one step, so that other processes never see a half-written one.
     */
    static Path put(Path folder, String name, byte[] content) throws IOException {
        Path file = folder.resolve(name);
        if (!holds(file, content)) {
            Path part = Files.createTempFile(folder, name, ".part");
            try {
                Files.write(part, content);
                Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
            } finally {
                Files.deleteIfExists(part);
            }
        }
        return file;
    }

    private static boolean holds(Path file, byte[] content) throws IOException {
        try {
            return Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)
                    && owner(file) == user()
                    && (mode(file) & OTHERS_WRITE) == 0
                    && Files.size(file) == content.length
                    && Arrays.equals(Files.readAllBytes(file), content);
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    /** Safe places for a folder of this name, best first; the last one can always be had. */
    static List<Supplier<Path>> candidates(Path cache, String name) {
        return List.of(() -> in(cache, name), () -> temporary(name));
    }

    private static int user() throws IOException {
        return (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    }

    private static int owner(Path file) throws IOException {
        return (int) Files.getAttribute(file, "unix:uid", LinkOption.NOFOLLOW_LINKS);
    }

    private static int mode(Path file) throws IOException {
        return (int) Files.getAttribute(file, "unix:mode", LinkOption.NOFOLLOW_LINKS);
    }
}
