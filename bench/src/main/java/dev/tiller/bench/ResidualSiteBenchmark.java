package dev.tiller.bench;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Backends;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.EditTable;
import dev.tiller.kernels.EditTable.Kind;
import dev.tiller.kernels.ModuleOutput;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.SiteTaps;
import java.util.Arrays;
import java.util.SplittableRandom;
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
 * The residual site as the engine calls it: add what a module wrote, edit, normalise. Without edits it is the same call
 * with an empty table, so the difference between the rows is the price of steering.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(1)
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 5, time = 1)
public class ResidualSiteBenchmark {
    /** Every row carries this: nothing, one edit, four directions, an edit that keeps the norm or waits for a gate. */
    public enum Edits {
        NONE,
        ADD(Kind.ADD),
        ADD4(Kind.ADD, Kind.ADD, Kind.ADD, Kind.ADD),
        ABLATE(Kind.ABLATE),
        ABLATE4(Kind.ABLATE, Kind.ABLATE, Kind.ABLATE, Kind.ABLATE),
        CLAMP(Kind.CLAMP),
        ROTATE(Kind.ROTATE),
        ADD_NORM(Kind.KEEP_NORM, Kind.ADD, Kind.RESTORE_NORM),
        ADD_WHEN(Kind.PROBE, Kind.WHEN, Kind.ADD, Kind.ALWAYS);

        private final Kind[] kinds;

        Edits(Kind... kinds) {
            this.kinds = kinds;
        }

        /** Directions that a row reads. */
        int directions() {
            int n = 0;
            for (Kind kind : kinds) {
                n += kind == Kind.ROTATE
                        ? 2
                        : kind.name().endsWith("NORM") || kind == Kind.ALWAYS || kind == Kind.WHEN ? 0 : 1;
            }
            return n;
        }
    }

    @Param({"scalar", "simd"})
    public String backend;

    @Param
    public Edits edits;

    /** Model width d. */
    @Param({"576", "896", "2048", "4096", "8192"})
    public int width;

    /** Rows T of the call. */
    @Param({"1", "8", "64"})
    public int rows;

    @Param("1")
    public int threads;

    private Backend kernels;
    private Buffer x;
    private ModuleOutput delta;
    private Buffer normed;
    private Norm norm;
    private EditTable table;

    @Setup
    public void setUp() {
        kernels = Backends.open(backend, threads);
        SplittableRandom random = new SplittableRandom(5);
        x = kernels.buffer(rows, width, uniform(random, rows * width));
        delta = ModuleOutput.of(kernels.buffer(rows, width, uniform(random, rows * width)));
        normed = kernels.buffer(rows, width);
        norm = new Norm(Norm.Kind.RMS, kernels.buffer(1, width, uniform(random, width)), null, 1e-5f, 0);
        table = table(random);
    }

    /** Small numbers, so that a residual that is added to millions of times stays finite. */
    private static float[] uniform(SplittableRandom random, int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextDouble(-1e-3, 1e-3);
        }
        return values;
    }

    private EditTable table(SplittableRandom random) {
        Kind[] kinds = edits.kinds;
        int n = kinds.length;
        if (n == 0) {
            return EditTable.NONE;
        }
        float[] directions = new float[5 * width];
        Arrays.fill(directions, (float) (1 / Math.sqrt(width)));
        for (int i = 4 * width + 1; i < 5 * width; i += 2) {
            directions[i] = -directions[i]; // the last one is orthogonal to the others: the second of a plane
        }
        int[] direction = new int[n];
        Arrays.setAll(direction, e -> e);
        int[] second = new int[n];
        float[] low = new float[n];
        float[] high = new float[n];
        float[] strength = new float[n];
        for (int e = 0; e < n; e++) {
            second[e] = kinds[e] == Kind.ROTATE ? 4 : 0;
            low[e] = kinds[e] == Kind.ROTATE ? (float) Math.cos(0.5) : kinds[e] == Kind.WHEN ? -1e9f : 1e-3f;
            high[e] = kinds[e] == Kind.ROTATE ? (float) Math.sin(0.5) : kinds[e] == Kind.WHEN ? 1e9f : 1e-3f;
            strength[e] = kinds[e] == Kind.ADD ? (float) random.nextDouble(1e-3) : 1;
        }
        int[] rowStart = new int[rows + 1];
        Arrays.setAll(rowStart, t -> t * n);
        int[] edit = new int[rows * n];
        Arrays.setAll(edit, i -> i % n);
        float[] coefficient = new float[rows * n];
        for (int i = 0; i < coefficient.length; i++) {
            coefficient[i] = strength[i % n];
        }
        Buffer stored = kernels.buffer(5, width, directions);
        Buffer gates = kernels.buffer(rows, 1);
        return new EditTable(kinds, stored, direction, second, low, high, rowStart, edit, coefficient, gates);
    }

    /** One call for all rows. */
    @Benchmark
    public Buffer site() {
        kernels.site(x, delta, rows, table, SiteTaps.NONE, EditTable.NONE, norm, normed);
        return normed;
    }

    @TearDown
    public void tearDown() {
        kernels.close();
    }
}
