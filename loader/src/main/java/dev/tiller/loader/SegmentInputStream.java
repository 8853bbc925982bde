package dev.tiller.loader;

import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Reads a segment from its first to its last byte. */
final class SegmentInputStream extends InputStream {
    private final MemorySegment data;
    private long position;

    SegmentInputStream(MemorySegment data) {
        this.data = data;
    }

    @Override
    public int read() {
        return position == data.byteSize() ? -1 : data.get(ValueLayout.JAVA_BYTE, position++) & 0xFF;
    }

    @Override
    public int read(byte[] out, int at, int count) {
        long left = data.byteSize() - position;
        if (left == 0 && count > 0) {
            return -1;
        }
        int n = (int) Math.min(left, count);
        MemorySegment.copy(data, ValueLayout.JAVA_BYTE, position, out, at, n);
        position += n;
        return n;
    }
}
