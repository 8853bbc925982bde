package dev.tiller.loader.gguf;

import dev.tiller.loader.DType;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * A tensor as it lies in a GGUF file.
 *
 * @param name name inside the file
 * @param dims dimensions, innermost (contiguous) first; empty for a scalar
 * @param type storage of the elements
 * @param data exactly the bytes of the tensor, in the mapped file
 * @param source the file, for messages
 */
public record GgufTensor(String name, long[] dims, GgufType type, MemorySegment data, String source) {

    public GgufTensor {
        dims = dims.clone();
    }

    @Override
    public long[] dims() {
        return dims.clone();
    }

    /** Product of the dimensions. */
    public long elements() {
        return data.byteSize() / type.blockBytes() * type.blockSize();
    }

    /** All elements as float32, innermost dimension contiguous; a type that is not readable is refused. */
    public float[] toFloats() {
        long n = elements();
        if (n > Integer.MAX_VALUE - 8) {
            throw new TillerException(describe() + ": expected fewer than 2^31 elements, found " + n);
        }
        return new TensorView(name, dtype(), new long[] {n}, data, source).toFloats();
    }

    /** The type of the elements by the loader's name; a type that is not readable is refused. */
    DType dtype() {
        requireReadable();
        return DType.valueOf(type.name());
    }

    /** Refuses a type whose values cannot be read, naming those that can. */
    void requireReadable() {
        if (!type.isReadable()) {
            throw new TillerException(
                    source + ": tensor " + name + ": expected type " + GgufType.READABLE + ", found " + type);
        }
    }

    /** For messages: name, type, dimensions (innermost first) and file. */
    public String describe() {
        return name + " " + type + Arrays.toString(dims) + " in " + source;
    }
}
