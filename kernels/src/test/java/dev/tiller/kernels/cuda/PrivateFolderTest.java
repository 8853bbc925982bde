package dev.tiller.kernels.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

@EnabledOnOs(value = OS.LINUX, disabledReason = "CUDA is supported on Linux only")
class PrivateFolderTest {
    @TempDir
    Path root;

    private Path cache;

    @BeforeEach
    void makeCache() throws IOException {
        mode(root, "rwx------");
        cache = Files.createDirectory(root.resolve("cache"));
        mode(cache, "rwx------");
    }

    private static void mode(Path p, String mode) throws IOException {
        Files.setPosixFilePermissions(p, PosixFilePermissions.fromString(mode));
    }

    private static String mode(Path p) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(p));
    }

    @Test
    void isMadeForTheOwnerAloneAndFoundAgain() throws IOException {
        Path folder = PrivateFolder.in(cache, "jcuda");
        assertEquals("rwx------", mode(folder));
        assertEquals(folder, PrivateFolder.in(cache, "jcuda"));
        assertEquals(cache.toRealPath().resolve("tiller/jcuda"), folder);
    }

    @Test
    void isMadeWithTheCacheThatDoesNotExistYet() throws IOException {
        Path folder = PrivateFolder.in(root.resolve("home/.cache"), "jcuda");
        assertNotNull(folder);
        assertEquals("rwx------", mode(root.resolve("home/.cache/tiller")));
    }

    @Test
    void isNotTakenWhenOpenToOthers() throws IOException {
        Path folder = PrivateFolder.in(cache, "jcuda");
        for (String open : List.of("rwxrwx---", "rwx---rwx", "rwxr-xr-x")) {
            mode(folder, open);
            assertNull(PrivateFolder.in(cache, "jcuda"), open);
        }
        mode(folder, "rwx------");
        assertNotNull(PrivateFolder.in(cache, "jcuda"));
        for (String open : List.of("rwxrwx---", "rwx----w-")) {
            mode(cache, open);
            assertNull(PrivateFolder.in(cache, "jcuda"), "a folder above it is " + open);
        }
    }

    @Test
    void isNotTakenWhenItIsALink() throws IOException {
        Path elsewhere = Files.createDirectory(root.resolve("elsewhere"));
        mode(elsewhere, "rwx------");
        Files.createDirectories(cache.resolve("tiller"));
        Files.createSymbolicLink(cache.resolve("tiller/jcuda"), elsewhere);
        assertNull(PrivateFolder.in(cache, "jcuda"));
    }

    @Test
    void isNotTakenWhereNothingCanBeWritten() throws IOException {
        Path file = Files.writeString(root.resolve("file"), "");
        assertNull(PrivateFolder.in(file, "jcuda"));
        assertNull(PrivateFolder.in(Path.of("/proc/tiller-test"), "jcuda"));
        assertNull(PrivateFolder.in(null, "jcuda"));
    }

    @Test
    void aTemporaryFolderTakesItsPlace() throws IOException {
        Path folder = PrivateFolder.temporary("test");
        assertEquals("rwx------", mode(folder));
        assertTrue(PrivateFolder.isPrivate(folder));
        assertFalse(folder.equals(PrivateFolder.temporary("test")));
        Path second = PrivateFolder.candidates(null, "test").get(1).get();
        assertTrue(Files.isDirectory(second));
    }

    @Test
    void plantedAndHalfWrittenFilesAreReplaced() throws IOException {
        Path folder = PrivateFolder.in(cache, "jcuda");
        byte[] content = "the library".getBytes();
        Path file = PrivateFolder.put(folder, "lib.so", content);
        assertArrayEquals(content, Files.readAllBytes(file));
        Object key = Files.readAttributes(file, BasicFileAttributes.class).fileKey();
        PrivateFolder.put(folder, "lib.so", content);
        assertEquals(
                key,
                Files.readAttributes(file, BasicFileAttributes.class).fileKey(),
                "what is right is not written again");

        Files.writeString(file, "the lib");
        assertArrayEquals(content, Files.readAllBytes(PrivateFolder.put(folder, "lib.so", content)), "half-written");
        Files.writeString(file, "THE LIBRARY");
        assertArrayEquals(content, Files.readAllBytes(PrivateFolder.put(folder, "lib.so", content)), "planted");

        Path victim = Files.write(root.resolve("victim"), content);
        Files.delete(file);
        Files.createSymbolicLink(file, victim);
        PrivateFolder.put(folder, "lib.so", content);
        assertFalse(Files.isSymbolicLink(file), "a link could be pointed elsewhere after the check");
        mode(file, "rw-rw-rw-");
        PrivateFolder.put(folder, "lib.so", content);
        assertEquals("rw-------", mode(file), "others could have written to it");
        try (Stream<Path> files = Files.list(folder)) {
            assertEquals(1, files.count(), "nothing is left over");
        }
    }

    @Test
    void manyThreadsPutTheSameFile() throws Exception {
        Path folder = PrivateFolder.in(cache, "jcuda");
        byte[] content = new byte[1 << 20];
        Arrays.fill(content, (byte) 7);
        List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 8; t++) {
            threads.add(Thread.ofPlatform().start(() -> {
                try {
                    for (int i = 0; i < 10; i++) {
                        Path f = PrivateFolder.put(folder, "lib.so", content);
                        assertArrayEquals(content, Files.readAllBytes(f));
                    }
                } catch (Throwable e) {
                    failures.add(e);
                }
            }));
        }
        for (Thread t : threads) {
            t.join();
        }
        assertEquals(List.of(), failures);
    }

    @Test
    void theEnvironmentNamesTheCache() {
        assertEquals(Path.of("/x/y"), PrivateFolder.userCache(Map.of("XDG_CACHE_HOME", "/x/y", "HOME", "/h")));
        assertEquals(Path.of("/h/.cache"), PrivateFolder.userCache(Map.of("XDG_CACHE_HOME", "relative", "HOME", "/h")));
        assertEquals(Path.of("/h/.cache"), PrivateFolder.userCache(Map.of("HOME", "/h")));
        assertNull(PrivateFolder.userCache(Map.of("HOME", "")));
    }
}
