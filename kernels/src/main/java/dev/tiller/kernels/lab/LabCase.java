package dev.tiller.kernels.lab;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.WeightFormat;
import java.util.List;

/**
 * One call of an operation with given numbers.
 *
 * @param name shape and seed, for people
 * @param operand type of matmul inputs on backends that keep them in a short type
 * @param bytes bytes that the operation must move at least, 0 if it is not a benchmark case
 * @param flops floating-point operations that it must do
 * @param setting makes the same inputs on any backend
 */
public record LabCase(String name, WeightFormat operand, double bytes, double flops, Setting setting) {
    /** Puts the inputs on a backend. */
    public interface Setting {
        Prepared on(Backend backend);
    }

    /** Inputs in place: the call, and what it wrote. */
    public interface Prepared {
        /** Runs the operation once. */
        void call();

        /** What it wrote. */
        List<Output> outputs();
    }

    /**
     * Numbers that an operation wrote.
     *
     * @param name which
     * @param columns row width
     * @param values [rows, columns]
     * @param tolerance largest difference allowed, in units of the largest magnitude of the oracle's row
     * @param floor that magnitude counts as at least this
     */
    public record Output(String name, int columns, float[] values, double tolerance, double floor) {
        Output(String name, int columns, float[] values, double tolerance) {
            this(name, columns, values, tolerance, 1e-6);
        }
    }
}
