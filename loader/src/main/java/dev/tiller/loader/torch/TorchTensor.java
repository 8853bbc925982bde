package dev.tiller.loader.torch;

import dev.tiller.loader.DType;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * A tensor of a torch file: a view into a storage, checked to lie within it. Element (i, j, ...) is number
 * {@code offset + i * stride[0] + j * stride[1] + ...} of the storage.
 */
public final class TorchTensor {
    /** Most elements of one tensor: any vector has far fewer, and a view can claim more than its storage has. */
    private static final long MAX_ELEMENTS = 1 << 26;

    private static final int MAX_DIMENSIONS = 16;

    private final DType dtype;
    private final long[] shape;
    private final long[] stride;
    private final long offset;
    private final MemorySegment storage;
    private final String source;

    /**
     * @param storage exactly the bytes of the storage
     * @param numel elements of the storage
     * @param source the file, for messages
     */
    TorchTensor(
            DType dtype, long[] shape, long[] stride, long offset, MemorySegment storage, long numel, String source) {
        this.dtype = dtype;
        this.shape = shape;
        this.stride = stride;
        this.offset = offset;
        this.storage = storage;
        this.source = source;
        check(numel);
    }

    private void check(long numel) {
        if (shape.length != stride.length || shape.length > MAX_DIMENSIONS) {
            throw error("expected as many strides as dimensions, at most " + MAX_DIMENSIONS + ", found strides "
                    + Arrays.toString(stride));
        }
        long elements = 1;
        long last = offset;
        for (int i = 0; i < shape.length; i++) {
            if (shape[i] < 0 || stride[i] < 0) {
                throw error("expected no negative size or stride, found strides " + Arrays.toString(stride));
            }
            elements = multiply(elements, shape[i]);
            last = add(last, multiply(Math.max(0, shape[i] - 1), stride[i]));
        }
        if (elements > MAX_ELEMENTS) {
            throw error("expected at most " + MAX_ELEMENTS + " elements, found " + elements);
        }
        if (offset < 0 || offset > numel || elements > 0 && last >= numel) {
            throw error("expected all elements within its storage of " + numel + ", found offset " + offset
                    + " and strides " + Arrays.toString(stride));
        }
    }

    private long multiply(long a, long b) {
        try {
            return Math.multiplyExact(a, b);
        } catch (ArithmeticException e) {
            throw error("its sizes overflow");
        }
    }

    private long add(long a, long b) {
        try {
            return Math.addExact(a, b);
        } catch (ArithmeticException e) {
            throw error("its sizes overflow");
        }
    }

    private TillerException error(String message) {
        return new TillerException(source + ": tensor " + describe() + ": " + message);
    }

    /** Element type as stored. */
    public DType dtype() {
        return dtype;
    }

    /** Dimensions, outermost first; empty for a scalar. */
    public long[] shape() {
        return shape.clone();
    }

    /** Steps in elements of the storage, one per dimension. */
    public long[] stride() {
        return stride.clone();
    }

    /** Number of elements: the product of the dimensions. */
    public int elements() {
        long n = 1;
        for (long s : shape) {
            n *= s;
        }
        return (int) n;
    }

    /** All elements, row-major. Floating types only; F64 is rounded to the nearest float32 ({@link #isExact()}). */
    public float[] toFloats() {
        if (!dtype.isFloat()) {
            throw error("expected floating-point numbers, found " + dtype);
        }
        TensorView view = view();
        float[] all = new float[elements()];
        if (contiguous()) {
            view.copyTo(offset, all, 0, all.length);
            return all;
        }
        float[] one = new float[1];
        each((i, at) -> {
            view.copyTo(at, one, 0, 1);
            all[i] = one[0];
        });
        return all;
    }

    /** All elements of an integer type, row-major. */
    public long[] toLongs() {
        if (dtype.isFloat()) {
            throw error("expected whole numbers, found " + dtype);
        }
        if (storage.byteSize() > MAX_ELEMENTS) {
            throw error("expected a storage of at most " + MAX_ELEMENTS + " bytes, found " + storage.byteSize());
        }
        long[] storageValues = view().toLongs();
        long[] all = new long[elements()];
        each((i, at) -> all[i] = storageValues[(int) at]);
        return all;
    }

    /** True if {@link #toFloats} loses nothing: false only for an F64 value that no float32 equals. */
    public boolean isExact() {
        if (dtype != DType.F64) {
            return true;
        }
        boolean[] exact = {true};
        each((i, at) -> {
            double d = storage.get(TorchFile.DOUBLE, at * Double.BYTES);
            exact[0] &= (float) d == d || Double.isNaN(d);
        });
        return exact[0];
    }

    private TensorView view() {
        long numel = storage.byteSize() * Byte.SIZE / dtype.bits();
        return new TensorView("storage", dtype, new long[] {numel}, storage, source);
    }

    private boolean contiguous() {
        long step = 1;
        for (int i = shape.length - 1; i >= 0; i--) {
            if (shape[i] > 1 && stride[i] != step) {
                return false;
            }
            step *= shape[i];
        }
        return true;
    }

    /** Takes the row-major number of an element and its place in the storage. */
    private interface Visit {
        void at(int index, long place);
    }

    private void each(Visit visit) {
        int n = elements();
        long[] index = new long[shape.length];
        long place = offset;
        for (int i = 0; i < n; i++) {
            visit.at(i, place);
            for (int d = shape.length - 1; d >= 0; d--) {
                place += stride[d];
                if (++index[d] < shape[d]) {
                    break;
                }
                place -= stride[d] * shape[d];
                index[d] = 0;
            }
        }
    }

    /** For messages: type and shape. */
    public String describe() {
        return dtype + Arrays.toString(shape);
    }
}
