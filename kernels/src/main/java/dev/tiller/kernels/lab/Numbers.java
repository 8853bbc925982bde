package dev.tiller.kernels.lab;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.Matrix;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.loader.DType;
import dev.tiller.loader.TensorView;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.SplittableRandom;

/** Seeded inputs of a case, the same for every backend. */
final class Numbers {
    /** Half a unit in the last place of 1. */
    static final double EPS = 0x1p-24;

    private final SplittableRandom random;

    Numbers(long seed) {
        random = new SplittableRandom(seed);
    }

    SplittableRandom random() {
        return random;
    }

    int pick(int... of) {
        return of[random.nextInt(of.length)];
    }

    boolean coin() {
        return random.nextBoolean();
    }

    double uniform() {
        return random.nextDouble();
    }

    /** Standard normal numbers. */
    float[] normal(int n) {
        float[] a = new float[n];
        for (int i = 0; i < n; i++) {
            a[i] = (float) random.nextGaussian();
        }
        return a;
    }

    int[] ints(int n, int bound) {
        return random.ints(n, 0, bound).toArray();
    }

    /** Standard normal numbers that an operand of that type holds exactly. */
    float[] normal(int n, WeightFormat operand) {
        float[] a = normal(n);
        for (int i = 0; i < n; i++) {
            a[i] = round(a[i], operand);
        }
        return a;
    }

    /** Weights for k standard normal inputs that give sums of about 1; powers of two times small whole numbers. */
    float[] small(int n, int k) {
        float unit = Math.scalb(1f, -3 - Math.getExponent((float) Math.sqrt(k)));
        float[] a = new float[n];
        for (int i = 0; i < n; i++) {
            a[i] = (random.nextInt(33) - 16) * unit;
        }
        return a;
    }

    private static float round(float v, WeightFormat format) {
        return switch (format) {
            case F32 -> v;
            case F16 -> Float.float16ToFloat(Float.floatToFloat16(v));
            case BF16 -> {
                int bits = Float.floatToRawIntBits(v);
                yield Float.intBitsToFloat(bits + 0x7fff + (bits >>> 16 & 1) & 0xffff0000);
            }
            case Q8, Q4 -> throw new IllegalArgumentException("expected an operand type, found " + format);
        };
    }

    /** What rounding to that type adds to the relative error of an element. */
    static double rounding(Backend backend, WeightFormat operand) {
        return switch (backend.operandFormat(operand)) {
            case F32 -> 0;
            case BF16 -> 0x1p-8;
            case F16 -> 0x1p-11;
            case Q8, Q4 -> throw new IllegalArgumentException("expected an operand type, found " + operand);
        };
    }

    /** A buffer for operands of that type on a backend, filled. */
    static Buffer operand(Backend b, int rows, int columns, WeightFormat operand, float[] values) {
        Buffer buffer = b.buffer(rows, columns, b.operandFormat(operand));
        b.write(values, 0, buffer, 0, rows);
        return buffer;
    }

    /** A weight matrix stored in that format, whose numbers fit it. */
    static Matrix matrix(Backend b, int n, int k, WeightFormat format, float[] values) {
        return b.matrix(List.of(tensor(n, k, format, values)), format);
    }

    private static TensorView tensor(int n, int k, WeightFormat format, float[] values) {
        MemorySegment data = Arena.ofAuto().allocate(format.plain().bytes(n, k), 8);
        for (int i = 0; i < values.length; i++) {
            switch (format) {
                case F32 -> data.set(ValueLayout.JAVA_FLOAT.withOrder(ByteOrder.LITTLE_ENDIAN), 4L * i, values[i]);
                case F16 -> setShort(data, i, Float.floatToFloat16(values[i]));
                default -> setShort(data, i, (short) (Float.floatToRawIntBits(values[i]) >>> 16));
            }
        }
        return new TensorView("weight", DType.valueOf(format.name()), new long[] {n, k}, data, "lab");
    }

    private static void setShort(MemorySegment data, int i, short value) {
        data.set(ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN), 2L * i, value);
    }

    static float[] read(Backend b, Buffer buffer) {
        float[] out = new float[buffer.rows() * buffer.columns()];
        b.read(buffer, 0, buffer.rows(), out, 0);
        return out;
    }

    static LabCase.Output output(String name, Backend b, Buffer buffer, double tolerance) {
        return new LabCase.Output(name, buffer.columns(), read(b, buffer), tolerance);
    }

    static LabCase.Output output(String name, int[] values) {
        float[] floats = new float[values.length];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = values[i];
        }
        return new LabCase.Output(name, 1, floats, 0);
    }
}
