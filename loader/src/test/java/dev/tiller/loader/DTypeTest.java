package dev.tiller.loader;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class DTypeTest {
    /** The bytes at an odd address inside a larger segment, as they lie in a file with an odd header. */
    private static TensorView view(DType dtype, byte[] bytes, long... shape) {
        byte[] shifted = new byte[bytes.length + 3];
        System.arraycopy(bytes, 0, shifted, 3, bytes.length);
        return new TensorView("w", dtype, shape, MemorySegment.ofArray(shifted).asSlice(3, bytes.length), "test file");
    }

    private static ByteBuffer littleEndian(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static byte[] everyPattern() {
        ByteBuffer bytes = littleEndian(2 * 65536);
        for (int i = 0; i < 65536; i++) {
            bytes.putShort((short) i);
        }
        return bytes.array();
    }

    /** Value of a float with that many exponent and fraction bits, by its definition. */
    private static double value(int pattern, int exponentBits, int fractionBits) {
        int bias = (1 << (exponentBits - 1)) - 1;
        int exponent = (pattern >> fractionBits) & ((1 << exponentBits) - 1);
        double fraction = (pattern & ((1 << fractionBits) - 1)) / (double) (1 << fractionBits);
        double sign = pattern >> 15 == 0 ? 1 : -1;
        if (exponent == (1 << exponentBits) - 1) {
            return fraction == 0 ? sign * Double.POSITIVE_INFINITY : Double.NaN;
        }
        return sign
                * (exponent == 0 ? fraction * Math.pow(2, 1 - bias) : (1 + fraction) * Math.pow(2, exponent - bias));
    }

    @ParameterizedTest
    @EnumSource(names = {"F16", "BF16"})
    void every16BitPatternConvertsExactly(DType dtype) {
        float[] floats = view(dtype, everyPattern(), 65536).toFloats();
        for (int i = 0; i < 65536; i++) {
            double want = dtype == DType.F16 ? value(i, 5, 10) : value(i, 8, 7);
            // Through bits, so that the sign of zero counts; every such value is a float32.
            assertEquals(Float.floatToIntBits((float) want), Float.floatToIntBits(floats[i]), "pattern " + i);
            assertTrue(Double.isNaN(want) || want == (float) want, "pattern " + i);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"F16", "BF16", "F32", "F64"})
    void aPartIsTheSameAsThatPartOfTheWhole(DType dtype) {
        int n = 10_000;
        ByteBuffer bytes = littleEndian(n * dtype.bits() / 8);
        for (int i = 0; i < n; i++) {
            switch (dtype) {
                case F32 -> bytes.putFloat(i * 0.37f - 1000);
                case F64 -> bytes.putDouble(i * 0.37 - 1000);
                default -> bytes.putShort((short) (i * 7));
            }
        }
        TensorView view = view(dtype, bytes.array(), n);
        float[] whole = view.toFloats();
        float[] part = new float[5000];
        view.copyTo(4321, part, 11, 4500);
        for (int i = 0; i < part.length; i++) {
            boolean inside = i >= 11 && i < 4511;
            assertEquals(inside ? whole[4321 + i - 11] : 0f, part[i], "at " + i);
        }
    }

    @Test
    void f32KeepsItsBitsAndF64RoundsToNearest() {
        int[] patterns = {0, 0x80000000, 1, 0x7f7fffff, 0xff800000, 0x3f800001};
        ByteBuffer f32 = littleEndian(4 * patterns.length);
        for (int p : patterns) {
            f32.putInt(p);
        }
        float[] floats = view(DType.F32, f32.array(), patterns.length).toFloats();
        for (int i = 0; i < patterns.length; i++) {
            assertEquals(patterns[i], Float.floatToRawIntBits(floats[i]));
        }
        byte[] f64 = littleEndian(16).putDouble(Math.PI).putDouble(1e300).array();
        assertArrayEquals(
                new float[] {(float) Math.PI, Float.POSITIVE_INFINITY},
                view(DType.F64, f64, 2).toFloats());
    }

    @Test
    void integersConvertToLongs() {
        byte[] bytes = {-1, -1, -1, -1, -1, -1, -1, -1};
        assertArrayEquals(new long[] {-1}, view(DType.I64, bytes, 1).toLongs());
        assertArrayEquals(new long[] {-1, -1}, view(DType.I32, bytes, 2).toLongs());
        assertArrayEquals(
                new long[] {0xFFFFFFFFL, 0xFFFFFFFFL}, view(DType.U32, bytes, 2).toLongs());
        assertArrayEquals(new long[] {-1, -1, -1, -1}, view(DType.I16, bytes, 4).toLongs());
        assertArrayEquals(
                new long[] {65535, 65535, 65535, 65535},
                view(DType.U16, bytes, 4).toLongs());
        assertEquals(-1, view(DType.I8, bytes, 8).toLongs()[7]);
        assertEquals(255, view(DType.U8, bytes, 8).toLongs()[7]);
        assertArrayEquals(
                new long[] {1, 0}, view(DType.BOOL, new byte[] {1, 0}, 2).toLongs());
        TillerException e = assertThrows(
                TillerException.class, () -> view(DType.U64, bytes, 1).toLongs());
        assertTrue(e.getMessage().contains("18446744073709551615"), e.getMessage());
    }

    @ParameterizedTest
    @EnumSource
    void otherTypesAreRefusedByName(DType dtype) {
        TensorView view = view(dtype, new byte[8], 1);
        if (!dtype.isFloat()) {
            TillerException e = assertThrows(TillerException.class, view::toFloats);
            assertTrue(e.getMessage().contains("w " + dtype + "[1] in test file"), e.getMessage());
        }
        if (!dtype.isInteger()) {
            TillerException e = assertThrows(TillerException.class, view::toLongs);
            assertTrue(e.getMessage().contains("w " + dtype + "[1] in test file"), e.getMessage());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"f32", "F33", "", "Q4_0"})
    void unknownNamesAreRefused(String name) {
        assertThrows(TillerException.class, () -> DType.parse(name));
    }

    @Test
    void emptyTensorsConvertToNothing() {
        assertEquals(0, view(DType.F16, new byte[0], 0, 7).toFloats().length);
        assertEquals(0, view(DType.F32, new byte[0], 0).toFloats().length);
    }
}
