package dev.tiller.loader;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Element types of tensors: those of the safetensors library 0.8.0, by its names, and those of ggml that keep blocks of
 * 32 or 256 numbers ({@link #isBlocks}). Values are little-endian and need not be aligned. F64, F32, F16, BF16 and blocks convert
 * to float32, integer types and BOOL to long; the others can be listed and copied but not computed with.
 */
public enum DType {
    BOOL(8),
    F4(4),
    F6_E2M3(6),
    F6_E3M2(6),
    U8(8),
    I8(8),
    F8_E5M2(8),
    F8_E4M3(8),
    F8_E8M0(8),
    F8_E4M3FNUZ(8),
    F8_E5M2FNUZ(8),
    I16(16),
    U16(16),
    F16(16),
    BF16(16),
    I32(32),
    U32(32),
    F32(32),
    C64(64),
    F64(64),
    I64(64),
    U64(64),
    /** An f16 scale d and 32 signed bytes q: d q. */
    Q8_0(32, 34),
    /** An f16 scale d and 32 codes q of 4 bits: d (q - 8). */
    Q4_0(32, 18),
    /** An f16 scale d, an f16 minimum m and 32 codes q of 4 bits: d q + m. */
    Q4_1(32, 20),
    /** An f16 scale d and 32 codes q of 5 bits: d (q - 16). */
    Q5_0(32, 22),
    /** An f16 scale d, an f16 minimum m and 32 codes q of 5 bits: d q + m. */
    Q5_1(32, 24),
    /** An f16 scale d and 32 codes of 4 bits that stand for 16 whole numbers q: d q. */
    IQ4_NL(32, 18),
    /** 256 numbers in runs of 16, each with a scale s and a minimum m of 4 bits, codes q of 2 bits: d s q - e m. */
    Q2_K(256, 84),
    /** 256 numbers in runs of 16, each with a scale s of 6 bits, codes q of 3 bits: d s q, s and q signed. */
    Q3_K(256, 110),
    /** 256 numbers in runs of 32, each with a scale s and a minimum m of 6 bits, codes q of 4 bits: d s q - e m. */
    Q4_K(256, 144),
    /** As Q4_K with codes of 5 bits. */
    Q5_K(256, 176),
    /** 256 numbers in runs of 16, each with a scale s of 8 bits, codes q of 6 bits: d s q, s and q signed. */
    Q6_K(256, 210),
    /** 256 numbers in runs of 32, each with a signed scale s of 6 bits, codes as in IQ4_NL: d s q. */
    IQ4_XS(256, 136);

    /** The types that a safetensors file can name, in its words. */
    public static final List<DType> SAFETENSORS =
            Arrays.stream(values()).filter(t -> !t.isBlocks()).toList();

    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfDouble DOUBLE =
            ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Values other than F32 are staged in blocks of this many elements: they stay in the first-level cache. */
    private static final int STAGE = 4096;

    private final int bits;
    private final int blockSize;
    private final int blockBytes;

    DType(int bits) {
        this.bits = bits;
        this.blockSize = 1;
        this.blockBytes = 0;
    }

    DType(int blockSize, int blockBytes) {
        this.bits = 0;
        this.blockSize = blockSize;
        this.blockBytes = blockBytes;
    }

    /** Width of one element in bits; F4 and F6 elements are packed without gaps. Elements of a block have none. */
    public int bits() {
        if (isBlocks()) {
            throw new IllegalStateException("expected a type of single elements, found " + this);
        }
        return bits;
    }

    /** True for the types that keep blocks of elements along the last dimension, which share a scale. */
    public boolean isBlocks() {
        return blockSize > 1;
    }

    /** Elements of a block; 1 for the other types. */
    public int blockSize() {
        return blockSize;
    }

    /** Bytes of a block; 0 for the other types. */
    public int blockBytes() {
        return blockBytes;
    }

    /** True for the types that convert to float32: F64, F32, F16, BF16 and blocks. */
    public boolean isFloat() {
        return this == F64 || this == F32 || this == F16 || this == BF16 || isBlocks();
    }

    /** True for the types that convert to long: BOOL and the signed and unsigned integers. */
    public boolean isInteger() {
        return switch (this) {
            case BOOL, U8, I8, I16, U16, I32, U32, I64, U64 -> true;
            default -> false;
        };
    }

    /** The type that safetensors files call by that exact (case-sensitive) name. */
    public static Optional<DType> find(String name) {
        return SAFETENSORS.stream().filter(t -> t.name().equals(name)).findFirst();
    }

    /** The type that safetensors files call so; an unknown one is refused with an error that lists those known. */
    public static DType parse(String name) {
        return find(name)
                .orElseThrow(
                        () -> new TillerException("unknown dtype \"" + name + "\", expected one of " + SAFETENSORS));
    }

    /**
     * Converts {@code count} elements to float32: exact, except F64, which rounds to nearest.
     *
     * @param data the tensor's bytes
     * @param from flat index of the first element
     * @param out [at + count] or longer
     * @param at index in {@code out} of the first converted element
     * @param tensor named in the error if this is not a floating type
     */
    void toFloats(MemorySegment data, long from, float[] out, int at, int count, TensorView tensor) {
        switch (this) {
            case F32 -> MemorySegment.copy(data, FLOAT, from * Float.BYTES, out, at, count);
            case F64 -> doublesToFloats(data, from, out, at, count);
            case F16, BF16 -> halvesToFloats(data, from, out, at, count);
            default -> {
                if (isBlocks()) {
                    new Blocks(this, data).toFloats(from, out, at, count);
                    return;
                }
                throw new TillerException(
                        "expected a floating tensor (F64, F32, F16, BF16 or blocks), found " + tensor.describe());
            }
        }
    }

    private static void doublesToFloats(MemorySegment data, long from, float[] out, int at, int count) {
        double[] stage = new double[Math.min(count, STAGE)];
        for (int done = 0; done < count; done += stage.length) {
            int n = Math.min(stage.length, count - done);
            MemorySegment.copy(data, DOUBLE, (from + done) * Double.BYTES, stage, 0, n);
            for (int i = 0; i < n; i++) {
                out[at + done + i] = (float) stage[i];
            }
        }
    }

    private void halvesToFloats(MemorySegment data, long from, float[] out, int at, int count) {
        short[] stage = new short[Math.min(count, STAGE)];
        for (int done = 0; done < count; done += stage.length) {
            int n = Math.min(stage.length, count - done);
            MemorySegment.copy(data, SHORT, (from + done) * Short.BYTES, stage, 0, n);
            if (this == F16) {
                float16ToFloats(stage, out, at + done, n);
            } else {
                bfloat16ToFloats(stage, out, at + done, n);
            }
        }
    }

    private static void float16ToFloats(short[] in, float[] out, int at, int n) {
        for (int i = 0; i < n; i++) {
            out[at + i] = Float.float16ToFloat(in[i]);
        }
    }

    private static void bfloat16ToFloats(short[] in, float[] out, int at, int n) {
        for (int i = 0; i < n; i++) {
            out[at + i] = Float.intBitsToFloat(in[i] << 16);
        }
    }

    /**
     * One element of an integer tensor or BOOL (0 or 1).
     *
     * @param index flat index
     * @param tensor named in the error if this is not an integer type, or a U64 value exceeds a signed long
     */
    long toLong(MemorySegment data, long index, TensorView tensor) {
        return switch (this) {
            case BOOL, U8 -> data.get(ValueLayout.JAVA_BYTE, index) & 0xFFL;
            case I8 -> data.get(ValueLayout.JAVA_BYTE, index);
            case I16 -> data.get(SHORT, index * Short.BYTES);
            case U16 -> data.get(SHORT, index * Short.BYTES) & 0xFFFFL;
            case I32 -> data.get(INT, index * Integer.BYTES);
            case U32 -> data.get(INT, index * Integer.BYTES) & 0xFFFFFFFFL;
            case I64 -> data.get(LONG, index * Long.BYTES);
            case U64 -> {
                long value = data.get(LONG, index * Long.BYTES);
                if (value < 0) {
                    throw new TillerException("value " + Long.toUnsignedString(value) + " at index " + index
                            + " is above 2^63-1 in " + tensor.describe());
                }
                yield value;
            }
            default -> throw new TillerException("expected an integer tensor, found " + tensor.describe());
        };
    }
}
