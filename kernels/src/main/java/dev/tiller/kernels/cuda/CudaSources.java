package dev.tiller.kernels.cuda;

import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.JarURLConnection;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/**
 * The CUDA sources that come with the kernels, as files: what kernels of users may include, and what the emulated driver
 * is built from where there is no GPU.
 */
public final class CudaSources {
    /** Below this class's package: the sources; beside it, the PTX. */
    private static final String SOURCE = "source/";

    private static Path folder;

    private CudaSources() {}

    /** All sources (source/NAME) and the PTX of the built-in kernels (NAME.ptx), by the names they have in the jar. */
    static Map<String, byte[]> all() {
        TreeMap<String, byte[]> out = new TreeMap<>();
        URL known = CudaSources.class.getResource(SOURCE + "common.cuh");
        if (known == null) {
            throw new IllegalStateException("the CUDA sources are not in the jar");
        }
        try {
            if (known.openConnection() instanceof JarURLConnection jar) {
                readJar(jar, out);
            } else {
                readFolder(Path.of(known.toURI()).getParent().getParent(), out);
            }
            return out;
        } catch (IOException | URISyntaxException e) {
            throw new IllegalStateException("cannot read the CUDA sources from " + known, e);
        }
    }

    private static void readJar(JarURLConnection jar, Map<String, byte[]> out) throws IOException {
        String home = CudaSources.class.getPackageName().replace('.', '/') + "/";
        for (var entry : Collections.list(jar.getJarFile().entries())) {
            String name = entry.getName();
            if (name.startsWith(home) && isSource(name.substring(home.length()))) {
                try (InputStream in = jar.getJarFile().getInputStream(entry)) {
                    out.put(name.substring(home.length()), in.readAllBytes());
                }
            }
        }
    }

    private static void readFolder(Path home, Map<String, byte[]> out) throws IOException {
        try (Stream<Path> files = Files.walk(home)) {
            for (Path f : files.filter(Files::isRegularFile).toList()) {
                String name = home.relativize(f).toString();
                if (isSource(name)) {
                    out.put(name, Files.readAllBytes(f));
                }
            }
        }
    }

    private static boolean isSource(String name) {
        return name.startsWith(SOURCE) && !name.endsWith("/") || name.endsWith(".ptx") && !name.contains("/");
    }

    /**
     * The folder that holds the sources as files; made at first use, in the user's cache where that is safe.
     *
     * @return the folder to include from: common.cuh lies in it
     */
    public static synchronized Path folder() {
        if (folder != null && Files.isDirectory(folder)) {
            return folder;
        }
        Map<String, byte[]> all = all();
        Path home = privateFolder("cuda-source-" + hash(all));
        try {
            for (var e : all.entrySet()) {
                Path file = home.resolve(e.getKey());
                Files.createDirectories(file.getParent());
                PrivateFolder.put(file.getParent(), file.getFileName().toString(), e.getValue());
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write the CUDA sources to " + home, e);
        }
        folder = home.resolve(SOURCE);
        return folder;
    }

    /**
     * Builds the emulated driver (see simt/fake/build.sh), once for each state of the sources.
     *
     * @return the folder of its libraries, for {@link CudaLibraries#PROPERTY}
     * @throws CudaUnavailable if this machine cannot build it
     */
    public static synchronized Path emulatedDriver() {
        CudaNatives.checkSystem(System.getProperty("os.name"), System.getProperty("os.arch"));
        Path home = privateFolder("cuda-emulator");
        String state = hash(all());
        Path done = home.resolve(state);
        try {
            if (!Files.isDirectory(done)) {
                removeOld(home);
                buildOnce(home, state, done);
            }
            Files.setLastModifiedTime(done, FileTime.from(Instant.now()));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot build the emulated driver in " + home, e);
        }
        return done;
    }

    /** Of several processes that need the same build one makes it, and the others wait for that. */
    private static void buildOnce(Path home, String state, Path done) throws IOException {
        try (FileChannel lock =
                FileChannel.open(home.resolve(state + ".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            lock.lock();
            if (!Files.isDirectory(done)) {
                Path part = Files.createTempDirectory(home, "part");
                try {
                    build(folder(), home.resolve("compiled"), part.toString());
                    Files.move(part, done, StandardCopyOption.ATOMIC_MOVE);
                } finally {
                    PrivateFolder.remove(part);
                }
            }
        }
    }

    /** Each state of the sources has a folder of its own; those that nobody used for a month go. */
    private static void removeOld(Path home) throws IOException {
        FileTime limit = FileTime.from(Instant.now().minus(Duration.ofDays(30)));
        try (Stream<Path> all = Files.list(home)) {
            for (Path p : all.toList()) {
                if (Files.getLastModifiedTime(p).compareTo(limit) < 0) {
                    PrivateFolder.remove(p);
                }
            }
        }
    }

    /**
     * Runs build.sh, which tells its arguments.
     *
     * @param sources the folder of the sources
     * @param compiled a folder that keeps what was compiled before, or null
     */
    static void build(Path sources, Path compiled, String... arguments) {
        List<String> command = new ArrayList<>(List.of("env", "KERNEL_CACHE=" + (compiled == null ? "" : compiled)));
        command.add("bash");
        command.add(sources.resolve("simt/fake/build.sh").toString());
        command.addAll(List.of(arguments));
        Programs.Result r = Programs.run(command.toArray(String[]::new));
        if (r.status() == Programs.NOT_FOUND) {
            throw new CudaUnavailable("bash is not on the PATH");
        }
        if (r.status() != 0) {
            boolean missing = Programs.run("g++", "--version").status() == Programs.NOT_FOUND;
            throw missing
                    ? new CudaUnavailable("g++ is not on the PATH, which the emulated driver is compiled with")
                    : new TillerException(r.output());
        }
    }

    private static Path privateFolder(String name) {
        Path cached = PrivateFolder.in(PrivateFolder.userCache(System.getenv()), name);
        return cached == null ? TEMPORARY.computeIfAbsent(name, PrivateFolder::temporary) : cached;
    }

    /** Folders of this process where the user's cache could not be used, so that each is made once. */
    private static final Map<String, Path> TEMPORARY = new ConcurrentHashMap<>();

    private static String hash(Map<String, byte[]> all) {
        MessageDigest digest = sha256();
        all.forEach((name, content) -> {
            digest.update((name + "\0" + content.length + "\0").getBytes(StandardCharsets.UTF_8));
            digest.update(content);
        });
        return HexFormat.of().formatHex(digest.digest(), 0, 8);
    }

    static byte[] sha256(byte[] content) {
        return sha256().digest(content);
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
