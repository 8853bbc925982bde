package dev.tiller.kernels.cpu;

import dev.tiller.kernels.Matrix;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.WeightRows;
import dev.tiller.loader.TillerException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;

/** A weight [n, k] in {@link Panels}, outside the Java heap. */
final class PanelMatrix implements Matrix {
    final SimdBackend owner;
    final Panels panels;
    final MemorySegment data;
    private final int rows;
    private final WeightFormat format;

    /** With panels packed before; {@code data} begins at a multiple of 64 and is as long as {@link #bytes} says. */
    PanelMatrix(SimdBackend owner, int rows, WeightFormat format, Panels panels, MemorySegment data) {
        this.owner = owner;
        this.rows = rows;
        this.format = format;
        this.panels = panels;
        this.data = data;
        if (data.byteSize() != bytes() || data.address() % 64 != 0) {
            throw new IllegalArgumentException("expected " + bytes() + " bytes at a multiple of 64, found "
                    + data.byteSize() + " at " + data.address());
        }
    }

    /** Repacks the weight, panel by panel on all threads. */
    static PanelMatrix pack(SimdBackend owner, WeightRows source, SegmentAllocator room, WorkerPool pool) {
        Panels panels = panels(source, pool);
        long bytes = bytes(panels, source.rows());
        MemorySegment data;
        try {
            data = room.allocate(bytes, 64);
        } catch (OutOfMemoryError e) {
            throw new TillerException("no memory for " + bytes + " bytes of weights", e);
        }
        pool.run((from, to, worker) -> panels.pack(source, from, to, data), panels.count(source.rows()), 1);
        return new PanelMatrix(owner, source.rows(), source.format(), panels, data);
    }

    /** The panels that a weight is kept in. */
    static Panels panels(WeightRows source, WorkerPool pool) {
        WeightFormat format = source.format();
        boolean other = format == WeightFormat.F16 && !PanelsF16.fits(source, pool);
        return Panels.of(other ? WeightFormat.F32 : format, source.columns());
    }

    /** Bytes of so many rows. */
    static long bytes(Panels panels, int rows) {
        return panels.at(panels.count(rows));
    }

    /** out[at + i] = scale * weight[row, i]. */
    void unpack(int row, float scale, float[] out, int at) {
        panels.unpack(data, row, scale, out, at);
    }

    @Override
    public int rows() {
        return rows;
    }

    @Override
    public int columns() {
        return panels.columns;
    }

    @Override
    public WeightFormat format() {
        return format;
    }

    @Override
    public long bytes() {
        return bytes(panels, rows);
    }
}
