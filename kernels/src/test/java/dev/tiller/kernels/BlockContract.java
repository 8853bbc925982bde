package dev.tiller.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.DType;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** What weights in blocks, matmul and embed with them owe. */
interface BlockContract {
    Backend open();

    /** False for a backend that keeps no weights in blocks: it must refuse them by name and take such tensors otherwise. */
    default boolean takesBlocks() {
        return true;
    }

    List<WeightFormat> BLOCKS = List.of(WeightFormat.Q8, WeightFormat.Q4);
    List<DType> STORED_BLOCKS = List.of(DType.Q8_0, DType.Q4_0, DType.Q4_1);

    private void onlyIfTaken() {
        Assumptions.assumeTrue(takesBlocks(), "this backend keeps no weights in blocks");
    }

    /** A tensor of any stored type; blocks only if rows are whole ones. */
    private static TensorView any(Duo duo, int rows, int columns) {
        int type = duo.random.nextInt(6);
        if (type < 3 && columns % WeightFormat.BLOCK == 0) {
            return duo.blocks(STORED_BLOCKS.get(type), rows, columns);
        }
        return Duo.tensor(MatmulContract.STORED[type % 3], rows, columns, duo.numbers(rows * columns));
    }

    @Test
    default void matmulWithBlocksAgreesWithTheOracle() {
        onlyIfTaken();
        for (int seed = 0; seed < 160; seed++) {
            try (Duo duo = new Duo(open(), seed)) {
                int rows = duo.pick(1, 1, 2, 3, 5, 6, 7, 8, 13, 17, 64, 100);
                int k = duo.pick(1, 2, 3, 7, 31, 32, 33, 60, 64, 65, 96, 111, 160, 576);
                List<TensorView> parts = new ArrayList<>();
                int n = 0;
                for (int i = duo.random.nextInt(3); i >= 0; i--) {
                    int part = duo.pick(1, 5, 16, 31, 32, 33, 60, 64, 65, 96, 111, 300);
                    parts.add(any(duo, part, k));
                    n += part;
                }
                WeightFormat format = BLOCKS.get(duo.random.nextInt(2));
                Buffer[] x = duo.random(rows + duo.random.nextInt(2), k);
                Buffer[] bias = duo.random.nextBoolean() ? duo.random(1, n) : new Buffer[2];
                Buffer[] out = duo.random(rows + 1, n);
                duo.both(i -> {
                    Matrix w = duo.b[i].matrix(parts, format);
                    assertEquals(format, w.format());
                    duo.b[i].matmul(x[i], rows, w, bias[i], out[i]);
                });
                // As for other formats; but sums of codes that are shifted to be positive, and minima, are up to four
                // times
                // the numbers that they stand for.
                double unit = (4 + Math.sqrt(k)) * Duo.EPS * 4;
                duo.close(rows + "x" + k + "x" + n + " as " + format, out, unit, 4 * Math.sqrt(k));
            }
        }
    }

    @Test
    default void aRowOfMatmulWithBlocksDoesNotDependOnTheOthers() {
        onlyIfTaken();
        for (WeightFormat format : BLOCKS) {
            try (Duo duo = new Duo(open(), 1)) {
                for (int[] shape : new int[][] {{576, 96}, {65, 111}, {33, 700}, {7, 64}, {160, 128}}) {
                    int k = shape[0];
                    int n = shape[1];
                    Backend b = duo.b[0];
                    Matrix w = b.matrix(List.of(Duo.tensor(DType.F32, n, k, duo.numbers(n * k))), format);
                    Buffer bias = b.buffer(1, n, duo.numbers(n));
                    float[] x = duo.numbers(100 * k);
                    Buffer out = b.buffer(100, n);
                    b.matmul(b.buffer(100, k, x), 100, w, bias, out);
                    float[] all = Duo.read(b, out);
                    for (int rows = 1; rows < 100; rows += rows < 14 ? 1 : 17) {
                        for (int at : new int[] {0, 100 - rows}) {
                            Buffer some = b.buffer(rows, n);
                            float[] part = Arrays.copyOfRange(x, at * k, (at + rows) * k);
                            b.matmul(b.buffer(rows, k, part), rows, w, bias, some);
                            Duo.same(
                                    format + " rows " + rows + " from " + at + " of width " + k + ", " + duo.name,
                                    Arrays.copyOfRange(all, at * n, (at + rows) * n),
                                    Duo.read(b, some));
                        }
                    }
                }
            }
        }
    }

    /** Unit rows of x pick the weights out, and so does embed: exactly scale times code (plus minimum, rounded once). */
    @Test
    default void blocksAreKeptCodeByCode() {
        onlyIfTaken();
        for (int seed = 0; seed < 12; seed++) {
            try (Duo duo = new Duo(open(), seed)) {
                WeightFormat format = BLOCKS.get(seed % 2);
                int k = duo.pick(1, 5, 31, 32, 33, 63, 64, 96, 97, 128);
                int n = duo.pick(1, 31, 33, 64, 65, 130);
                List<TensorView> parts = List.of(any(duo, n, k), any(duo, 3, k));
                float[] expected = rows(parts, format);
                Backend b = duo.b[0];
                Matrix w = b.matrix(parts, format);
                float[] unit = new float[k * k];
                for (int i = 0; i < k; i++) {
                    unit[i * k + i] = 1;
                }
                Buffer out = b.buffer(k, n + 3);
                for (int rows : new int[] {k, 1}) {
                    b.matmul(b.buffer(k, k, unit), rows, w, null, out);
                    float[] found = Duo.read(b, out);
                    for (int t = 0; t < rows; t++) {
                        for (int o = 0; o < n + 3; o++) {
                            assertEquals(
                                    expected[o * k + t] + 0f,
                                    found[t * (n + 3) + o] + 0f,
                                    "weight [" + o + ", " + t + "] of " + parts + " as " + format + ", " + duo.name);
                        }
                    }
                }
                embedsExactly(duo, w, expected);
            }
        }
    }

    private static float[] rows(List<TensorView> parts, WeightFormat format) {
        WeightRows source = new WeightRows(parts, format);
        float[] out = new float[source.rows() * source.columns()];
        for (int r = 0; r < source.rows(); r++) {
            source.row(r, out, r * source.columns());
        }
        return out;
    }

    private static void embedsExactly(Duo duo, Matrix w, float[] expected) {
        Backend b = duo.b[0];
        int k = w.columns();
        int[] ids = {w.rows() - 1, 0, w.rows() / 2, 0};
        Buffer rows = b.buffer(4, k);
        b.embed(w, ids, 4, 0.5f, rows);
        float[] found = Duo.read(b, rows);
        for (int t = 0; t < 4; t++) {
            for (int i = 0; i < k; i++) {
                assertEquals(0.5f * expected[ids[t] * k + i] + 0f, found[t * k + i] + 0f, "row " + ids[t] + duo.name);
            }
        }
    }

    /** Zero rows, zero inputs, blocks of one value, scales at both ends of what 16-bit floats hold. */
    @Test
    default void extremeBlocksAgreeWithTheOracle() {
        onlyIfTaken();
        for (float size : new float[] {0, 1e-6f, 2e-5f, 1, 900, 60000}) {
            for (WeightFormat format : BLOCKS) {
                try (Duo duo = new Duo(open(), 5)) {
                    int k = 70;
                    int n = 65;
                    float[] values = new float[n * k];
                    for (int i = 0; i < values.length; i++) {
                        values[i] = i / k % 3 == 0 ? size : (duo.random.nextInt(3) - 1) * size;
                    }
                    TensorView w = Duo.tensor(DType.F32, n, k, values);
                    float[] inputs = duo.numbers(9 * k);
                    Arrays.fill(inputs, 0, k, 0);
                    Buffer[] x = duo.buffers(9, k, inputs);
                    Buffer[] out = duo.buffers(9, n);
                    duo.both(i -> duo.b[i].matmul(x[i], 9, duo.b[i].matrix(List.of(w), format), null, out[i]));
                    double unit = (4 + Math.sqrt(k)) * Duo.EPS * 4;
                    duo.close(size + " as " + format, out, unit, 4 * Math.sqrt(k) * size);
                }
            }
        }
    }

    @Test
    default void numbersThatBlocksDoNotHoldAreRefused() {
        onlyIfTaken();
        try (Backend b = open()) {
            Map<WeightFormat, float[]> bad = Map.of(
                    WeightFormat.Q8,
                    new float[] {1e7f, -1e7f, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.NaN},
                    WeightFormat.Q4,
                    new float[] {1.1e6f, -1e5f, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.NaN});
            bad.forEach((format, numbers) -> {
                for (float number : numbers) {
                    float[] values = new float[3 * 40];
                    values[2 * 40 + 35] = number;
                    refuses(b, format, Duo.tensor(DType.F32, 3, 40, values), "row 2 of w F32[3, 40] in test");
                }
            });
            for (DType type : STORED_BLOCKS) {
                byte[] block = new byte[type.blockBytes()];
                block[1] = 0x7c; // an infinite scale
                TensorView w = new TensorView(
                        "w", type, new long[] {1, 32}, java.lang.foreign.MemorySegment.ofArray(block), "test");
                WeightFormat format = type == DType.Q8_0 ? WeightFormat.Q8 : WeightFormat.Q4;
                refuses(b, format, w, "row 0 of w " + type + "[1, 32] in test");
                refuses(b, format == WeightFormat.Q8 ? WeightFormat.Q4 : WeightFormat.Q8, w, "row 0 of w " + type);
            }
        }
    }

    private static void refuses(Backend b, WeightFormat format, TensorView w, String what) {
        TensorView sound = Duo.tensor(DType.F32, 70, w.columns(), new float[70 * w.columns()]);
        TillerException e =
                assertThrows(TillerException.class, () -> b.matrix(List.of(sound, w), format), what + " as " + format);
        assertTrue(e.getMessage().contains(what), e.getMessage());
    }

    @Test
    default void naturalFormatsOfBlocks() {
        try (Duo duo = new Duo(open(), 0)) {
            Backend b = duo.b[0];
            for (DType type : STORED_BLOCKS) {
                WeightFormat blocks = type == DType.Q8_0 ? WeightFormat.Q8 : WeightFormat.Q4;
                TensorView w = duo.blocks(type, 40, 64);
                assertEquals(takesBlocks() ? blocks : WeightFormat.F32, b.naturalFormat(w));
                if (!takesBlocks()) {
                    TillerException e = assertThrows(TillerException.class, () -> b.matrix(List.of(w), blocks));
                    assertTrue(e.getMessage().startsWith("expected weights in f32, bf16 or f16"), e.getMessage());
                }
                Matrix wide = b.matrix(List.of(w), WeightFormat.F32);
                Buffer out = b.buffer(40, 64);
                b.embed(wide, java.util.stream.IntStream.range(0, 40).toArray(), 40, 1, out);
                Duo.same(type + " in F32, " + duo.name, w.toFloats(), Duo.read(b, out));
            }
        }
    }

    /** Inputs, keys and values are never in blocks. */
    @Test
    default void operandsInBlocksAreRefused() {
        try (Backend b = open()) {
            for (WeightFormat format : BLOCKS) {
                assertThrows(IllegalArgumentException.class, () -> b.buffer(1, 32, format));
                assertThrows(IllegalArgumentException.class, () -> b.kvPages(1, 1, 32, format));
            }
        }
    }
}
