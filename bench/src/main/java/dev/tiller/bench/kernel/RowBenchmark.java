package dev.tiller.bench.kernel;

import dev.tiller.kernels.Activation;
import dev.tiller.kernels.AttentionSpec;
import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Backends;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.KvPages;
import dev.tiller.kernels.Matrix;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.RopeTable;
import dev.tiller.kernels.Rows;
import dev.tiller.kernels.WeightFormat;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** Operations on single rows, all that a step does besides products and attention (the residual site has its own). */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 5, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 7, time = 500, timeUnit = TimeUnit.MILLISECONDS)
public class RowBenchmark {
    private static final int POSITIONS = 1024;

    /** Rows of argmax: more would need too much memory for logits, and no step asks for them. */
    private static final int MOST_LOGITS = 8;

    @Param("simd")
    public String backend;

    @Param
    public Shape shape;

    /** Rows T. */
    @Param({"1", "8", "512"})
    public int rows;

    @Param("0")
    public int threads;

    private Backend kernels;
    private Buffer x;
    private Buffer normed;
    private Norm norm;
    private Buffer qkv;
    private Rows where;
    private AttentionSpec spec;
    private RopeTable angles;
    private KvPages cache;
    private Buffer gateUp;
    private Buffer gated;
    private Buffer logits;
    private int[] largest;
    private Matrix table;
    private int[] ids;

    /** @param operation name of the method */
    static Work work(String operation, Map<String, String> params) {
        Shape s = Shape.valueOf(params.get("shape"));
        double t = Double.parseDouble(params.get("rows"));
        double q = (double) s.heads * Shape.HEAD;
        double g = (double) s.kvHeads * Shape.HEAD;
        return switch (operation) {
            case "norm" -> Work.onSameBuffers(8 * t * s.width + 4 * s.width, 4 * t * s.width);
            case "prepareAttention" -> Work.onSameBuffers(t * (8 * q + 16 * g), 3 * t * (q + g));
            case "gatedActivation" -> Work.onSameBuffers(12 * t * s.ffn, 6 * t * s.ffn);
            case "argmax" -> Work.onSameBuffers(4 * Math.min(t, MOST_LOGITS) * s.vocabulary, 0);
            case "embed" -> Work.onSameBuffers(6 * t * s.width, 0);
            default -> throw new IllegalArgumentException(operation);
        };
    }

    @Setup(Level.Trial)
    public void setUp() {
        kernels = Backends.open(backend, threads);
        int d = shape.width;
        x = kernels.buffer(rows, d, Inputs.values(rows * d));
        normed = kernels.buffer(rows, d);
        norm = new Norm(Norm.Kind.RMS, kernels.buffer(1, d, Inputs.values(d)), null, 1e-5f, 0);
        setUpAttention();
        gateUp = kernels.buffer(rows, 2 * shape.ffn, Inputs.values(rows * 2 * shape.ffn));
        gated = kernels.buffer(rows, shape.ffn);
        int texts = Math.min(rows, MOST_LOGITS);
        logits = kernels.buffer(texts, shape.vocabulary, Inputs.values(texts * shape.vocabulary));
        largest = new int[texts];
        table = kernels.matrix(List.of(Inputs.weight(8192, d)), WeightFormat.BF16);
        ids = new int[rows];
        Arrays.setAll(ids, t -> t * 7 % 8192);
    }

    private void setUpAttention() {
        int width = shape.qkv();
        qkv = kernels.buffer(rows, width, Inputs.values(rows * width));
        spec = new AttentionSpec(shape.heads, shape.kvHeads, Shape.HEAD, 0.125f, 0, 0);
        int half = Shape.HEAD / 2;
        float[] cos = new float[POSITIONS * half];
        float[] sin = new float[POSITIONS * half];
        for (int i = 0; i < cos.length; i++) {
            cos[i] = (float) Math.cos(i * 0.01);
            sin[i] = (float) Math.sin(i * 0.01);
        }
        angles = new RopeTable(half, cos, sin);
        cache = kernels.kvPages(1, shape.kvHeads, Shape.HEAD, WeightFormat.F32);
        int[] pages = new int[POSITIONS / KvPages.PAGE];
        Arrays.setAll(pages, i -> cache.allocate());
        int[] position = new int[rows];
        Arrays.setAll(position, t -> t);
        where = new Rows(rows, position, new int[rows], new int[][] {pages});
    }

    @Benchmark
    public Buffer norm() {
        kernels.norm(x, rows, norm, normed);
        return normed;
    }

    /** Rotation of queries and keys, and storing keys and values. */
    @Benchmark
    public Buffer prepareAttention() {
        kernels.prepareAttention(qkv, where, spec, null, angles, cache, 0);
        return qkv;
    }

    @Benchmark
    public Buffer gatedActivation() {
        kernels.gatedActivation(gateUp, rows, Activation.SILU, gated);
        return gated;
    }

    @Benchmark
    public int[] argmax() {
        kernels.argmax(logits, largest.length, largest);
        return largest;
    }

    /** From a table in bf16. */
    @Benchmark
    public Buffer embed() {
        kernels.embed(table, ids, rows, 1, normed);
        return normed;
    }

    @TearDown
    public void tearDown() {
        kernels.close();
    }
}
