package dev.tiller.persona.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/** One run of the program inside the test's process. */
record CliRun(int code, String out, String err) {
    static CliRun of(String... args) {
        return withInput("", args);
    }

    static CliRun withInput(String input, String... args) {
        return withInput(input.getBytes(StandardCharsets.UTF_8), args);
    }

    static CliRun withInput(byte[] input, String... args) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int code = Main.run(Console.of(new ByteArrayInputStream(input), out, err), args);
        return new CliRun(code, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
    }

    /** The bundled model. */
    static Path microworld() {
        return dev.tiller.loader.SharedFiles.repository("models/microworld");
    }

    /** It worked; gives its standard output. */
    String ok() {
        assertEquals(0, code, err);
        return out;
    }

    /** Lines of standard output of a run that worked. */
    List<String> lines() {
        assertTrue(ok().isEmpty() || out.endsWith("\n"), out);
        return out.isEmpty()
                ? List.of()
                : List.of(out.substring(0, out.length() - 1).split("\n", -1));
    }

    /** It failed with one line on standard error that has all those words, and wrote nothing else. */
    void failsWith(String... words) {
        assertNotEquals(0, code, out);
        assertEquals("", out);
        assertEquals(1, err.lines().count(), err);
        assertTrue(err.startsWith("tiller: "), err);
        assertTrue(!err.contains("internal error"), err);
        for (String word : words) {
            assertTrue(err.contains(word), () -> "\"" + word + "\" is missing in: " + err);
        }
    }
}
