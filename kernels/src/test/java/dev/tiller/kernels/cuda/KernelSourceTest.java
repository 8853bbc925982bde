package dev.tiller.kernels.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** The kernels themselves, run on the CPU by the SIMT header: see kernels/src/test/cuda. */
class KernelSourceTest {
    private static final Path TESTS = Path.of(System.getProperty("tiller.home"), "kernels", "src", "test", "cuda");

    private static String output(int expected, String... command) throws IOException, InterruptedException {
        Process process = builder(command).start();
        String text;
        try (InputStream in = process.getInputStream()) {
            text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
        assertEquals(expected, process.waitFor(), String.join(" ", command) + "\n" + text);
        return text;
    }

    /** With one order of threads besides the plain one, two for planted faults; the nightly build tries three. */
    private static ProcessBuilder builder(String... command) {
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        if (!Boolean.getBoolean("tiller.nightly")) {
            builder.environment().put("SEEDS", command[0].endsWith("mutants") ? "1 2" : "1");
        }
        return builder;
    }

    private static void needsCompiler() throws InterruptedException {
        try {
            output(0, "g++", "--version");
        } catch (IOException e) {
            Assumptions.abort("g++ is not installed: the CUDA kernels were not run on the CPU");
        }
    }

    @Test
    void kernelsAgreeWithTheirOracles() throws IOException, InterruptedException {
        needsCompiler();
        String text = output(0, TESTS.resolve("run").toString());
        assertTrue(text.endsWith("all kernel tests passed\n"), text);
    }

    /** Some of the planted faults; all of them with -Dtiller.nightly=true, which the profile nightly sets. */
    @Test
    void testsNoticeFaults() throws IOException, InterruptedException {
        needsCompiler();
        String mutants = TESTS.resolve("mutants").toString();
        String text = Boolean.getBoolean("tiller.nightly") ? output(0, mutants) : output(0, mutants, "--few");
        assertTrue(text.matches("(?s).*\\n(\\d+) of \\1 mutants killed\\n"), text);
    }
}
