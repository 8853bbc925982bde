package dev.tiller.kernels;

/**
 * A row-major matrix [rows, columns] that belongs to one backend. Opaque: only its backend reads or writes the numbers.
 * They are float32 unless a backend was asked for an operand of a shorter type ({@link Backend#buffer(int, int,
 * WeightFormat)}).
 */
public interface Buffer {
    int rows();

    int columns();

    /** The backend that made it. */
    Backend owner();

    /** Type of the numbers. */
    default WeightFormat format() {
        return WeightFormat.F32;
    }
}
