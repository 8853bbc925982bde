package dev.tiller.loader;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * A named tensor in a memory-mapped file (zero copy) or in memory. Row-major, little-endian, possibly unaligned.
 *
 * @param name name inside the file
 * @param dtype element type as stored
 * @param shape dimensions, outermost first; an empty array is a scalar
 * @param data exactly the bytes of the tensor
 * @param source the file it came from, for error messages
 */
public record TensorView(String name, DType dtype, long[] shape, MemorySegment data, String source) {

    public TensorView {
        shape = shape.clone();
    }

    @Override
    public long[] shape() {
        return shape.clone();
    }

    /** Number of elements: the product of the dimensions. */
    public long elements() {
        long n = 1;
        for (long s : shape) {
            n *= s;
        }
        return n;
    }

    /** First dimension of a matrix [rows, columns]; a vector [n] counts as one row. */
    public int rows() {
        return shape.length == 2 ? Math.toIntExact(shape[0]) : 1;
    }

    /** Last dimension. */
    public int columns() {
        return shape.length == 0 ? 1 : Math.toIntExact(shape[shape.length - 1]);
    }

    /** The whole tensor as float32. Only floating types; others are refused with an error that names the tensor. */
    public float[] toFloats() {
        float[] out = new float[Math.toIntExact(elements())];
        copyTo(0, out, 0, out.length);
        return out;
    }

    /** Converts {@code count} elements, beginning at flat index {@code from}, into {@code out} at {@code at}. */
    public void copyTo(long from, float[] out, int at, int count) {
        dtype.toFloats(data, from, out, at, count, this);
    }

    /** True if {@link #copyBlocks} can give this tensor: one of blocks whose runs of 32 share a scale. */
    public boolean hasRuns() {
        return dtype.isBlocks() && Blocks.run(dtype) == Blocks.SIZE;
    }

    /**
     * Copies {@code count} runs of 32 numbers that share a scale, as they are stored, beginning with run {@code first} of
     * the whole tensor: a block, or an eighth of one of 256 numbers.
     *
     * @param codes one per element, from {@code at} on: from 0 up where there are minima, else signed
     * @param scales one per run, from {@code runAt} on; those of a K type are products of two stored numbers
     * @param minima one per run: what is added to scale times code; left alone by a type that {@link #hasMinima} denies,
     *     for which it may be null
     */
    public void copyBlocks(long first, int count, byte[] codes, int at, float[] scales, float[] minima, int runAt) {
        if (!hasRuns()) {
            throw new IllegalArgumentException("expected a tensor of blocks with runs of 32, found " + describe());
        }
        new Blocks(dtype, data).read(first, count, codes, at, scales, minima, runAt);
    }

    /** True if the numbers of this tensor of blocks are scale times code plus a minimum. */
    public boolean hasMinima() {
        return dtype.isBlocks() && Blocks.hasMinimum(dtype);
    }

    /** The whole tensor as longs. Only integer types and BOOL; others are refused with an error naming the tensor. */
    public long[] toLongs() {
        long[] out = new long[Math.toIntExact(elements())];
        for (int i = 0; i < out.length; i++) {
            out[i] = dtype.toLong(data, i, this);
        }
        return out;
    }

    /** For messages: name, type, shape and file. */
    public String describe() {
        return name + " " + dtype + Arrays.toString(shape) + " in " + source;
    }
}
