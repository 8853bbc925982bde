package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.L;

import java.lang.foreign.MemorySegment;

/** Weights in 16 bits: row i and row L + i of a panel share one 32-bit word; a shift and a mask widen them. */
abstract class PanelsPairs extends PanelsPlain {
    PanelsPairs(int columns) {
        super(columns);
    }

    /** The 16 bits of a number that the format holds exactly. */
    abstract int bits(float value);

    /** The number that 16 bits stand for. */
    abstract float value(short bits);

    @Override
    final long bytes() {
        return 4L * L * columns;
    }

    @Override
    final void pack(float[] block, MemorySegment data, long at) {
        for (int i = 0; i < columns; i++) {
            for (int r = 0; r < L; r++) {
                int low = bits(block[r * columns + i]);
                int high = bits(block[(L + r) * columns + i]);
                data.set(INT, at + ((long) i * L + r) * Integer.BYTES, low & 0xffff | high << 16);
            }
        }
    }

    @Override
    final void unpack(MemorySegment data, int row, float scale, float[] out, int at) {
        int lane = row % width;
        int place = lane < L ? 2 * lane : 2 * (lane - L) + 1;
        long from = at(row / width) + 2L * place;
        for (int i = 0; i < columns; i++) {
            out[at + i] = scale * value(data.get(SHORT, from + 4L * i * L));
        }
    }
}
