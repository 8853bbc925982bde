package dev.tiller.bench.start;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Which Java the program's script takes and what it gives it, with programs that only show their arguments. */
@DisabledOnOs(OS.WINDOWS)
class LaunchScriptTest {
    private static final String ARCHIVE = "-XX:AOTCache=";
    private static final String MODULE = "--add-modules=jdk.incubator.vector";

    @TempDir
    private Path folder;

    private Path target;

    private record Run(int code, String out, String err) {}

    /** A tree that looks as if it had been built. */
    @BeforeEach
    void copyScript() throws IOException {
        Path script = Path.of("..", "tiller");
        target = folder.resolve("home/bench/target");
        Files.createDirectories(target.resolve("lib"));
        Files.copy(script, folder.resolve("home/tiller"), StandardCopyOption.COPY_ATTRIBUTES);
        for (String jar : List.of("lib/loader", "lib/kernels", "lib/engine", "lib/persona", "bench")) {
            Files.createFile(target.resolve(jar + "-1.jar"));
        }
        Files.createFile(target.resolve("tiller-built"));
    }

    /** @param version what its file says, or null for no such file */
    private Path jdk(String name, String version) throws IOException {
        Path jdk = folder.resolve(name);
        Files.createDirectories(jdk.resolve("bin"));
        String shows = "#!/bin/sh\nif [ \"$1\" = -version ]; then echo 'openjdk version \"25.0.1\"' >&2; exit; fi\n"
                + "for a in \"$@\"; do echo \"$a\"; done\n";
        for (String program : List.of("java", "javac")) {
            Path file = Files.writeString(jdk.resolve("bin").resolve(program), shows);
            assertTrue(file.toFile().setExecutable(true));
        }
        if (version != null) {
            Files.writeString(jdk.resolve("release"), "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"" + version + "\"\n");
        }
        return jdk;
    }

    private Run tiller(Path java, String... arguments) throws IOException, InterruptedException {
        Path out = folder.resolve("out");
        Path err = folder.resolve("err");
        ProcessBuilder builder = new ProcessBuilder(
                        folder.resolve("home/tiller").toString())
                .redirectInput(ProcessBuilder.Redirect.from(
                        Files.writeString(folder.resolve("in"), "").toFile()))
                .redirectOutput(out.toFile())
                .redirectError(err.toFile());
        builder.command().addAll(List.of(arguments));
        builder.environment().put("TILLER_JAVA", java.toString());
        builder.environment().remove("TILLER_JAVA_OPTS");
        Process process = builder.start();
        assertTrue(process.waitFor(60, TimeUnit.SECONDS), "ends");
        return new Run(
                process.exitValue(),
                Files.readString(out, StandardCharsets.UTF_8),
                Files.readString(err, StandardCharsets.UTF_8));
    }

    private void refused(Path java) throws IOException, InterruptedException {
        Run run = tiller(java);
        assertEquals(1, run.code, run.out);
        assertEquals("tiller: TILLER_JAVA=" + java + " is not a JDK 25\n", run.err);
    }

    private String accepted(Path java) throws IOException, InterruptedException {
        Run run = tiller(java, "generate", "--prompt", "two words");
        assertEquals(0, run.code, run.err);
        assertEquals("", run.err);
        assertTrue(run.out.endsWith("\ndev.tiller.persona.cli.Main\ngenerate\n--prompt\ntwo words\n"), run.out);
        return run.out;
    }

    @Test
    void whatIsNoJdk25IsRefused() throws Exception {
        refused(folder.resolve("nowhere"));
        refused(jdk("seventeen", "17.0.9"));
        refused(jdk("two", "2"));
        refused(jdk("hundreds", "250"));
        Path runtime = jdk("runtime", "25.0.1");
        Files.delete(runtime.resolve("bin/javac"));
        refused(runtime);
    }

    @Test
    void aJdk25IsAccepted() throws Exception {
        accepted(jdk("first", "25"));
        Path later = jdk("later", "25.0.3");
        accepted(later);
        accepted(later.resolve("bin/java"));
        accepted(jdk("early", "25-ea"));
        accepted(jdk("silent", null));
    }

    /** As the script leaves it after a build. */
    private void prepare(Path jdk) throws IOException {
        Files.writeString(target.resolve("tiller.aot"), "archive");
        Files.writeString(target.resolve("vectors.jar"), "classes");
        Files.writeString(target.resolve("tiller.aot.jdk"), jdk + "\n" + Files.readString(jdk.resolve("release")));
    }

    private void assertPlain(String arguments) {
        assertFalse(arguments.contains(ARCHIVE), arguments);
        assertFalse(arguments.contains("vectors.jar"), arguments);
        assertFalse(arguments.contains("rehearsed"), arguments);
        assertTrue(arguments.contains(MODULE), arguments);
    }

    @Test
    void theArchiveIsUsedOnlyWholeAndWithItsJdk() throws Exception {
        Path jdk = jdk("own", "25.0.3");
        assertPlain(accepted(jdk));
        prepare(jdk);
        String arguments = accepted(jdk);
        assertTrue(arguments.contains(ARCHIVE + target.toRealPath().resolve("tiller.aot")), arguments);
        assertTrue(arguments.contains("-Xbootclasspath/a:" + target.toRealPath().resolve("vectors.jar")), arguments);
        assertTrue(arguments.contains("-Dtiller.rehearsed=true"), arguments);
        assertFalse(arguments.contains(MODULE), arguments);
        assertPlain(accepted(jdk("other", "25.0.3")));
        for (String part : List.of("vectors.jar", "tiller.aot", "tiller.aot.jdk")) {
            Files.delete(target.resolve(part));
            assertPlain(accepted(jdk));
            Files.createFile(target.resolve(part)); // as a full disk would leave it
            assertPlain(accepted(jdk));
            prepare(jdk);
        }
        Files.writeString(jdk.resolve("release"), "JAVA_VERSION=\"25.0.4\"\n");
        assertPlain(accepted(jdk));
    }
}
