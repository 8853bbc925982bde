package dev.tiller.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Collection;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/** The benchmark is found by JMH (its annotation processor ran) and runs with every kind of edit on every backend. */
class ResidualSiteBenchmarkTest {
    @ParameterizedTest
    @ValueSource(strings = {"scalar", "simd"})
    void runsUnderJmh(String backend) throws RunnerException {
        Collection<RunResult> results = new Runner(new OptionsBuilder()
                        .include(ResidualSiteBenchmark.class.getName())
                        .param("backend", backend)
                        .param("width", "576")
                        .param("rows", "3")
                        .forks(0)
                        .warmupIterations(0)
                        .measurementIterations(1)
                        .measurementTime(TimeValue.milliseconds(5))
                        .shouldFailOnError(true)
                        .verbosity(VerboseMode.SILENT)
                        .build())
                .run();
        assertEquals(ResidualSiteBenchmark.Edits.values().length, results.size());
        for (RunResult r : results) {
            assertTrue(r.getPrimaryResult().getScore() > 0, r::toString);
        }
    }
}
