package dev.tiller.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.WeightRows;
import dev.tiller.loader.DType;
import dev.tiller.loader.TensorView;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Shapes at which a matmul changes its way: number of rows, of inputs, of panels and of threads. */
class SimdMatmulTest {
    private static final WeightFormat[] FORMATS = {WeightFormat.F32, WeightFormat.BF16, WeightFormat.F16};
    private static final int[] ROWS = {1, 2, 3, 4, 5, 7, 8, 9, 10, 16, 23, 24, 25, 26, 31, 63, 64, 65, 193, 200, 700};

    private static TensorView tensor(int n, int k, Random random) {
        MemorySegment data = Arena.ofAuto().allocate(4L * n * k, 64);
        for (int i = 0; i < n * k; i++) {
            data.set(ValueLayout.JAVA_FLOAT.withOrder(ByteOrder.LITTLE_ENDIAN), 4L * i, (float) random.nextGaussian());
        }
        return new TensorView("w", DType.F32, new long[] {n, k}, data, "test");
    }

    private static float[] numbers(int count, Random random) {
        float[] x = new float[count];
        for (int i = 0; i < count; i++) {
            x[i] = (float) random.nextGaussian();
        }
        return x;
    }

    @Test
    void everyShapeAgreesWithDoublePrecisionAndNeitherRowsNorThreadsChangeABit() {
        for (int seed = 0; seed < 24; seed++) {
            Random random = new Random(seed);
            int n = 1 + random.nextInt(seed % 3 == 0 ? 700 : 150);
            int k = 1 + random.nextInt(seed % 2 == 0 ? 600 : 70);
            WeightRows source = new WeightRows(List.of(tensor(n, k, random)), FORMATS[seed % 3]);
            int most = ROWS[ROWS.length - 1 - seed % ROWS.length];
            float[] x = numbers(most * k, random);
            float[] bias = seed % 4 == 0 ? numbers(n, random) : null;
            float[] expected = null;
            for (int threads : new int[] {1, 2, 5}) {
                try (WorkerPool pool = new WorkerPool(threads);
                        Arena arena = Arena.ofShared()) {
                    PanelMatrix w = PanelMatrix.pack(null, source, arena, pool);
                    MatmulTask task = new MatmulTask(pool);
                    float[] out = numbers(most * n, random);
                    task.run(x, most, w, bias, out);
                    String what = most + "x" + k + "x" + n + " " + source.format() + ", " + threads + " threads";
                    if (expected == null) {
                        expected = out;
                        close(what, source, x, most, bias, out);
                    }
                    same(what, expected, out, most * n);
                    for (int rows : ROWS) {
                        if (rows < most) {
                            int first = random.nextInt(most - rows + 1);
                            float[] some = new float[rows * n];
                            task.run(Arrays.copyOfRange(x, first * k, (first + rows) * k), rows, w, bias, some);
                            same(
                                    what + ", rows " + first + " to " + (first + rows),
                                    Arrays.copyOfRange(expected, first * n, (first + rows) * n),
                                    some,
                                    rows * n);
                        }
                    }
                }
            }
        }
    }

    private static void close(String what, WeightRows source, float[] x, int rows, float[] bias, float[] out) {
        int k = source.columns();
        int n = source.rows();
        float[] row = new float[k];
        for (int o = 0; o < n; o++) {
            source.row(o, row, 0);
            for (int t = 0; t < rows; t += 1 + rows / 40) {
                double sum = bias == null ? 0 : bias[o];
                double size = Math.abs(sum);
                for (int i = 0; i < k; i++) {
                    sum += (double) row[i] * x[t * k + i];
                    size += Math.abs((double) row[i] * x[t * k + i]);
                }
                assertEquals(sum, out[t * n + o], (2 + Math.sqrt(k)) * 0x1p-23 * size, what);
            }
        }
    }

    private static void same(String what, float[] expected, float[] found, int count) {
        for (int i = 0; i < count; i++) {
            assertEquals(Float.floatToRawIntBits(expected[i]), Float.floatToRawIntBits(found[i]), what + " at " + i);
        }
    }

    @Test
    void aMatrixOfPanelsPackedBeforeIsTheSame() {
        for (WeightFormat format : FORMATS) {
            Random random = new Random(7);
            WeightRows source = new WeightRows(List.of(tensor(77, 41, random)), format);
            try (WorkerPool pool = new WorkerPool(2);
                    Arena arena = Arena.ofShared()) {
                PanelMatrix packed = PanelMatrix.pack(null, source, arena, pool);
                Panels panels = PanelMatrix.panels(source, pool);
                assertEquals(packed.panels.layout(), panels.layout());
                assertTrue(panels.layout().endsWith("x" + Lanes.BITS), panels.layout());
                MemorySegment data = arena.allocate(64 + packed.bytes(), 64).asSlice(64);
                for (int p = panels.count(77) - 1; p >= 0; p--) {
                    panels.pack(source, p, p + 1, data);
                }
                assertEquals(-1, packed.data.mismatch(data));
                PanelMatrix again = new PanelMatrix(null, 77, format, panels, data);
                float[] row = new float[41];
                float[] expected = new float[41];
                for (int r = 0; r < 77; r++) {
                    again.unpack(r, 1, row, 0);
                    source.row(r, expected, 0);
                    same(format + " row " + r, expected, row, 41);
                }
                MemorySegment odd = arena.allocate(64 + packed.bytes(), 64).asSlice(32, packed.bytes());
                assertThrows(IllegalArgumentException.class, () -> new PanelMatrix(null, 77, format, panels, odd));
            }
        }
    }
}
