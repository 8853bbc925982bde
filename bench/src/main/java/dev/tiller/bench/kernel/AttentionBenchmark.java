package dev.tiller.bench.kernel;

import dev.tiller.kernels.AttentionSpec;
import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Backends;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.KvPages;
import dev.tiller.kernels.Rows;
import dev.tiller.kernels.WeightFormat;
import java.util.Arrays;
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

/** Attention of one block over its cache; calls go through the blocks in turn, as a step does. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 5, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 7, time = 500, timeUnit = TimeUnit.MILLISECONDS)
public class AttentionBenchmark {
    /** Rows of a prompt's chunk. */
    private static final int CHUNK = 512;

    /** What the rows of the call are. */
    public enum Phase {
        /** The next token of one sequence. */
        DECODE(1, 1),
        /** The next tokens of eight sequences. */
        DECODE_8(8, 1),
        /** The last 512 positions of a prompt. */
        PREFILL(1, CHUNK);

        final int sequences;
        final int rows;

        Phase(int sequences, int rows) {
            this.sequences = sequences;
            this.rows = rows;
        }
    }

    @Param("simd")
    public String backend;

    @Param
    public Shape shape;

    @Param
    public Phase phase;

    /** Positions of each sequence, the row's own included. */
    @Param({"512", "2048"})
    public int context;

    /** Format of keys and values. */
    @Param({"F32", "BF16"})
    public WeightFormat kv;

    @Param("0")
    public int threads;

    private Backend kernels;
    private AttentionSpec spec;
    private KvPages cache;
    private Rows rows;
    private Buffer queries;
    private Buffer out;
    private int block;

    static Work work(Map<String, String> params) {
        Shape s = Shape.valueOf(params.get("shape"));
        Phase phase = Phase.valueOf(params.get("phase"));
        double context = Double.parseDouble(params.get("context"));
        double stored = 2.0
                * s.kvHeads
                * Shape.HEAD
                * WeightFormat.valueOf(params.get("kv")).bytes();
        double queries = (double) phase.sequences * phase.rows * s.heads * Shape.HEAD;
        double seen = context - (phase.rows - 1) / 2.0;
        return new Work(phase.sequences * context * stored + 8 * queries, 4 * queries * seen, false);
    }

    @Setup
    public void setUp() {
        kernels = Backends.open(backend, threads);
        float scale = (float) (1 / Math.sqrt(Shape.HEAD));
        spec = new AttentionSpec(shape.heads, shape.kvHeads, Shape.HEAD, scale, 0, 0);
        cache = kernels.kvPages(shape.blocks, shape.kvHeads, Shape.HEAD, kv);
        int[][] pages = new int[phase.sequences][context / KvPages.PAGE];
        for (int[] table : pages) {
            Arrays.setAll(table, i -> cache.allocate());
        }
        fill(pages);
        int count = phase.sequences * phase.rows;
        int[] position = new int[count];
        int[] sequence = new int[count];
        for (int t = 0; t < count; t++) {
            position[t] = context - phase.rows + t % phase.rows;
            sequence[t] = t / phase.rows;
        }
        rows = new Rows(count, position, sequence, pages);
        int width = shape.heads * Shape.HEAD;
        queries = kernels.buffer(count, shape.qkv(), Inputs.values(count * shape.qkv()));
        out = kernels.buffer(count, width);
    }

    private void fill(int[][] pages) {
        int width = shape.qkv();
        Buffer stored = kernels.buffer(CHUNK, width, Inputs.values(CHUNK * width));
        int keys = shape.heads * Shape.HEAD;
        int values = keys + shape.kvHeads * Shape.HEAD;
        for (int s = 0; s < pages.length; s++) {
            int[] sequence = new int[CHUNK];
            Arrays.fill(sequence, s);
            for (int from = 0; from < context; from += CHUNK) {
                int[] position = new int[CHUNK];
                int first = from;
                Arrays.setAll(position, i -> first + i);
                Rows chunk = new Rows(CHUNK, position, sequence, pages);
                for (int b = 0; b < shape.blocks; b++) {
                    kernels.appendKv(stored, chunk, keys, values, cache, b);
                }
            }
        }
    }

    /** One block. */
    @Benchmark
    public Buffer attend() {
        kernels.attend(queries, rows, 0, cache, block, spec, out);
        block = (block + 1) % shape.blocks;
        return out;
    }

    @TearDown
    public void tearDown() {
        kernels.close();
    }
}
