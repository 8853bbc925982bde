package dev.tiller.bench.start;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.DataInputStream;
import java.io.IOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.Collections;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class NewerClassesTest {
    @TempDir
    private Path folder;

    /** Loading and linking verifies each class with its new stack maps. */
    @Test
    void everyClassOfTheCopyIsValidAndNew() throws Exception {
        Path jar = picocli();
        Path copy = folder.resolve("copy.jar");
        int old = versionsBelow50(jar);
        assertTrue(old > 100, "the library has old classes, else this is not needed any more: " + old);
        assertEquals(old, NewerClasses.copy(jar, copy));
        assertEquals(0, versionsBelow50(copy));
        int loaded = 0;
        try (URLClassLoader loader =
                        new URLClassLoader(new URL[] {copy.toUri().toURL()}, ClassLoader.getPlatformClassLoader());
                ZipFile zip = new ZipFile(copy.toFile())) {
            for (ZipEntry entry : Collections.list(zip.entries())) {
                String name = entry.getName();
                if (name.startsWith("picocli/") && name.endsWith(".class") && !name.contains("groovy")) {
                    String type =
                            name.substring(0, name.length() - ".class".length()).replace('/', '.');
                    Class<?> c = Class.forName(type, true, loader);
                    assertEquals(
                            copy.toUri().toURL(),
                            c.getProtectionDomain().getCodeSource().getLocation());
                    loaded++;
                }
            }
            assertNotSame(CommandLine.class, loader.loadClass(CommandLine.class.getName()));
        }
        assertTrue(loaded >= old, loaded + " of " + old);
    }

    @Test
    void whatIsNewAlreadyStaysAsItIs() throws Exception {
        Path once = folder.resolve("once.jar");
        Path twice = folder.resolve("twice.jar");
        NewerClasses.copy(picocli(), once);
        assertEquals(0, NewerClasses.copy(once, twice));
    }

    private static Path picocli() throws URISyntaxException {
        return Path.of(CommandLine.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .toURI());
    }

    private static int versionsBelow50(Path jar) throws IOException {
        int n = 0;
        try (ZipFile zip = new ZipFile(jar.toFile())) {
            for (ZipEntry entry : Collections.list(zip.entries())) {
                if (entry.getName().endsWith(".class")) {
                    try (DataInputStream in = new DataInputStream(zip.getInputStream(entry))) {
                        in.readInt();
                        in.readUnsignedShort();
                        n += in.readUnsignedShort() < 50 ? 1 : 0;
                    }
                }
            }
        }
        return n;
    }
}
