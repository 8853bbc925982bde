package dev.tiller.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.platform.launcher.core.LauncherConfig;
import org.junit.platform.launcher.core.LauncherFactory;

class RunTestsTest {
    // Not found by the build: their names do not end in Test.
    static class Passes {
        @Test
        void passes() {}

        @Test
        void isSkipped() {
            Assumptions.abort("no device");
        }
    }

    static class Fails {
        @Test
        void fails() {
            fail("as planned");
        }
    }

    static class CannotBeSetUp {
        @BeforeAll
        static void setUp() {
            throw new IllegalStateException("no set-up");
        }

        @Test
        void neverRuns() {}
    }

    static class AllSkipped {
        @Test
        void isSkipped() {
            Assumptions.abort("no device");
        }
    }

    private final StringWriter out = new StringWriter();

    private int run(Class<?>... classes) {
        List<String> names = List.of(classes).stream().map(Class::getName).toList();
        // Without the listener that counts skipped tests: those here are meant to be.
        LauncherConfig quiet = LauncherConfig.builder()
                .enableTestExecutionListenerAutoRegistration(false)
                .build();
        return RunTests.run(names, new PrintWriter(out, true), LauncherFactory.create(quiet));
    }

    @Test
    void whatPassesIsCounted() {
        assertEquals(0, run(Passes.class));
        assertTrue(out.toString().contains("1 tests ran, 0 failed, 1 skipped"), out.toString());
    }

    @Test
    void oneFailureFailsTheRunAndIsShown() {
        assertEquals(1, run(Passes.class, Fails.class));
        assertTrue(out.toString().contains("as planned"), out.toString());
        assertTrue(out.toString().contains("2 tests ran, 1 failed"), out.toString());
    }

    @Test
    void aClassThatCannotBeSetUpIsAFailure() {
        assertEquals(1, run(CannotBeSetUp.class));
        assertTrue(out.toString().contains("no set-up"), out.toString());
    }

    @Test
    void nothingThatRanIsNotAPass() {
        assertEquals(77, run(AllSkipped.class));
    }
}
