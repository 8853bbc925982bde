package dev.tiller.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SlabsTest {
    /** Pieces of all sizes, some larger than a slab: zeroed, aligned as asked for, and none on top of another. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void givesEachItsOwnMemory(long seed) {
        Random random = new Random(seed);
        try (Arena arena = Arena.ofShared()) {
            Slabs slabs = new Slabs(arena);
            List<MemorySegment> given = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                long bytes = 1 + (long) Math.pow(2, random.nextDouble() * (i % 50 == 7 ? 24 : 16));
                long alignment = 1L << random.nextInt(13);
                MemorySegment m = slabs.allocate(bytes, alignment);
                assertEquals(bytes, m.byteSize());
                assertEquals(0, m.address() % alignment);
                assertEquals(-1, m.mismatch(MemorySegment.ofArray(new byte[(int) bytes])), "zeroed");
                m.fill((byte) i);
                given.add(m);
            }
            for (int i = 0; i < given.size(); i++) {
                MemorySegment m = given.get(i);
                assertEquals((byte) i, m.get(ValueLayout.JAVA_BYTE, 0), "first byte of piece " + i);
                assertEquals((byte) i, m.get(ValueLayout.JAVA_BYTE, m.byteSize() - 1), "last byte of piece " + i);
                assertEquals(-1, m.mismatch(filled(m.byteSize(), (byte) i)), "piece " + i);
            }
        }
    }

    /** What is left of a slab serves what still fits, so that small matrices behind a large one take no slab of their own. */
    @Test
    void fillsWhatIsLeft() {
        try (Arena arena = Arena.ofShared()) {
            Slabs slabs = new Slabs(arena);
            MemorySegment first = slabs.allocate(LargePages.PAGE, 64);
            MemorySegment large = slabs.allocate(100 * LargePages.PAGE, 64);
            MemorySegment small = slabs.allocate(LargePages.PAGE, 64);
            assertEquals(first.address() + LargePages.PAGE, small.address());
            assertTrue(large.address() % LargePages.PAGE == 0, "a slab begins with a large page");
        }
    }

    /** The request concerns memory of any place and size, and leaves what is in it. */
    @Test
    void askingKeepsTheContent() {
        try (Arena arena = Arena.ofShared()) {
            for (long bytes : new long[] {1, LargePages.PAGE - 1, LargePages.PAGE, 3 * LargePages.PAGE + 5}) {
                MemorySegment m = arena.allocate(bytes, 1).fill((byte) 7);
                LargePages.ask(m);
                assertEquals(-1, m.mismatch(filled(bytes, (byte) 7)), bytes + " bytes");
            }
        }
    }

    private static MemorySegment filled(long bytes, byte value) {
        return MemorySegment.ofArray(new byte[(int) bytes]).fill(value);
    }
}
