package dev.tiller.kernels;

/** A buffer kept in a Java array; what the backends that run on the CPU use. */
public final class HeapBuffer implements Buffer {
    /** Row-major elements, rows * columns of them. */
    public final float[] data;

    private final Backend owner;
    private final int rows;
    private final int columns;

    HeapBuffer(Backend owner, int rows, int columns) {
        if (rows < 0 || columns < 0 || (long) rows * columns > Integer.MAX_VALUE - 8) {
            throw new IllegalArgumentException("expected a buffer of at most " + (Integer.MAX_VALUE - 8)
                    + " elements, found [" + rows + ", " + columns + "]");
        }
        this.owner = owner;
        this.rows = rows;
        this.columns = columns;
        this.data = new float[rows * columns];
    }

    /** The array behind a buffer that has been checked to be one of these; null for null. */
    public static float[] array(Buffer buffer) {
        return buffer == null ? null : ((HeapBuffer) buffer).data;
    }

    @Override
    public Backend owner() {
        return owner;
    }

    @Override
    public int rows() {
        return rows;
    }

    @Override
    public int columns() {
        return columns;
    }
}
