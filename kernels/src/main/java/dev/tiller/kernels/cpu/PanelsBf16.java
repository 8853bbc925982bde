package dev.tiller.kernels.cpu;

import java.lang.foreign.MemorySegment;

/** Weights in bfloat16. */
final class PanelsBf16 extends PanelsPairs {
    PanelsBf16(int columns) {
        super(columns);
    }

    @Override
    String name() {
        return "bf16-1";
    }

    @Override
    int bits(float value) {
        return Float.floatToRawIntBits(value) >>> 16;
    }

    @Override
    float value(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    @Override
    void rows(
            MemorySegment data, long v, long w, float[] x, int t, int last, float[] out, int vAt, int wAt, int stride) {
        if (last == 0) {
            TilesBf16.row(data, v, w, columns, x, out, vAt, wAt);
        } else {
            TilesBf16.rows4(data, v, w, columns, x, t, last, out, vAt, wAt, stride);
        }
    }

    @Override
    void panel(MemorySegment data, long v, float[] x, int t, int last, float[] out, int outAt, int stride) {
        if (last - t < 4) {
            TilesBf16.panel4(data, v, columns, x, t, last, out, outAt, stride);
        } else {
            TilesBf16.panel6(data, v, columns, x, t, last, out, outAt, stride);
        }
    }
}
