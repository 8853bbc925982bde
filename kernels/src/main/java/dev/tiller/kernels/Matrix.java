package dev.tiller.kernels;

/**
 * A weight matrix [rows = outputs n, columns = inputs k] that belongs to one backend, in whatever layout that backend
 * prefers.
 */
public interface Matrix {
    /** Outputs n. */
    int rows();

    /** Inputs k. */
    int columns();

    /** How the numbers are kept. */
    WeightFormat format();

    /** Bytes that the weights take in memory, padding included. */
    long bytes();
}
