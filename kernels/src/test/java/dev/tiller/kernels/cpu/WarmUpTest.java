package dev.tiller.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.kernels.Activation;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.scalar.ScalarBackend;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class WarmUpTest {
    @Test
    void endsWithEveryFormatAndWithNone() {
        for (EnumSet<WeightFormat> formats :
                List.of(EnumSet.allOf(WeightFormat.class), EnumSet.noneOf(WeightFormat.class))) {
            try (SimdBackend b = new SimdBackend(2)) {
                WarmUp warmUp = WarmUp.start(b);
                warmUp.formats(new WarmUp.Formats(formats, formats));
                warmUp.await();
                warmUp.await();
                warmUp.stop();
            }
        }
        assertTrue(alive().isEmpty() || joined(), "its threads end");
    }

    /** What throws in its threads only makes the start slow. */
    @Test
    void smallestOperandsAreAcceptedInEveryFormat() {
        EnumSet<WeightFormat> formats = EnumSet.allOf(WeightFormat.class);
        try (SimdBackend b = SimdBackend.small()) {
            for (boolean matmuls : new boolean[] {true, false}) {
                assertDoesNotThrow(() -> WarmUp.NONE.firstCalls(b, new WarmUp.Formats(formats, formats), matmuls));
            }
        }
    }

    @Test
    void operationsOfEveryFamilyAreAccepted() {
        WarmUp.Formats none = new WarmUp.Formats(Set.of(), Set.of());
        try (SimdBackend b = SimdBackend.small()) {
            for (Norm.Kind norm : Norm.Kind.values()) {
                for (Activation activation : Activation.values()) {
                    for (boolean gated : new boolean[] {true, false}) {
                        WarmUp.Kinds kinds = new WarmUp.Kinds(norm, activation, gated, !gated);
                        assertDoesNotThrow(
                                () -> WarmUp.NONE.firstCalls(b, none.with(kinds), true), () -> String.valueOf(kinds));
                    }
                }
            }
        }
    }

    @Test
    void isNotForOtherBackends() {
        WarmUp.begin();
        assertSame(WarmUp.NONE, WarmUp.start(new ScalarBackend("test")));
        assertTrue(joined(), "what was begun ends");
    }

    private static List<Thread> alive() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(t -> t.getName().startsWith("tiller-warm-up"))
                .toList();
    }

    private static boolean joined() {
        try {
            for (Thread t : alive()) {
                t.join();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
        return true;
    }
}
