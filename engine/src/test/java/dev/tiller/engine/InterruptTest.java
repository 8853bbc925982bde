package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.SharedFiles;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** An interrupt ends a run between two steps, and leaves a model that works as before. */
class InterruptTest {
    private static Model model;

    @BeforeAll
    static void load() {
        model = Model.load(SharedFiles.repository("models/microworld"), new LoadOptions("simd", 4, null));
    }

    @AfterAll
    static void close() {
        model.close();
    }

    @AfterEach
    void nothingIsLeft() {
        assertFalse(Thread.interrupted());
        assertEquals(0, model.cache().pagesInUse());
    }

    @Test
    void endsAGenerationAtTheNextStep() {
        List<GenerationRequest> requests = GeneratorTest.mixed(model, 8, 5);
        List<Generation> whole = model.generate(requests);
        AtomicInteger tokens = new AtomicInteger();
        TokenSink sink = (request, id, text, projections) -> {
            if (tokens.incrementAndGet() == 20) {
                Thread.currentThread().interrupt();
            }
            return true;
        };
        assertThrows(StoppedException.class, () -> new Generator(model, List.of(), sink).run(requests));
        assertTrue(Thread.interrupted(), "the thread stays interrupted");
        assertTrue(tokens.get() < 20 + requests.size(), "the step under way is the last one");
        assertSame(whole, model.generate(requests));
    }

    @Test
    void ofAThreadThatIsInterruptedAlreadyNothingRuns() {
        Thread.currentThread().interrupt();
        assertThrows(
                StoppedException.class,
                () -> model.generate(GenerationRequest.greedy(GeneratorTest.prompt(model, 1), 3)));
        assertThrows(
                StoppedException.class, () -> model.residuals(GeneratorTest.prompt(model, 1), 2, SteeringPlan.NONE));
        assertTrue(Thread.interrupted());
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void mayComeFromOutsideAtAnyTime(long seed) throws InterruptedException {
        List<GenerationRequest> requests = GeneratorTest.mixed(model, 6, seed);
        List<Generation> whole = model.generate(requests);
        Random random = new Random(seed);
        for (int round = 0; round < 20; round++) {
            Throwable[] end = new Throwable[1];
            Object[] result = new Object[1];
            Thread runner = new Thread(() -> {
                try {
                    result[0] = model.generate(requests);
                } catch (Throwable e) {
                    end[0] = e;
                }
            });
            runner.start();
            LockSupport.parkNanos(random.nextInt(30_000_000));
            runner.interrupt();
            runner.join();
            assertTrue(result[0] != null || end[0] instanceof StoppedException, String.valueOf(end[0]));
            assertEquals(0, model.cache().pagesInUse());
        }
        assertSame(whole, model.generate(requests));
    }

    private static void assertSame(List<Generation> expected, List<Generation> found) {
        for (int i = 0; i < expected.size(); i++) {
            assertArrayEquals(expected.get(i).ids(), found.get(i).ids());
        }
    }
}
