package dev.tiller.kernels.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;

/**
 * Takes memory in large pieces, so that the system can give it in large pages: filling 4 KiB pages one by one costs more
 * than packing weights into them.
 */
final class Slabs implements SegmentAllocator {
    private static final long SMALLEST = 1L << 20;
    private static final long LARGEST = 64L << 20;

    private final Arena arena;
    private long next = SMALLEST;
    private MemorySegment slab = MemorySegment.NULL;
    private long used;

    Slabs(Arena arena) {
        this.arena = arena;
    }

    @Override
    public MemorySegment allocate(long bytes, long alignment) {
        long at = Math.ceilDiv(used, alignment) * alignment;
        if (at + bytes > slab.byteSize()) {
            if (bytes > next / 4) {
                next = Math.min(2 * next, LARGEST);
                return arena.allocate(bytes, alignment);
            }
            slab = arena.allocate(next, Math.max(4096, alignment));
            next = Math.min(2 * next, LARGEST);
            at = 0;
        }
        used = at + bytes;
        return slab.asSlice(at, bytes);
    }
}
