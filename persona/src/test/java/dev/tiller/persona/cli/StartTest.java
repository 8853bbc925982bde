package dev.tiller.persona.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What makes a start quick must not change what comes, nor stand in its way: each run is a process of its own. */
class StartTest {
    private static final String FROM_CACHE = "weights from the cache";

    @TempDir
    private Path folder;

    private record Run(int code, String out, String err) {}

    private static final class Started {
        private final Process process;
        private final Path out;
        private final Path err;

        Started(Path folder, List<String> javaOptions, String... arguments) throws IOException {
            out = Files.createTempFile(folder, "run", ".out");
            err = Files.createTempFile(folder, "run", ".err");
            List<String> command = new ArrayList<>();
            command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
            command.addAll(List.of("--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"));
            command.add("-Dtiller.home=" + CliRun.microworld().resolve("../..").normalize());
            command.addAll(javaOptions);
            command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
            command.addAll(List.of(arguments));
            ProcessBuilder builder =
                    new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile());
            builder.environment().put("TILLER_CACHE", folder.resolve("cache").toString());
            process = builder.start();
        }

        Run end() throws IOException, InterruptedException {
            int code = process.waitFor();
            return new Run(
                    code, Files.readString(out, StandardCharsets.UTF_8), Files.readString(err, StandardCharsets.UTF_8));
        }
    }

    private Run tiller(List<String> javaOptions, String... arguments) throws IOException, InterruptedException {
        Run run = new Started(folder, javaOptions, arguments).end();
        assertEquals(0, run.code, run.err);
        return run;
    }

    private Run generate(List<String> javaOptions, String... more) throws IOException, InterruptedException {
        List<String> arguments = new ArrayList<>(List.of("generate", "--backend", "simd", "--json"));
        arguments.addAll(List.of("--max-tokens", "24", "--temperature", "0.9", "--seed", "5"));
        arguments.addAll(List.of("--prompt", "Will my plan work?"));
        arguments.addAll(List.of(more));
        return tiller(javaOptions, arguments.toArray(String[]::new));
    }

    @Test
    void neitherWarmUpNorCacheChangesTheTokens() throws IOException, InterruptedException {
        String cold = generate(List.of("-Dtiller.warmup=false")).out;
        assertTrue(cold.contains("\"ids\""), cold);
        assertEquals(cold, generate(List.of()).out, "warm");
        tiller(List.of(), "cache", "add");
        Run cached = generate(List.of());
        assertTrue(cached.err.contains(FROM_CACHE), cached.err);
        assertEquals(cold, cached.out);
        Run anew = generate(List.of(), "--no-cache");
        assertFalse(anew.err.contains(FROM_CACHE), anew.err);
        assertEquals(cold, anew.out);
    }

    @Test
    void theCacheThroughTheCommandLine() throws IOException, InterruptedException {
        Path weights = folder.resolve("cache").resolve("weights");
        assertEquals(weights.toString(), tiller(List.of(), "cache", "path").out.strip());
        assertTrue(tiller(List.of(), "cache").out.startsWith("0 files"));
        Path file =
                Path.of(tiller(List.of(), "cache", "add", "--weights", "q8").out.strip());
        assertTrue(Files.isRegularFile(file) && file.startsWith(weights), file.toString());
        String list = tiller(List.of(), "cache", "list").out;
        assertTrue(list.contains("q8") && list.contains("microworld") && list.contains("1 file,"), list);
        assertTrue(tiller(List.of(), "cache", "clear").out.startsWith("deleted "));
        assertFalse(Files.exists(file));
    }

    @Test
    void processesThatWriteTheSameFileDoNotDisturbEachOther() throws IOException, InterruptedException {
        String expected = generate(List.of(), "--no-cache").out;
        List<Started> writers = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            writers.add(new Started(folder, List.of(), "cache", "add"));
        }
        assertEquals(expected, generate(List.of()).out, "while they write");
        for (Started writer : writers) {
            Run run = writer.end();
            assertEquals(0, run.code, run.err);
        }
        try (Stream<Path> files = Files.list(folder.resolve("cache").resolve("weights"))) {
            assertEquals(1, files.count(), "one file and nothing half written");
        }
        Run cached = generate(List.of());
        assertTrue(cached.err.contains(FROM_CACHE), cached.err);
        assertEquals(expected, cached.out);
    }

    @Test
    void aCacheThatCannotBeWrittenToIsRead() throws IOException, InterruptedException {
        Path file = Path.of(tiller(List.of(), "cache", "add").out.strip());
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("r--r--r--"));
        Files.setPosixFilePermissions(file.getParent(), PosixFilePermissions.fromString("r-xr-xr-x"));
        try {
            assertTrue(generate(List.of()).err.contains(FROM_CACHE));
        } finally {
            Files.setPosixFilePermissions(file.getParent(), PosixFilePermissions.fromString("rwxr-xr-x"));
        }
    }

    @Test
    void anUnusableFileOfClassesIsNoObstacle() throws IOException, InterruptedException {
        Path classes = Files.writeString(folder.resolve("tiller.jsa"), "not classes");
        Run run = generate(List.of("-XX:SharedArchiveFile=" + classes, "-Xlog:aot=off", "-Xlog:cds=off"));
        assertEquals(generate(List.of()).out, run.out);
    }
}
