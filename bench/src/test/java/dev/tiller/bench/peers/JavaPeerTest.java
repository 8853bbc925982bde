package dev.tiller.bench.peers;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.bench.Sample;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The figures that other engines in Java print, and jars that print them. */
class JavaPeerTest {
    private static final Shapes SHAPES = new Shapes(5, 16, 64, 8, 2);

    @TempDir
    Path folder;

    /** Prints a figure that depends on whether it was called as it must be. */
    public static final class Fake {
        private Fake() {}

        public static void main(String[] args) {
            String all = String.join(" ", args);
            if (all.startsWith("complete --temperature=0.0 --tokens=256 --threads=2 --prompt=the the the the the ")) {
                System.out.println("\n\n57 tokens/s (prompt), 18 tokens/s (gen)");
            } else if (all.contains("--prompt the the the the the ") && all.contains("--max-tokens 261")) {
                System.err.println("\ncontext: 80/2048 prompt: 47.70 tokens/s (5) generation: 30,30 tokens/s (64)");
            } else {
                System.out.println("called with " + all);
                System.exit(2);
            }
        }
    }

    private Path jar() throws IOException {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().put(Attributes.Name.MAIN_CLASS, Fake.class.getName());
        Path jar = folder.resolve("engine-1.2.jar");
        String entry = Fake.class.getName().replace('.', '/') + ".class";
        try (OutputStream out = Files.newOutputStream(jar);
                JarOutputStream zip = new JarOutputStream(out, manifest)) {
            zip.putNextEntry(new JarEntry(entry));
            zip.write(Fake.class.getResourceAsStream("/" + entry).readAllBytes());
        }
        return jar;
    }

    @Test
    void theirOwnFiguresAreTheRows() throws IOException {
        try (JavaPeer jlama = JavaPeer.jlama(jar(), Path.of("model"), "as stored", SHAPES);
                JavaPeer llama3 = JavaPeer.llama3(jar(), Path.of("m.gguf"), "q4_1", SHAPES)) {
            assertEquals(
                    List.of(new Sample("prefill", "as stored", 1, 57), new Sample("decode", "as stored", 1, 18)),
                    jlama.round());
            assertEquals(
                    List.of(new Sample("prefill", "q4_1", 1, 47.7), new Sample("decode", "q4_1", 1, 30.3)),
                    llama3.round());
            assertEquals("Jlama, engine-1.2.jar", jlama.name());
        }
    }

    @Test
    void anotherOutputIsAnErrorThatShowsIt() {
        try (JavaPeer llama3 = JavaPeer.llama3(Path.of("x.jar"), Path.of("m.gguf"), "q4_1", SHAPES)) {
            assertArrayEquals(new double[] {1, 2}, llama3.parse("prompt: 1 tokens/s (5) generation: 2 tokens/s (4)"));
            String message = assertThrows(TillerException.class, () -> llama3.parse("2.0 tokens/s (17)"))
                    .getMessage();
            assertTrue(message.contains("llama3.java, x.jar") && message.contains("2.0 tokens/s (17)"), message);
        }
    }
}
