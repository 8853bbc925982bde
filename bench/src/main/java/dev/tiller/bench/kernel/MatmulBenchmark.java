package dev.tiller.bench.kernel;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Backends;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.Matrix;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.loader.TensorView;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Rows times a weight matrix, as a step does it. Calls go through several matrices of the same shape in turn, so that
 * weights come from memory and not from a cache.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 5, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 7, time = 500, timeUnit = TimeUnit.MILLISECONDS)
public class MatmulBenchmark {
    /** Weights in memory: four times the largest cache of the processors at hand. */
    private static final long SET_BYTES = 128L << 20;

    @Param("simd")
    public String backend;

    @Param
    public Shape shape;

    @Param
    public Shape.Weight matrix;

    @Param
    public WeightFormat weights;

    /** Rows T: a token, a few sequences, a prompt. */
    @Param({"1", "8", "512"})
    public int rows;

    /** 0 for the default. */
    @Param("0")
    public int threads;

    private Backend kernels;
    private Matrix[] matrices;
    private Buffer x;
    private Buffer out;
    private int next;

    static Work work(Map<String, String> params) {
        Shape shape = Shape.valueOf(params.get("shape"));
        Shape.Weight weight = Shape.Weight.valueOf(params.get("matrix"));
        double rows = Double.parseDouble(params.get("rows"));
        int n = weight.outputs(shape);
        int k = weight.inputs(shape);
        double bytes = WeightFormat.valueOf(params.get("weights")).bytes(n, k);
        return new Work(bytes + 4 * rows * (n + k), 2 * rows * n * k, false);
    }

    @Setup
    public void setUp() {
        kernels = Backends.open(backend, threads);
        int n = matrix.outputs(shape);
        int k = matrix.inputs(shape);
        TensorView stored = Inputs.weight(n, k);
        matrices = new Matrix[Math.toIntExact(Math.ceilDiv(SET_BYTES, weights.bytes(n, k)))];
        for (int i = 0; i < matrices.length; i++) {
            matrices[i] = kernels.matrix(List.of(stored), weights);
        }
        x = kernels.buffer(rows, k, Inputs.values(rows * k));
        out = kernels.buffer(rows, n);
    }

    /** One product. */
    @Benchmark
    public Buffer matmul() {
        kernels.matmul(x, rows, matrices[next], null, out);
        next = (next + 1) % matrices.length;
        return out;
    }

    @TearDown
    public void tearDown() {
        kernels.close();
    }
}
