package dev.tiller.kernels.cpu;

import dev.tiller.kernels.WeightRows;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Weights in 16-bit floats with another exponent bias and without subnormal numbers, 2^-24 to 2^7 instead of 2^-14 to
 * 2^16 and below in fixed point: widening is then a multiplication that never meets a subnormal number, which would cost
 * more than all the rest. A weight with numbers of 128 and more does not fit and is kept in 32 bits.
 */
final class PanelsF16 extends PanelsPairs {
    /** Bias of the exponents: field e means 2^(e - 25). */
    private static final int BIAS = 25;

    /** What a number moved to the place of a float32 must be multiplied by. */
    static final float SCALE = 0x1p102f;

    PanelsF16(int columns) {
        super(columns);
    }

    /** Whether all numbers are small enough. */
    static boolean fits(WeightRows source, WorkerPool pool) {
        AtomicBoolean fits = new AtomicBoolean(true);
        WorkerPool.Task task = (from, to, worker) -> {
            float[] row = new float[source.columns()];
            for (int r = from; r < to; r++) {
                source.row(r, row, 0);
                for (float value : row) {
                    if (!(Math.abs(value) < 128)) {
                        fits.set(false);
                    }
                }
            }
        };
        pool.run(task, source.rows(), 16);
        return fits.get();
    }

    @Override
    String name() {
        return "f16-1";
    }

    @Override
    int bits(float value) {
        int bits = Float.floatToRawIntBits(value);
        int exponent = value == 0 ? 0 : Math.getExponent(value) + BIAS;
        return bits >>> 16 & 0x8000 | exponent << 10 | bits >>> 13 & 0x3ff;
    }

    @Override
    float value(short bits) {
        return Float.intBitsToFloat(bits << 13 & 0x8fffe000) * SCALE;
    }

    @Override
    void rows(
            MemorySegment data, long v, long w, float[] x, int t, int last, float[] out, int vAt, int wAt, int stride) {
        if (last == 0) {
            TilesF16.row(data, v, w, columns, x, out, vAt, wAt);
        } else {
            TilesF16.rows4(data, v, w, columns, x, t, last, out, vAt, wAt, stride);
        }
    }

    @Override
    void panel(MemorySegment data, long v, float[] x, int t, int last, float[] out, int outAt, int stride) {
        if (last - t < 4) {
            TilesF16.panel4(data, v, columns, x, t, last, out, outAt, stride);
        } else {
            TilesF16.panel6(data, v, columns, x, t, last, out, outAt, stride);
        }
    }
}
