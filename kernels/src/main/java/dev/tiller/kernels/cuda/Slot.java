package dev.tiller.kernels.cuda;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A piece of device memory at an address that stays, and its image on the host, which is copied over when it changed. */
final class Slot {
    private final MemorySegment image;
    private final long address;
    private boolean dirty = true;

    Slot(MemorySegment image, long address) {
        this.image = image;
        this.address = address;
    }

    long address() {
        return address;
    }

    long bytes() {
        return image.byteSize();
    }

    MemorySegment image() {
        return image;
    }

    boolean dirty() {
        return dirty;
    }

    /** Called when the image has been copied. */
    void clean() {
        dirty = false;
    }

    void putInt(long offset, int value) {
        if (image.get(ValueLayout.JAVA_INT, offset) != value) {
            image.set(ValueLayout.JAVA_INT, offset, value);
            dirty = true;
        }
    }

    void putFloat(long offset, float value) {
        putInt(offset, Float.floatToRawIntBits(value));
    }

    void putLong(long offset, long value) {
        if (image.get(ValueLayout.JAVA_LONG, offset) != value) {
            image.set(ValueLayout.JAVA_LONG, offset, value);
            dirty = true;
        }
    }

    void putInts(long offset, int[] source, int from, int count) {
        for (int i = 0; i < count; i++) {
            putInt(offset + 4L * i, source[from + i]);
        }
    }
}
