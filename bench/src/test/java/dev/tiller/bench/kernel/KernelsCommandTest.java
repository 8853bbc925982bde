package dev.tiller.bench.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.bench.Outcome;
import dev.tiller.kernels.WeightFormat;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

class KernelsCommandTest {
    /** Every benchmark is found by JMH with the parameters of its cases, and runs: one case of each kind. */
    @ParameterizedTest
    @ValueSource(strings = {"matmul bf16", "attention kv f32", "norm", "prepareAttention", "gatedActivation", "argmax"})
    void casesRunUnderJmh(String name) throws RunnerException {
        KernelCase c = KernelCase.all(true).stream()
                .filter(k -> k.name().equals(name))
                .findFirst()
                .orElseThrow();
        ChainedOptionsBuilder options = new OptionsBuilder()
                .include("^" + c.benchmark() + "$")
                .forks(0)
                .warmupIterations(0)
                .measurementIterations(1)
                .measurementTime(TimeValue.milliseconds(5))
                .shouldFailOnError(true)
                .verbosity(VerboseMode.SILENT);
        c.params().forEach(options::param);
        Collection<RunResult> results = new Runner(options.build()).run();
        assertEquals(1, results.size());
        assertTrue(results.iterator().next().getPrimaryResult().getScore() > 0);
    }

    @Test
    void everyFormatEveryShapeAndEveryOperationHasCases() {
        List<KernelCase> all = KernelCase.all(false);
        Set<String> names = new HashSet<>(all.stream().map(KernelCase::name).toList());
        for (WeightFormat format : WeightFormat.values()) {
            assertTrue(names.contains("matmul " + format.name().toLowerCase(Locale.ROOT)), names::toString);
        }
        assertTrue(
                names.containsAll(Set.of("attention kv f32", "attention kv bf16", "norm", "site", "argmax", "embed")),
                names::toString);
        for (KernelCase c : all) {
            assertTrue(c.work().bytes() > 0, c::toString);
        }
        assertEquals(
                all.size(),
                all.stream().map(c -> c.name() + c.shape()).distinct().count(),
                "names tell all cases apart");
    }

    @Test
    void workIsCountedFromTheShape() {
        Map<String, String> params = Map.of("shape", "QWEN25_05B", "matrix", "DOWN", "weights", "BF16", "rows", "8");
        Work w = MatmulBenchmark.work(params);
        assertEquals(896 * 4864 * 2 + 4.0 * 8 * (896 + 4864), w.bytes());
        assertEquals(2.0 * 8 * 896 * 4864, w.flops());
        assertEquals("memory", w.binding(50e9, 475e9));
        assertEquals("multiply-add", w.binding(50e9, 10e9));
        Work attention = AttentionBenchmark.work(
                Map.of("shape", "SMOLLM2_135M", "phase", "PREFILL", "context", "2048", "kv", "F32"));
        double pairs = 0;
        for (int p = 2048 - 512; p < 2048; p++) {
            pairs += p + 1;
        }
        assertEquals(4 * pairs * 9 * 64, attention.flops());
    }

    @Test
    void anUnknownCaseIsAnErrorAndTheListIsNot() {
        Outcome wrong = Outcome.of(List.of("bench", "kernels", "--only", "nothing like it"));
        assertEquals(1, wrong.code());
        assertTrue(wrong.err().contains("no case has a match"), wrong.err());
        Outcome bad = Outcome.of(List.of("bench", "kernels", "--only", "("));
        assertTrue(bad.err().contains("expected a regular expression"), bad.err());
        Outcome list = Outcome.of(List.of("bench", "kernels", "--quick", "--list"));
        assertEquals(0, list.code());
        assertTrue(list.out().contains("matmul q4: smollm2_135m, gate_up, rows 1\n"), list.out());
    }
}
