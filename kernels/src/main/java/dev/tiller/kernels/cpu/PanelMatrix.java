package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.L;

import dev.tiller.kernels.Matrix;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.WeightRows;
import dev.tiller.loader.TillerException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A weight [n, k] in panels of 2 L rows, each panel [k, 2 L], outside the Java heap; the last panel is filled up with
 * zero rows. So a panel is read as one stream, a vector holds one input's weights for L outputs, and no sum runs across
 * lanes. In 16-bit formats row i and row L + i of a panel share one 32-bit word (low and high half): a shift and a mask
 * widen them.
 *
 * <p>16-bit floats are kept with another exponent bias and without subnormal numbers, 2^-24 to 2^7 instead of 2^-14 to
 * 2^16 and below in fixed point: widening is then a multiplication that never meets a subnormal number, which would cost
 * more than all the rest. A weight with numbers of 128 and more does not fit and is kept in 32 bits.
 */
final class PanelMatrix implements Matrix {
    /** Rows of a panel. */
    static final int PANEL = 2 * L;

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Bias of the exponents of 16-bit floats here: field e means 2^(e - 25). */
    private static final int HALF_BIAS = 25;

    /** What a 16-bit float moved to the place of a float32 must be multiplied by. */
    static final float HALF_SCALE = 0x1p102f;

    final SimdBackend owner;
    final MemorySegment data;
    private final int rows;
    private final int columns;
    private final WeightFormat format;
    private final WeightFormat storage;

    /** Repacks the weight, panel by panel on all threads. */
    PanelMatrix(SimdBackend owner, WeightRows source, Arena arena, WorkerPool pool) {
        this.owner = owner;
        this.rows = source.rows();
        this.columns = source.columns();
        this.format = source.format();
        boolean wide = format.quantised() || format == WeightFormat.F16 && !fitsHalves(source, pool);
        this.storage = wide ? WeightFormat.F32 : format;
        try {
            this.data = arena.allocate(bytes(), 64);
        } catch (OutOfMemoryError e) {
            throw new TillerException("no memory for " + bytes() + " bytes of weights", e);
        }
        pool.run((from, to, worker) -> pack(source, from, to), panels(), 1);
    }

    private static boolean fitsHalves(WeightRows source, WorkerPool pool) {
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

    private void pack(WeightRows source, int from, int to) {
        float[] block = new float[PANEL * columns];
        for (int p = from; p < to; p++) {
            int count = Math.min(PANEL, rows - p * PANEL);
            for (int r = 0; r < count; r++) {
                source.row(p * PANEL + r, block, r * columns);
            }
            Arrays.fill(block, count * columns, block.length, 0);
            if (storage == WeightFormat.F32) {
                packFloats(block, at(p));
            } else {
                packPairs(block, at(p));
            }
        }
    }

    private void packFloats(float[] block, long at) {
        for (int i = 0; i < columns; i++) {
            for (int r = 0; r < PANEL; r++) {
                data.set(FLOAT, at + ((long) i * PANEL + r) * Float.BYTES, block[r * columns + i]);
            }
        }
    }

    private void packPairs(float[] block, long at) {
        for (int i = 0; i < columns; i++) {
            for (int r = 0; r < L; r++) {
                int low = bits(block[r * columns + i]);
                int high = bits(block[(L + r) * columns + i]);
                data.set(INT, at + ((long) i * L + r) * Integer.BYTES, low & 0xffff | high << 16);
            }
        }
    }

    /** The 16 bits of a number that the format holds exactly. */
    private int bits(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (format == WeightFormat.BF16) {
            return bits >>> 16;
        }
        int exponent = value == 0 ? 0 : Math.getExponent(value) + HALF_BIAS;
        return bits >>> 16 & 0x8000 | exponent << 10 | bits >>> 13 & 0x3ff;
    }

    private float value(short bits) {
        return format == WeightFormat.BF16
                ? Float.intBitsToFloat(bits << 16)
                : Float.intBitsToFloat(bits << 13 & 0x8fffe000) * HALF_SCALE;
    }

    /** out[at + i] = scale * weight[row, i]. */
    void unpack(int row, float scale, float[] out, int at) {
        int lane = row % PANEL;
        long from = at(row / PANEL);
        if (storage == WeightFormat.F32) {
            for (int i = 0; i < columns; i++) {
                out[at + i] = scale * data.get(FLOAT, from + ((long) i * PANEL + lane) * Float.BYTES);
            }
            return;
        }
        int place = lane < L ? 2 * lane : 2 * (lane - L) + 1;
        for (int i = 0; i < columns; i++) {
            short bits = data.get(SHORT, from + ((long) i * PANEL + place) * Short.BYTES);
            out[at + i] = scale * value(bits);
        }
    }

    int panels() {
        return Math.ceilDiv(rows, PANEL);
    }

    private long panelBytes() {
        return (long) columns * PANEL * storage.bytes();
    }

    /** Byte at which a panel begins. */
    long at(int panel) {
        return panel * panelBytes();
    }

    @Override
    public int rows() {
        return rows;
    }

    @Override
    public int columns() {
        return columns;
    }

    @Override
    public WeightFormat format() {
        return format;
    }

    /** How the numbers lie in memory: {@link #format} or F32. */
    WeightFormat storage() {
        return storage;
    }

    @Override
    public long bytes() {
        return panels() * panelBytes();
    }
}
