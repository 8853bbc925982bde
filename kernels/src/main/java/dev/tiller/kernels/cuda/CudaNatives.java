package dev.tiller.kernels.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Collectors;
import jcuda.LogLevel;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;

/**
 * Loads what JCuda needs, once for the process: the driver, cuBLAS, and JCuda's own native libraries, on hosts with CUDA
 * 12 and newer.
 *
 * <p>JCuda 12.6 was built against CUDA 12. Where another major version is found, copies of its natives are made that ask
 * for that version ({@link ElfLibrary}). JCuda takes a native from the folder for temporary files if it lies there: so
 * that property points to a private folder with the copies while JCuda's classes start, and is put back after. CUDA's
 * libraries are loaded by their paths first; the loader of the system then finds them by name, without
 * LD_LIBRARY_PATH.
 */
final class CudaNatives {
    private static final String JCUDA = "12.6.0";
    private static final String TEMPORARY = "java.io.tmpdir";

    /** What was loaded. */
    record Loaded(CudaLibraries libraries, Path driver, int driverVersion, Path cublas, int major) {}

    private static final int SHOWN_FOLDERS = 4;

    private static Loaded loaded;
    private static String obstacle;

    private CudaNatives() {}

    /**
     * Loads everything but NVRTC; the second and later calls give the outcome of the first, since a process can load a
     * library only once.
     *
     * @throws CudaUnavailable with the reason
     */
    static synchronized Loaded load() {
        if (obstacle == null && loaded == null) {
            try {
                loaded = loadOnce(CudaLibraries.ofSystem());
            } catch (CudaUnavailable e) {
                obstacle = e.getMessage();
                throw e;
            }
        }
        if (obstacle != null) {
            throw new CudaUnavailable(obstacle);
        }
        return loaded;
    }

    private static Loaded loadOnce(CudaLibraries libraries) {
        checkSystem(System.getProperty("os.name"), System.getProperty("os.arch"));
        Path driver = libraries.driver();
        startDriver(libraries, driver);
        int version = driverVersion();
        CudaLibraries.Found cublas = choose(libraries, version);
        loadBeside(cublas, "libcublasLt.so." + cublas.major());
        loadLibrary(cublas.file());
        startJCuda("JCublas2", "jcuda.jcublas.JCublas2", "libcublas.so.12", "libcublas.so." + cublas.major());
        JCublas2.setExceptionsEnabled(false);
        JCublas2.setLogLevel(LogLevel.LOG_QUIET);
        return new Loaded(libraries, driver, version, cublas.file(), cublas.major());
    }

    static void checkSystem(String os, String arch) {
        if (!os.equals("Linux") || !(arch.equals("amd64") || arch.equals("x86_64"))) {
            throw new CudaUnavailable("CUDA is supported on Linux for x86-64, and this is " + os + " for " + arch);
        }
    }

    // --- the driver ---

    private static void startDriver(CudaLibraries libraries, Path driver) {
        if (driver != null) {
            loadLibrary(driver);
        }
        try {
            startJCuda("JCudaDriver", "jcuda.driver.JCudaDriver", null, null);
        } catch (CudaUnavailable e) {
            if (driver == null && e.getMessage().contains("libcuda.so.1")) {
                throw new CudaUnavailable("no NVIDIA driver was found (libcuda.so.1, looked for in " + places(libraries)
                        + "); install the driver, or name its folder by -D" + CudaLibraries.PROPERTY);
            }
            throw e;
        }
        JCudaDriver.setExceptionsEnabled(false);
        JCudaDriver.setLogLevel(LogLevel.LOG_QUIET);
        int status = JCudaDriver.cuInit(0);
        if (status != CUresult.CUDA_SUCCESS) {
            throw new CudaUnavailable((driver == null ? "the NVIDIA driver" : "the NVIDIA driver " + driver)
                    + " finds no usable GPU: cuInit gives " + CudaStatus.describe(status));
        }
    }

    private static int driverVersion() {
        int[] version = new int[1];
        CudaStatus.check(JCudaDriver.cuDriverGetVersion(version), "cuDriverGetVersion");
        return version[0];
    }

    // --- cuBLAS ---

    /** The first cuBLAS that this driver can run. */
    private static CudaLibraries.Found choose(CudaLibraries libraries, int driverVersion) {
        return choose(libraries.versions("cublas"), driverVersion, places(libraries));
    }

    static CudaLibraries.Found choose(List<CudaLibraries.Found> found, int driverVersion, String places) {
        int newest = driverVersion / 1000;
        for (CudaLibraries.Found f : found) {
            if (f.major() >= CudaLibraries.OLDEST_MAJOR && f.major() <= newest) {
                return f;
            }
        }
        String driver = "the driver is for CUDA " + newest + "." + driverVersion % 1000 / 10;
        if (newest < CudaLibraries.OLDEST_MAJOR) {
            throw new CudaUnavailable(driver + " and CUDA " + CudaLibraries.OLDEST_MAJOR
                    + " or newer is needed; update the NVIDIA driver");
        }
        if (found.isEmpty()) {
            throw new CudaUnavailable(
                    "no cuBLAS was found (libcublas.so." + CudaLibraries.OLDEST_MAJOR + " to libcublas.so."
                            + newest + ", looked for in " + places
                            + "); install the CUDA toolkit or the Python package nvidia-cublas,"
                            + " or name its folder by -D" + CudaLibraries.PROPERTY);
        }
        String what = found.stream().map(f -> f.file().toString()).distinct().collect(Collectors.joining(", "));
        throw new CudaUnavailable("no cuBLAS that can be used was found: " + driver + " and runs cuBLAS "
                + CudaLibraries.OLDEST_MAJOR + (newest > CudaLibraries.OLDEST_MAJOR ? " to " + newest : "")
                + ", and there is only " + what + "; install another cuBLAS or update the NVIDIA driver");
    }

    private static String places(CudaLibraries libraries) {
        List<Path> folders = libraries.folders();
        if (folders.isEmpty()) {
            return "no folder, as none of the usual ones exists";
        }
        String some = folders.stream().limit(SHOWN_FOLDERS).map(Path::toString).collect(Collectors.joining(", "));
        int more = folders.size() - SHOWN_FOLDERS;
        return some + (more > 0 ? " and " + more + " more folders" : "");
    }

    // --- NVRTC, for kernels that are compiled at run time ---

    private static boolean nvrtcStarted;

    /**
     * Loads NVRTC and JCuda's native for it.
     *
     * @throws CudaUnavailable with the reason
     */
    static synchronized void loadNvrtc() {
        Loaded cuda = load();
        if (nvrtcStarted) {
            return;
        }
        CudaLibraries.Found nvrtc = cuda.libraries().versions("nvrtc").stream()
                .filter(f -> f.major() >= CudaLibraries.OLDEST_MAJOR && f.major() <= cuda.driverVersion() / 1000)
                .findFirst()
                .orElseThrow(() -> new CudaUnavailable(
                        "no NVRTC was found (libnvrtc.so, looked for in " + places(cuda.libraries()) + ")"));
        // NVRTC opens its builtins by their bare name, from a folder that the loader does not know.
        for (Path builtins : CudaLibraries.startingWith(nvrtc.beside(), "libnvrtc-builtins.so." + nvrtc.major())) {
            loadLibrary(builtins);
        }
        loadLibrary(nvrtc.file());
        startJCuda("JNvrtc", "jcuda.nvrtc.JNvrtc", "libnvrtc.so.12", "libnvrtc.so." + nvrtc.major());
        nvrtcStarted = true;
    }

    // --- loading ---

    private static void loadBeside(CudaLibraries.Found library, String companion) {
        for (Path file : CudaLibraries.startingWith(library.beside(), companion)) {
            if (file.getFileName().toString().equals(companion)) {
                loadLibrary(file);
            }
        }
    }

    @SuppressWarnings("restricted")
    private static void loadLibrary(Path file) {
        try {
            System.load(file.toRealPath().toString());
        } catch (IOException | LinkageError e) {
            throw new CudaUnavailable("cannot load " + file + ": " + oneLine(e), e);
        }
    }

    /**
     * Puts JCuda's native library, asking for another library where the names differ, into a private folder, and starts
     * the JCuda class that belongs to it.
     */
    private static void startJCuda(String name, String type, String from, String to) {
        String file = "lib" + name + "-" + JCUDA + "-linux-x86_64.so";
        byte[] content = resource(file);
        if (from != null && !from.equals(to) && new ElfLibrary(content).rename(from, to) == 0) {
            throw new CudaUnavailable("JCuda's native library " + file + " does not ask for " + from + " as it should");
        }
        Path folder = loadFromPrivateFolder(file, content);
        String temporary = System.getProperty(TEMPORARY);
        System.setProperty(TEMPORARY, folder.toString());
        try {
            Class.forName(type);
        } catch (ClassNotFoundException | LinkageError e) {
            throw new CudaUnavailable("cannot start JCuda's " + name + ": " + oneLine(e), e);
        } finally {
            System.setProperty(TEMPORARY, temporary);
        }
    }

    /** Loading it here first leaves a choice when a folder turns out to forbid it; JCuda's classes can start only once. */
    @SuppressWarnings("restricted")
    private static Path loadFromPrivateFolder(String file, byte[] content) {
        String name = "jcuda-" + JCUDA + "-" + hash(content);
        List<String> reasons = new ArrayList<>();
        for (var candidate : PrivateFolder.candidates(PrivateFolder.userCache(System.getenv()), name)) {
            try {
                Path folder = candidate.get();
                if (folder != null) {
                    System.load(PrivateFolder.put(folder, file, content).toString());
                    return folder;
                }
            } catch (IOException | RuntimeException | LinkageError e) {
                reasons.add(oneLine(e));
            }
        }
        throw new CudaUnavailable("cannot load JCuda's native library: " + String.join("; ", reasons));
    }

    private static byte[] resource(String file) {
        try (InputStream in = CudaNatives.class.getResourceAsStream("/lib/" + file)) {
            if (in == null) {
                throw new CudaUnavailable("JCuda's native library " + file + " is not on the class path"
                        + " (it comes with the jars jcuda-natives and jcublas-natives for linux-x86_64)");
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new CudaUnavailable("cannot read JCuda's native library " + file + ": " + oneLine(e), e);
        }
    }

    private static String hash(byte[] content) {
        return HexFormat.of().formatHex(CudaSources.sha256(content), 0, 6);
    }

    private static String oneLine(Throwable e) {
        String message = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        return message.strip().replaceAll("\\s*\\R\\s*", " ");
    }
}
