package dev.tiller.kernels.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The PTX in the resources is that of the sources, as far as can be said without nvcc. */
class PtxTest {
    private static final Path SOURCES = Path.of(System.getProperty("tiller.home"), "kernels", "src", "main", "cuda");
    private static final Pattern INCLUDE = Pattern.compile("(?m)^#include \"([a-z_0-9]+\\.cuh)\"");
    private static final Pattern ENTRY = Pattern.compile("__global__[^;{}#]*?\\b([a-z][a-z_0-9]*)\\s*\\(");

    static List<String> operations() throws IOException {
        try (Stream<Path> files = Files.list(SOURCES)) {
            List<String> names = files.map(f -> f.getFileName().toString())
                    .filter(n -> n.endsWith(".cu"))
                    .map(n -> n.substring(0, n.length() - ".cu".length()))
                    .sorted()
                    .toList();
            assertFalse(names.isEmpty(), "no sources in " + SOURCES);
            return names;
        }
    }

    private static String ptx(String operation) throws IOException {
        try (InputStream in = PtxTest.class.getResourceAsStream("/dev/tiller/kernels/cuda/" + operation + ".ptx")) {
            assertNotNull(in, operation + ".ptx is missing: run kernels/src/main/cuda/gen-ptx");
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    /** The source and the headers it reaches, in order of their names. */
    private static SortedSet<String> reached(String source) throws IOException {
        SortedSet<String> found = new TreeSet<>();
        reach(source, found);
        return found;
    }

    private static void reach(String file, SortedSet<String> found) throws IOException {
        if (found.add(file)) {
            for (Matcher m = INCLUDE.matcher(Files.readString(SOURCES.resolve(file))); m.find(); ) {
                reach(m.group(1), found);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("operations")
    void hashIsThatOfTheSources(String operation) throws IOException, NoSuchAlgorithmException {
        MessageDigest sha = MessageDigest.getInstance("SHA-256");
        for (String file : reached(operation + ".cu")) {
            sha.update(Files.readAllBytes(SOURCES.resolve(file)));
        }
        String expected = "// source-sha256: " + HexFormat.of().formatHex(sha.digest());
        String found = ptx(operation).lines().findFirst().orElse("");
        assertEquals(expected, found, operation + ".ptx is stale: run kernels/src/main/cuda/gen-ptx");
    }

    @ParameterizedTest
    @MethodSource("operations")
    void loadsOnOldDrivers(String operation) throws IOException {
        String text = ptx(operation);
        assertTrue(text.contains("\n.version 7.0\n"), operation + ".ptx: expected .version 7.0");
        assertTrue(text.contains("\n.target sm_80\n"), operation + ".ptx: expected .target sm_80");
    }

    /** Entries that the source names in full; those made by a macro for each number type go by the type's suffix. */
    @ParameterizedTest
    @MethodSource("operations")
    void entriesAreThere(String operation) throws IOException {
        String text = ptx(operation);
        String source = Files.readString(SOURCES.resolve(operation + ".cu"));
        assertTrue(text.contains(".visible .entry "), operation + ".ptx has no entry");
        for (Matcher m = ENTRY.matcher(source.replaceAll("__launch_bounds__\\([^)]*\\)", "")); m.find(); ) {
            String name = m.group(1);
            if (!name.equals("entry")) {
                assertTrue(text.contains(".visible .entry " + name + "("), operation + ".ptx: no entry " + name);
            }
        }
        for (Matcher m = Pattern.compile("\\b([a-z_0-9]+_)##suffix(##_naive)?(?!##)")
                        .matcher(source);
                m.find(); ) {
            String tail = m.group(2) == null ? "" : "_naive";
            for (String type : List.of("bf16", "f16")) {
                String name = m.group(1) + type + tail;
                assertTrue(text.contains(".visible .entry " + name + "("), operation + ".ptx: no entry " + name);
            }
        }
    }
}
