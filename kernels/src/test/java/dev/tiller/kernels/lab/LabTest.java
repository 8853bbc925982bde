package dev.tiller.kernels.lab;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Backends;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.scalar.ScalarBackend;
import dev.tiller.loader.TillerException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class LabTest {
    private static final Set<WeightFormat> ALL = EnumSet.copyOf(WeightFormat.PLAIN);

    static List<String> names() {
        return Operations.all().stream().map(Operation::name).toList();
    }

    private static List<Check.Fault> faults(Operation operation, Backend tested) {
        List<Check.Fault> faults = new ArrayList<>();
        Check.run(operation, tested, ALL, r -> {
            if (r.fault() != null) {
                faults.add(r.fault());
            }
        });
        return faults;
    }

    @ParameterizedTest
    @MethodSource("names")
    void theSimdBackendPasses(String name) {
        Operation operation = Operations.of(name);
        try (Backend simd = Backends.open("simd", 2)) {
            if (name.equals("sample")) {
                assertEquals(false, operation.offeredBy(simd));
                return;
            }
            assertEquals(List.of(), faults(operation, simd));
        }
    }

    /** An operation that does nothing, or something else, must not pass. */
    @ParameterizedTest
    @MethodSource("names")
    void anOperationThatDoesNothingFails(String name) {
        try (Backend idle = new Idle(new ScalarBackend("test"))) {
            assertTrue(!faults(Operations.of(name), idle).isEmpty());
        }
    }

    @Test
    void aFaultNamesTheFirstElementThatDiffers() {
        LabCase c = Operations.of("gather").cases().get(14);
        try (Backend oracle = new ScalarBackend("oracle");
                Backend idle = new Idle(new ScalarBackend("test"))) {
            assertNull(Check.compare(c, oracle, oracle));
            Check.Fault fault = Check.compare(c, idle, oracle);
            assertNotNull(fault);
            assertTrue(fault.toString().contains("out [0, 0]: expected"), fault.toString());
        }
    }

    @Test
    void unknownOperationsAreRefused() {
        TillerException e = assertThrows(TillerException.class, () -> Operations.of("softmax"));
        assertTrue(e.getMessage().contains("site, matmul"), e.getMessage());
    }

    private static final String DOUBLED = """
            import dev.tiller.kernels.*;
            public final class Doubled extends dev.tiller.kernels.lab.Variant {
                public Doubled(Backend base) { super(base); }
                @Override public void norm(Buffer x, int rows, Norm norm, Buffer out) {
                    float[] a = HeapBuffer.array(x);
                    base.norm(x, rows, norm, out);
                    if (rows == 7) { new Object() { void spoil() { HeapBuffer.array(out)[%d] += 1; } }.spoil(); }
                }
            }
            """;

    @Test
    void aVariantFromSourceIsJudged(@TempDir Path folder) throws Exception {
        Path source = folder.resolve("Doubled.java");
        Files.writeString(source, DOUBLED.formatted(0));
        try (Backend variant = VariantLoader.load(source, Operations.of("norm"), new ScalarBackend("base"))) {
            List<Check.Fault> faults = faults(Operations.of("norm"), variant);
            assertTrue(
                    !faults.isEmpty() && faults.stream().allMatch(f -> f.where().contains("7 rows")));
            assertTrue(faults(Operations.of("gated"), variant).isEmpty());
        }
    }

    @Test
    void brokenVariantsAreRefusedWithAReason(@TempDir Path folder) throws Exception {
        Path source = folder.resolve("Wrong.java");
        Files.writeString(source, "public class Wrong { int x = }");
        Path other = folder.resolve("Other.java");
        Files.writeString(other, "public class Other { }");
        Path junk = folder.resolve("Junk.class");
        Files.writeString(junk, "junk");
        Backend base = new ScalarBackend("base");
        refused("Wrong.java:1:", source, base);
        refused("expected a class that extends", other, base);
        Path idle = folder.resolve("Nothing.java");
        Files.writeString(
                idle,
                "public class Nothing extends dev.tiller.kernels.lab.Variant {"
                        + " public Nothing(dev.tiller.kernels.Backend base) { super(base); } }");
        refused("expected a class that overrides norm", idle, base);
        refused("expected a class file", junk, base);
        refused("cannot be read", folder.resolve("Missing.class"), base);
    }

    private static void refused(String message, Path file, Backend base) {
        TillerException e =
                assertThrows(TillerException.class, () -> VariantLoader.load(file, Operations.of("norm"), base));
        assertTrue(e.getMessage().contains(message), e.getMessage());
    }

    /** Small seeds must not all give the same shape. */
    @ParameterizedTest
    @MethodSource("names")
    void casesVary(String name) {
        List<String> rows = Operations.of(name).cases().stream()
                .map(c -> c.name().replaceAll("\\D+", " ").strip().split(" ")[0])
                .distinct()
                .toList();
        assertTrue(rows.size() >= 3, rows.toString());
    }

    @Test
    void aCallIsTimed() {
        Operation site = Operations.of("site");
        try (Backend simd = Backends.open("simd", 1)) {
            Stopwatch watch = new Stopwatch(site, site.benchmark().at(new int[] {1, 64, 1}, WeightFormat.F32), simd);
            watch.warmUp(0.01);
            assertTrue(watch.sample() > 0);
        }
    }
}
