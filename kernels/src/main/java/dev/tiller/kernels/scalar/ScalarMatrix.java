package dev.tiller.kernels.scalar;

import dev.tiller.kernels.Matrix;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.WeightRows;
import dev.tiller.loader.TillerException;

/**
 * A weight [n, k] as float32 rows. Numbers of a shorter format are rounded to it but kept in 32 bits.
 *
 * @param owner the backend it belongs to
 * @param format what the numbers are rounded to
 * @param data [n][k]
 */
record ScalarMatrix(ScalarBackend owner, WeightFormat format, float[][] data) implements Matrix {

    static ScalarMatrix of(ScalarBackend owner, WeightRows source) {
        float[][] data;
        try {
            data = new float[source.rows()][source.columns()];
        } catch (OutOfMemoryError e) {
            throw new TillerException(
                    "no memory for " + 4L * source.rows() * source.columns() + " bytes of weights; the scalar backend"
                            + " keeps them in the Java heap, which is limited to "
                            + Runtime.getRuntime().maxMemory() + " bytes (raise it with -Xmx)",
                    e);
        }
        for (int r = 0; r < data.length; r++) {
            source.row(r, data[r], 0);
        }
        return new ScalarMatrix(owner, source.format(), data);
    }

    @Override
    public int rows() {
        return data.length;
    }

    @Override
    public int columns() {
        return data.length == 0 ? 0 : data[0].length;
    }

    @Override
    public long bytes() {
        return (long) rows() * columns() * Float.BYTES;
    }
}
