package dev.tiller.loader;

import java.lang.foreign.MemorySegment;

/** Element types of tensors (placeholder until the reader lands). */
public enum DType {
    F32;

    void toFloats(MemorySegment data, long from, float[] out, int at, int count, TensorView tensor) {
        throw new UnsupportedOperationException();
    }
}
