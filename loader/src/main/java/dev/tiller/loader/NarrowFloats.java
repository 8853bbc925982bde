package dev.tiller.loader;

import java.nio.ByteBuffer;

/** Float32 numbers as the types of safetensors files that hold them: F32 as they are, F16 and BF16 rounded to nearest even. */
final class NarrowFloats {
    private static final float MOST_F16 = 65504;
    private static final float MOST_BF16 = 0x1.FEp127f;

    private NarrowFloats() {}

    /**
     * Appends numbers to a little-endian buffer.
     *
     * @param tensor named in the error if a finite number is beyond the range of the type
     */
    static void put(float[] values, int count, DType dtype, ByteBuffer out, TensorView tensor) {
        switch (dtype) {
            case F32 -> {
                out.asFloatBuffer().put(values, 0, count);
                out.position(out.position() + count * Float.BYTES);
            }
            case F16 -> {
                for (int i = 0; i < count; i++) {
                    out.putShort(Float.floatToFloat16(inRange(values[i], MOST_F16, "F16", tensor)));
                }
            }
            case BF16 -> {
                for (int i = 0; i < count; i++) {
                    out.putShort(bfloat16(inRange(values[i], MOST_BF16, "BF16", tensor)));
                }
            }
            default -> throw new IllegalArgumentException("expected F32, F16 or BF16, found " + dtype);
        }
    }

    private static float inRange(float value, float most, String type, TensorView tensor) {
        if (Math.abs(value) > most && Float.isFinite(value)) {
            throw new TillerException(tensor.source() + ": tensor " + Messages.quote(tensor.name())
                    + ": expected numbers up to " + most + " for " + type + ", found " + value);
        }
        return value;
    }

    /** The upper half of the bits, rounded; a NaN stays one. */
    static short bfloat16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) (bits >>> 16 | 0x40);
        }
        return (short) (bits + 0x7FFF + (bits >>> 16 & 1) >>> 16);
    }
}
