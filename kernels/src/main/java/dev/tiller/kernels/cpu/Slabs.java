package dev.tiller.kernels.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.util.ArrayList;
import java.util.List;

/**
 * Takes memory in large pieces, one matrix behind the other, so that the system can give it in large pages. What is left
 * at the end of a piece is given to smaller matrices; only what is written to takes memory.
 */
final class Slabs implements SegmentAllocator {
    /** Bytes of a piece, at first and at most; a larger matrix gets a piece of its own. */
    private static final long SMALLEST = 4 * LargePages.PAGE;

    private static final long LARGEST = 64 * LargePages.PAGE;

    private static final class Slab {
        final MemorySegment memory;
        long used;

        Slab(MemorySegment memory) {
            this.memory = memory;
        }

        /** Where so many bytes can begin, or -1. */
        long room(long bytes, long alignment) {
            long at = Math.ceilDiv(used, alignment) * alignment;
            return at + bytes <= memory.byteSize() ? at : -1;
        }
    }

    private final Arena arena;
    private final List<Slab> slabs = new ArrayList<>();
    private long next = SMALLEST;

    Slabs(Arena arena) {
        this.arena = arena;
    }

    @Override
    public MemorySegment allocate(long bytes, long alignment) {
        for (Slab slab : slabs) {
            long at = slab.room(bytes, alignment);
            if (at >= 0) {
                slab.used = at + bytes;
                return slab.memory.asSlice(at, bytes);
            }
        }
        long size = Math.ceilDiv(Math.max(bytes, next), LargePages.PAGE) * LargePages.PAGE;
        Slab slab = new Slab(arena.allocate(size, Math.max(alignment, LargePages.PAGE)));
        LargePages.ask(slab.memory);
        next = Math.min(2 * next, LARGEST);
        slabs.add(slab);
        slab.used = bytes;
        return slab.memory.asSlice(0, bytes);
    }
}
