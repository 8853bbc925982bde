package dev.tiller.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.kernels.scalar.ScalarBackend;
import dev.tiller.loader.DType;
import dev.tiller.loader.TensorView;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Random;

/** A backend under test (index 0) and the oracle (index 1), fed with the same random numbers. */
final class Duo implements AutoCloseable {
    /** Half a unit in the last place of 1. */
    static final double EPS = 0x1p-24;

    final Backend[] b;
    final Random random;
    final String name;

    Duo(Backend tested, long seed) {
        this.b = new Backend[] {tested, new ScalarBackend("oracle")};
        this.random = new Random(seed);
        this.name = tested.description() + ", seed " + seed;
    }

    /** The same work on both. */
    interface Work {
        void on(int i);
    }

    void both(Work work) {
        work.on(0);
        work.on(1);
    }

    /** Standard normal numbers. */
    float[] numbers(int n) {
        float[] a = new float[n];
        for (int i = 0; i < n; i++) {
            a[i] = (float) random.nextGaussian();
        }
        return a;
    }

    Buffer[] buffers(int rows, int columns) {
        return new Buffer[] {b[0].buffer(rows, columns), b[1].buffer(rows, columns)};
    }

    Buffer[] buffers(int rows, int columns, float[] values) {
        return new Buffer[] {b[0].buffer(rows, columns, values), b[1].buffer(rows, columns, values)};
    }

    Buffer[] random(int rows, int columns) {
        return buffers(rows, columns, numbers(rows * columns));
    }

    int pick(int... of) {
        return of[random.nextInt(of.length)];
    }

    static float[] read(Backend backend, Buffer buffer) {
        float[] out = new float[buffer.rows() * buffer.columns()];
        backend.read(buffer, 0, buffer.rows(), out, 0);
        return out;
    }

    float[] read(Buffer[] buffers, int i) {
        return read(b[i], buffers[i]);
    }

    static float[] row(float[] all, int row, int columns) {
        return java.util.Arrays.copyOfRange(all, row * columns, (row + 1) * columns);
    }

    /** Every element within {@code tolerance} times the largest magnitude of the oracle's row, at least 1e-6. */
    void close(String what, Buffer[] out, double tolerance) {
        close(what, out, tolerance, 1e-6);
    }

    /** Every element within {@code tolerance} times the largest magnitude of the oracle's row, at least {@code least}. */
    void close(String what, Buffer[] out, double tolerance, double least) {
        float[] found = read(out, 0);
        float[] expected = read(out, 1);
        int n = out[0].columns();
        for (int t = 0; t < out[0].rows(); t++) {
            double scale = Math.max(1e-6, least);
            for (int i = 0; i < n; i++) {
                scale = Math.max(scale, Math.abs(expected[t * n + i]));
            }
            for (int i = 0; i < n; i++) {
                close(what + " [" + t + ", " + i + "]", found[t * n + i], expected[t * n + i], tolerance * scale);
            }
        }
    }

    void close(String what, float found, float expected, double tolerance) {
        assertTrue(
                Math.abs((double) found - expected) <= tolerance,
                () -> what + ": expected " + expected + " within " + tolerance + ", found " + found + " (" + name
                        + ")");
    }

    /** Bit for bit. */
    static void same(String what, float[] expected, float[] found) {
        assertEquals(expected.length, found.length, what);
        for (int i = 0; i < expected.length; i++) {
            int at = i;
            assertEquals(
                    Float.floatToRawIntBits(expected[i]),
                    Float.floatToRawIntBits(found[i]),
                    () -> what + " at " + at + ": expected " + expected[at] + ", found " + found[at]);
        }
    }

    /** A tensor that stores the numbers, rounded if the type is a 16-bit one. */
    static TensorView tensor(DType type, int rows, int columns, float[] values) {
        MemorySegment data = Arena.ofAuto()
                .allocate((long) values.length * type.bits() / 8 + 1)
                .asSlice(1);
        for (int i = 0; i < values.length; i++) {
            switch (type) {
                case F32 ->
                    data.set(ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 4L * i, values[i]);
                case F16 -> setShort(data, i, Float.floatToFloat16(values[i]));
                case BF16 -> setShort(data, i, WeightRows.toBf16(values[i]));
                default -> throw new IllegalArgumentException(type.name());
            }
        }
        return new TensorView("w", type, new long[] {rows, columns}, data, "test");
    }

    /** A tensor of random blocks: every code, scales and minima of either sign that are about one 32nd. */
    TensorView blocks(DType type, int rows, int columns) {
        int count = rows * columns / type.blockSize();
        byte[] bytes = new byte[count * type.blockBytes()];
        random.nextBytes(bytes);
        MemorySegment data = Arena.ofAuto().allocate(bytes.length + 1).asSlice(1);
        MemorySegment.copy(bytes, 0, data, ValueLayout.JAVA_BYTE, 0, bytes.length);
        for (int b = 0; b < count; b++) {
            for (int i = 0; i < (type == DType.Q4_1 ? 2 : 1); i++) {
                int at = b * type.blockBytes() / 2 + i;
                setShort(data, at, Float.floatToFloat16((float) random.nextGaussian() / 32));
            }
        }
        return new TensorView("blocks", type, new long[] {rows, columns}, data, "test");
    }

    private static void setShort(MemorySegment data, int i, short value) {
        data.set(ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 2L * i, value);
    }

    @Override
    public void close() {
        b[0].close();
        b[1].close();
    }
}
