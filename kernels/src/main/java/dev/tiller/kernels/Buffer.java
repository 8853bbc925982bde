package dev.tiller.kernels;

/**
 * A row-major float32 matrix [rows, columns] that belongs to one backend. Opaque: only its backend reads or writes the
 * numbers.
 */
public interface Buffer {
    int rows();

    int columns();
}
