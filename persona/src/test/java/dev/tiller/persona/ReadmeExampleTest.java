package dev.tiller.persona;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.SharedFiles;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The Java program in README.md is taken out of it, compiled and run: what a stranger copies works. */
class ReadmeExampleTest {
    @TempDir
    Path temp;

    @Test
    void theProgramInTheReadmeRuns() throws Exception {
        String readme = Files.readString(SharedFiles.repository("README.md"));
        int from = readme.indexOf("```java\n") + "```java\n".length();
        String program = readme.substring(from, readme.indexOf("```", from))
                .replace(
                        "\"models/",
                        "\"" + SharedFiles.repository("models/").toString().replace('\\', '/') + "/");
        Path source = Files.writeString(temp.resolve("Steered.java"), program);

        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        assertNotNull(compiler, "tests run on a JDK");
        String classPath = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        int rc = compiler.run(
                null, null, null, "-d", temp.toString(), "-cp", classPath, "-Xlint:all", "-Werror", source.toString());
        assertEquals(0, rc, "compiles without a warning");

        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        PrintStream before = System.out;
        try (URLClassLoader loader = new URLClassLoader(new URL[] {temp.toUri().toURL()})) {
            System.setOut(new PrintStream(bytes, true, StandardCharsets.UTF_8));
            loader.loadClass("Steered").getMethod("main", String[].class).invoke(null, (Object) new String[0]);
        } finally {
            System.setOut(before);
        }
        List<String> lines = bytes.toString(StandardCharsets.UTF_8).lines().toList();
        // The README shows what it prints.
        for (String line : lines) {
            assertTrue(readme.contains(line), "the README does not show: " + line);
        }
        assertTrue(lines.size() >= 3, lines.toString());
    }
}
