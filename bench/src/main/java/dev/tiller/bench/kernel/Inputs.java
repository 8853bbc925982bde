package dev.tiller.bench.kernel;

import dev.tiller.loader.DType;
import dev.tiller.loader.TensorView;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;

/** Numbers to compute with: their values do not matter to the time, as long as none is denormal. */
final class Inputs {
    private static final int PATTERN = 4099;

    private Inputs() {}

    /** Values between 0.001 and 1 of both signs. */
    static float[] values(int n) {
        SplittableRandom random = new SplittableRandom(5);
        float[] pattern = new float[PATTERN];
        for (int i = 0; i < PATTERN; i++) {
            pattern[i] = (float) (random.nextBoolean() ? random.nextDouble(1e-3, 1) : -random.nextDouble(1e-3, 1));
        }
        float[] values = new float[n];
        for (int i = 0; i < n; i += PATTERN) {
            System.arraycopy(pattern, 0, values, i, Math.min(PATTERN, n - i));
        }
        return values;
    }

    /** A stored weight [rows, columns] in float32. */
    static TensorView weight(int rows, int columns) {
        MemorySegment data = Arena.ofAuto().allocate(4L * rows * columns, 64);
        MemorySegment.copy(values(rows * columns), 0, data, ValueLayout.JAVA_FLOAT, 0, rows * columns);
        return new TensorView("weight", DType.F32, new long[] {rows, columns}, data, "benchmark");
    }
}
