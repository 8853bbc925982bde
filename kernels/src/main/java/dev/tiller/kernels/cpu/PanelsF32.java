package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.L;

import java.lang.foreign.MemorySegment;

/** Weights in 32 bits. */
final class PanelsF32 extends PanelsPlain {
    PanelsF32(int columns) {
        super(columns);
    }

    @Override
    String name() {
        return "f32-1";
    }

    @Override
    long bytes() {
        return 8L * L * columns;
    }

    @Override
    void pack(float[] block, MemorySegment data, long at) {
        for (int i = 0; i < columns; i++) {
            for (int r = 0; r < width; r++) {
                data.set(FLOAT, at + ((long) i * width + r) * Float.BYTES, block[r * columns + i]);
            }
        }
    }

    @Override
    void unpack(MemorySegment data, int row, float scale, float[] out, int at) {
        long from = at(row / width) + (row % width) * 4L;
        for (int i = 0; i < columns; i++) {
            out[at + i] = scale * data.get(FLOAT, from + 4L * i * width);
        }
    }

    @Override
    void rows(
            MemorySegment data, long v, long w, float[] x, int t, int last, float[] out, int vAt, int wAt, int stride) {
        if (last == 0) {
            TilesF32.row(data, v, w, columns, x, out, vAt, wAt);
        } else {
            TilesF32.rows4(data, v, w, columns, x, t, last, out, vAt, wAt, stride);
        }
    }

    @Override
    void panel(MemorySegment data, long v, float[] x, int t, int last, float[] out, int outAt, int stride) {
        if (last - t < 4) {
            TilesF32.panel4(data, v, columns, x, t, last, out, outAt, stride);
        } else {
            TilesF32.panel6(data, v, columns, x, t, last, out, outAt, stride);
        }
    }
}
