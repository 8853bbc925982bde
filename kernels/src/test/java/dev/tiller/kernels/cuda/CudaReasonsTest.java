package dev.tiller.kernels.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a user is told when CUDA cannot be used, and what makes it work; each in a process of its own. */
@Timeout(300)
class CudaReasonsTest {
    @TempDir
    Path root;

    private Path emulator;

    @BeforeEach
    void prepare() throws IOException {
        emulator = TestGpu.emulator();
        Files.setPosixFilePermissions(root, PosixFilePermissions.fromString("rwx------"));
        Files.createDirectory(root.resolve("home"));
        Files.setPosixFilePermissions(root.resolve("home"), PosixFilePermissions.fromString("rwx------"));
    }

    private Map<String, String> environment() {
        return Map.of("HOME", root.resolve("home").toString(), "PATH", "/usr/bin:/bin");
    }

    private Process start(String classPath, Map<String, String> environment, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                classPath));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().clear();
        builder.environment().putAll(environment());
        builder.environment().putAll(environment);
        return builder.start();
    }

    private static String output(Process process) throws IOException, InterruptedException {
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), text);
        assertTrue(text.contains("tmpdir: true"), "the folder for temporary files is put back: " + text);
        return text;
    }

    private String probe(Map<String, String> environment, String... arguments) throws Exception {
        List<String> all = new ArrayList<>(List.of(CudaProbe.class.getName()));
        all.addAll(List.of(arguments));
        return output(start(System.getProperty("java.class.path"), environment, all.toArray(String[]::new)));
    }

    private Map<String, String> emulated(String... more) {
        Map<String, String> out = new HashMap<>(Map.of("LD_LIBRARY_PATH", emulator.toString()));
        for (int i = 0; i < more.length; i += 2) {
            out.put(more[i], more[i + 1]);
        }
        return out;
    }

    private static void assertOpened(String text) {
        assertTrue(text.startsWith("opened: emulated GPU on the CPU, driver for CUDA 13.0, cuBLAS 13.1.1"), text);
    }

    private static void assertReason(String text, String... parts) {
        assertTrue(text.startsWith("unavailable: "), text);
        for (String part : parts) {
            assertTrue(text.lines().findFirst().orElseThrow().contains(part), "expected \"" + part + "\" in: " + text);
        }
        assertTrue(text.contains("again: true"), "the reason stays: " + text);
    }

    @Test
    void theLibraryPathIsEnough() throws Exception {
        assertOpened(probe(emulated()));
        try (Stream<Path> made = Files.walk(root.resolve("home/.cache/tiller"))) {
            List<String> files = made.filter(Files::isRegularFile)
                    .map(p -> p.getFileName().toString())
                    .sorted()
                    .toList();
            assertEquals(List.of("libJCublas2-12.6.0-linux-x86_64.so", "libJCudaDriver-12.6.0-linux-x86_64.so"), files);
        }
        assertOpened(probe(emulated()));
    }

    @Test
    void thePropertyIsEnoughWithoutAnyEnvironment() throws Exception {
        Process p = start(
                System.getProperty("java.class.path"),
                Map.of(),
                "-Dtiller.cuda.libraries=" + emulator.resolve("libcuda.so.1"),
                CudaProbe.class.getName());
        assertOpened(output(p));
    }

    @Test
    void aHomeThatCannotBeUsedIsDoneWithout() throws Exception {
        assertOpened(probe(emulated("XDG_CACHE_HOME", "/proc/nowhere")));
        Path open = Files.createDirectory(root.resolve("open"));
        Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
        assertOpened(probe(emulated("XDG_CACHE_HOME", open.toString())));
        try (Stream<Path> made = Files.walk(open)) {
            assertTrue(made.noneMatch(p -> p.toString().endsWith(".so")), "nothing is kept where others can write");
        }
    }

    @Test
    void plantedLibrariesAreNotLoaded() throws Exception {
        assertOpened(probe(emulated()));
        List<Path> natives;
        try (Stream<Path> made = Files.walk(root.resolve("home/.cache/tiller"))) {
            natives = made.filter(Files::isRegularFile).toList();
        }
        for (Path p : natives) {
            Files.write(p, Arrays.copyOf(Files.readAllBytes(p), 5000));
        }
        assertOpened(probe(emulated()));
    }

    @Test
    void manyProcessesStartAtOnce() throws Exception {
        List<Process> all = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            all.add(start(System.getProperty("java.class.path"), emulated(), CudaProbe.class.getName()));
        }
        for (Process p : all) {
            assertOpened(output(p));
        }
    }

    /** Where the processes look that are started here, besides what they are told. */
    private CudaLibraries usualPlaces() {
        return new CudaLibraries(CudaLibraries.folders(null, environment(), Path.of("/")));
    }

    @Test
    void noDriver() throws Exception {
        Assumptions.assumeTrue(usualPlaces().driver() == null, "this machine has an NVIDIA driver");
        Path empty = Files.createDirectory(root.resolve("empty"));
        assertReason(
                probe(Map.of("LD_LIBRARY_PATH", empty.toString())),
                "no NVIDIA driver was found (libcuda.so.1, looked for in " + empty + ", ");
    }

    @Test
    void aDriverWithoutDevice() throws Exception {
        assertReason(
                probe(emulated("FAKE_CUDA_DEVICES", "0")),
                "finds no usable GPU: cuInit gives CUDA_ERROR_NO_DEVICE (no CUDA-capable device is detected)");
    }

    @Test
    void aDeviceThatIsTooOld() throws Exception {
        assertReason(
                probe(emulated("FAKE_CUDA_CAPABILITY", "75")), "has compute capability 7.5 and 8.0 or newer is needed");
    }

    @Test
    void noCublas() throws Exception {
        Assumptions.assumeTrue(
                usualPlaces().versions("cublas").isEmpty(), "this machine has a cuBLAS in a usual place");
        Path driverOnly = Files.createDirectory(root.resolve("driver"));
        Files.copy(emulator.resolve("libcuda.so.1"), driverOnly.resolve("libcuda.so.1"));
        assertReason(
                probe(Map.of("LD_LIBRARY_PATH", driverOnly.toString())),
                "no cuBLAS was found (libcublas.so.12 to libcublas.so.13, looked for in " + driverOnly);
    }

    @Test
    void aLibraryThatCannotBeLoaded() throws Exception {
        Path broken = Files.createDirectory(root.resolve("broken"));
        Files.copy(emulator.resolve("libcuda.so.1"), broken.resolve("libcuda.so.1"));
        byte[] cublas = Files.readAllBytes(emulator.resolve("libcublas.so.13"));
        assertTrue(new ElfLibrary(cublas).rename("libcuda.so.1", "libnone.so.1") > 0);
        Files.write(broken.resolve("libcublas.so.13"), cublas);
        assertReason(
                probe(Map.of("LD_LIBRARY_PATH", broken.toString())),
                "cannot load " + broken.resolve("libcublas.so.13") + ": ",
                "libnone.so.1: cannot open shared object file");
    }

    @Test
    void nativesThatAreNotInTheJars() throws Exception {
        String without = Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(p -> !p.contains("jcublas-natives"))
                .collect(Collectors.joining(File.pathSeparator));
        assertReason(
                output(start(without, emulated(), CudaProbe.class.getName())),
                "libJCublas2-12.6.0-linux-x86_64.so is not on the class path");
    }

    @Test
    void memoryThatIsShort() throws Exception {
        String text = probe(emulated("FAKE_CUDA_MEMORY", "100000000"), "90000000");
        assertTrue(
                text.startsWith("failed: the GPU has not enough memory for the test: needed 90 MB, free 66 MB of 100 MB"
                        + " (33 MB in use by this program)"),
                text);
    }
}
