package dev.tiller.kernels.cuda;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Where the libraries of CUDA lie: the driver's libcuda.so.1, cuBLAS and NVRTC of a toolkit or of Python's packages.
 * Folders named by the user come first, then the toolkit's, the system's and Python's. Nothing is loaded and no process
 * is started here.
 */
final class CudaLibraries {
    /** Folders to look in before all others, separated like a path; also one library file counts for its folder. */
    static final String PROPERTY = "tiller.cuda.libraries";

    /** JCuda's natives bind functions that cuBLAS has since this version. */
    static final int OLDEST_MAJOR = 12;

    private final List<Path> folders;

    CudaLibraries(Collection<Path> folders) {
        this.folders = List.copyOf(folders);
    }

    /** The folders of this machine and this environment. */
    static CudaLibraries ofSystem() {
        return new CudaLibraries(folders(System.getProperty(PROPERTY), System.getenv(), Path.of("/")));
    }

    /** All folders that were looked in, those that exist. */
    List<Path> folders() {
        return folders;
    }

    /**
     * A library with its major version in its file name.
     *
     * @param beside the folder as it was searched: where its companions lie
     */
    record Found(Path file, int major, Path beside) {}

    /** The driver's library, or null. */
    Path driver() {
        for (Path folder : folders) {
            Path file = folder.resolve("libcuda.so.1");
            if (ElfLibrary.isLoadable(file)) {
                return file;
            }
        }
        return null;
    }

    /**
     * All versions of a library, one list entry per folder and version, in the order of preference: the folders' order,
     * and in one folder the version that JCuda was built for before newer ones.
     *
     * @param name cublas or nvrtc
     */
    List<Found> versions(String name) {
        Pattern pattern = Pattern.compile("lib" + name + "\\.so\\.(\\d\\d)");
        List<Found> out = new ArrayList<>();
        for (Path folder : folders) {
            TreeMap<Integer, Path> here = new TreeMap<>();
            for (Path file : list(folder)) {
                Matcher m = pattern.matcher(file.getFileName().toString());
                if (m.matches() && ElfLibrary.isLoadable(file)) {
                    here.put(Integer.parseInt(m.group(1)), file);
                }
            }
            here.forEach((major, file) -> out.add(new Found(file, major, folder)));
        }
        return out;
    }

    /** Files of a folder whose names begin so, sorted. */
    static List<Path> startingWith(Path folder, String prefix) {
        return list(folder).stream()
                .filter(f -> f.getFileName().toString().startsWith(prefix))
                .sorted()
                .toList();
    }

    // --- the list of folders ---

    /**
     * @param property value of {@link #PROPERTY}, or null
     * @param root / but in tests
     */
    static List<Path> folders(String property, Map<String, String> environment, Path root) {
        LinkedHashSet<Path> out = new LinkedHashSet<>();
        addPathList(out, property);
        addPathList(out, environment.get("LD_LIBRARY_PATH"));
        for (String variable : List.of("CUDA_HOME", "CUDA_PATH")) {
            String value = environment.get(variable);
            if (value != null && !value.isBlank()) {
                addToolkit(out, Path.of(value));
            }
        }
        addToolkit(out, root.resolve("usr/local/cuda"));
        list(root.resolve("usr/local")).stream()
                .filter(p -> p.getFileName().toString().matches("cuda-\\d.*"))
                .sorted(Comparator.reverseOrder())
                .forEach(p -> addToolkit(out, p));
        addLdconfig(out, root, root.resolve("etc/ld.so.conf"), 0);
        for (String s : List.of(
                "usr/lib/x86_64-linux-gnu",
                "usr/lib64",
                "lib/x86_64-linux-gnu",
                "usr/lib/wsl/lib",
                "usr/local/nvidia/lib64",
                "usr/lib")) {
            out.add(root.resolve(s));
        }
        addPython(out, environment, root);
        out.removeIf(p -> !Files.isDirectory(p));
        return List.copyOf(out);
    }

    private static void addPathList(Collection<Path> out, String list) {
        if (list == null) {
            return;
        }
        // An empty entry would mean the current folder, where anybody's library might lie.
        for (String entry : list.split(Pattern.quote(File.pathSeparator))) {
            if (!entry.isBlank()) {
                Path p = Path.of(entry).toAbsolutePath();
                out.add(Files.isRegularFile(p) ? p.getParent() : p);
            }
        }
    }

    private static void addToolkit(Collection<Path> out, Path home) {
        out.add(home.resolve("lib64"));
        out.add(home.resolve("targets/x86_64-linux/lib"));
        out.add(home.resolve("lib"));
    }

    /** The folders that the system's loader looks in, as its configuration names them. */
    private static void addLdconfig(Collection<Path> out, Path root, Path file, int depth) {
        if (depth > 4 || !Files.isReadable(file)) {
            return;
        }
        try {
            for (String line : Files.readAllLines(file, StandardCharsets.UTF_8)) {
                String text = line.replaceFirst("#.*", "").strip();
                if (text.startsWith("include ")) {
                    include(out, root, text.substring(8).strip(), depth);
                } else if (text.startsWith("/")) {
                    out.add(root.resolve(text.substring(1)));
                }
            }
        } catch (IOException e) {
            // A configuration that cannot be read names no folders; the usual ones are looked at anyway.
        }
    }

    private static void include(Collection<Path> out, Path root, String pattern, int depth) {
        Path path = root.resolve(pattern.startsWith("/") ? pattern.substring(1) : "etc/" + pattern);
        String glob = path.getFileName().toString();
        for (Path f : list(path.getParent()).stream().sorted().toList()) {
            if (f.getFileSystem().getPathMatcher("glob:" + glob).matches(f.getFileName())) {
                addLdconfig(out, root, f, depth + 1);
            }
        }
    }

    /** Libraries that came with Python packages, such as those of torch. */
    private static void addPython(Collection<Path> out, Map<String, String> environment, Path root) {
        LinkedHashSet<Path> prefixes = new LinkedHashSet<>();
        for (String variable : List.of("VIRTUAL_ENV", "CONDA_PREFIX")) {
            if (environment.get(variable) != null && !environment.get(variable).isBlank()) {
                prefixes.add(Path.of(environment.get(variable)));
            }
        }
        for (String bin : environment.getOrDefault("PATH", "").split(Pattern.quote(File.pathSeparator))) {
            Path python = bin.isBlank() ? null : Path.of(bin).resolve("python3");
            if (python != null && Files.isExecutable(python)) {
                prefixes.add(python.toAbsolutePath().getParent().getParent());
                try {
                    prefixes.add(python.toRealPath().getParent().getParent());
                } catch (IOException e) {
                    // A link that leads nowhere: its own place has been added.
                }
            }
        }
        String home = environment.get("HOME");
        if (home != null && !home.isBlank()) {
            prefixes.addAll(list(Path.of(home, ".pyenv", "versions")));
            prefixes.add(Path.of(home, ".local"));
        }
        prefixes.add(root.resolve("usr"));
        prefixes.add(root.resolve("usr/local"));
        prefixes.removeIf(Objects::isNull);
        for (Path prefix : prefixes) {
            out.add(prefix.resolve("lib"));
            for (Path python : startingWith(prefix.resolve("lib"), "python3")) {
                addPackages(out, python.resolve("site-packages"));
                addPackages(out, python.resolve("dist-packages"));
            }
        }
    }

    private static void addPackages(Collection<Path> out, Path packages) {
        for (Path kind : list(packages.resolve("nvidia")).stream().sorted().toList()) {
            out.add(kind.resolve("lib"));
        }
    }

    private static List<Path> list(Path folder) {
        if (folder == null || !Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> s = Files.list(folder)) {
            return s.toList();
        } catch (IOException e) {
            return List.of();
        }
    }
}
