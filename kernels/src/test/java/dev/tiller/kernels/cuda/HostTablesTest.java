package dev.tiller.kernels.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.kernels.EditTable;
import dev.tiller.kernels.EditTable.Kind;
import dev.tiller.kernels.Rows;
import dev.tiller.kernels.scalar.ScalarBackend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What the host writes for kernels to read, byte by byte as args.cuh lays it out. No device is needed. */
class HostTablesTest {
    private static final long DIRECTIONS = 0x1000;
    private static final int WIDTH = 6;

    private static Slot slot(long bytes, long address) {
        return new Slot(Arena.ofAuto().allocate(Math.max(bytes, 1), 8), address);
    }

    @Test
    void bucketsHoldTheirRowsAndGrowByAQuarterAtMost() {
        for (int n = 1; n <= 1000; n++) {
            int bucket = RowBuckets.rows(n);
            assertTrue(bucket >= n && RowBuckets.rows(bucket) == bucket, n + " rows");
            assertTrue(RowBuckets.rows(n - 1) <= bucket, n + " rows");
            assertTrue(n <= 16 || bucket <= n * 1.5, n + " rows");
        }
        for (int n : new int[] {0, 1, 2, 4, 8, 16, 64, 80, 128, 160, 256, 257, 999}) {
            assertEquals(n, RowBuckets.rows(n));
        }
        assertEquals(256, RowBuckets.positions(1));
        assertEquals(256, RowBuckets.positions(256));
        assertEquals(512, RowBuckets.positions(257));
        assertEquals(512, RowBuckets.positions(512));
        assertEquals(1 << 17, RowBuckets.positions(100_000));
    }

    /** The entries of a row as the kernel would walk through them: code, edit index, coefficient, bounds. */
    private static List<String> walk(Slot table, Slot more, int row) {
        List<String> out = new ArrayList<>();
        Slot in = table;
        for (long at = 128L * row; ; at += 32) {
            MemorySegment m = in.image();
            int code = m.get(ValueLayout.JAVA_INT, at + 20);
            long pointer = m.get(ValueLayout.JAVA_LONG, at);
            if (code == -1) {
                return out;
            }
            if (code == -2) {
                assertEquals(table, in, "a jump leads to the end");
                assertEquals(3, out.size(), "three entries lie before a jump");
                in = more;
                at = pointer - more.address() - 32;
                continue;
            }
            assertTrue(in == more || at < 128L * (row + 1), "the line of the row has an end");
            long edit = (pointer - DIRECTIONS) / (4 * WIDTH);
            assertEquals(0, (pointer - DIRECTIONS) % (4 * WIDTH));
            out.add((code & 15) + "/" + (code >> 4) + " of " + edit + " * " + m.get(ValueLayout.JAVA_FLOAT, at + 8)
                    + " in " + m.get(ValueLayout.JAVA_FLOAT, at + 12) + ".." + m.get(ValueLayout.JAVA_FLOAT, at + 16));
        }
    }

    @Test
    void editsAreListedByPhaseWithAJumpWhereThereAreMany() {
        try (ScalarBackend b = new ScalarBackend("shapes")) {
            Kind[] kinds = {Kind.ADD, Kind.ABLATE, Kind.CLAMP};
            float[] low = {0, 0, -1};
            float[] high = {0, 0, 2};
            var directions = b.buffer(3, WIDTH);
            EditTable out = new EditTable(
                    kinds,
                    directions,
                    low,
                    high,
                    new int[] {0, 1, 1, 2, 2, 7},
                    new int[] {0, 2, 0, 1, 2, 0, 1},
                    new float[] {.5f, 1, 2, 3, 4, 5, 6});
            EditTable after = new EditTable(
                    kinds,
                    directions,
                    low,
                    high,
                    new int[] {0, 2, 2, 5, 8, 8},
                    new int[] {1, 2, 0, 0, 0, 1, 1, 1},
                    new float[] {7, 8, 9, 10, 11, 12, 13, 14});
            EditTable[] phases = {out, EditTable.NONE, EditTable.NONE, after};
            EditLists lists = new EditLists(phases, 5, WIDTH, buffer -> buffer == directions ? DIRECTIONS : 0);
            assertEquals((2 + 3) * 32, lists.overflow()); // rows 2 (4 entries) and 4 (5 entries)
            Slot table = slot(8 * 128, 0x100000);
            Slot more = slot(lists.overflow(), 0x200000);
            table.image().fill((byte) 0x5a);
            lists.write(table, 8, more);
            assertEquals(
                    List.of("0/0 of 0 * 0.5 in 0.0..0.0", "1/3 of 1 * 7.0 in 0.0..0.0", "2/3 of 2 * 8.0 in -1.0..2.0"),
                    walk(table, more, 0));
            assertEquals(List.of(), walk(table, more, 1));
            assertEquals(
                    List.of(
                            "2/0 of 2 * 1.0 in -1.0..2.0",
                            "0/3 of 0 * 9.0 in 0.0..0.0",
                            "0/3 of 0 * 10.0 in 0.0..0.0",
                            "0/3 of 0 * 11.0 in 0.0..0.0"),
                    walk(table, more, 2));
            assertEquals(3, walk(table, more, 3).size());
            assertEquals(
                    List.of(
                            "0/0 of 0 * 2.0 in 0.0..0.0",
                            "1/0 of 1 * 3.0 in 0.0..0.0",
                            "2/0 of 2 * 4.0 in -1.0..2.0",
                            "0/0 of 0 * 5.0 in 0.0..0.0",
                            "1/0 of 1 * 6.0 in 0.0..0.0"),
                    walk(table, more, 4));
            for (int dummy = 5; dummy < 8; dummy++) {
                assertEquals(List.of(), walk(table, more, dummy));
            }
        }
    }

    /** A turn names two directions, a probe and what waits for it the gate of their row; the rest has no direction. */
    @Test
    void editsNameTheirSecondOperand() {
        try (ScalarBackend b = new ScalarBackend("shapes")) {
            var directions = b.buffer(3, WIDTH);
            var gates = b.buffer(4, 5);
            EditTable edits = new EditTable(
                    new Kind[] {Kind.ROTATE, Kind.PROBE, Kind.WHEN, Kind.KEEP_NORM},
                    directions,
                    new int[] {2, 1, 0, 0},
                    new int[] {0, 3, 4, 0},
                    new float[] {.25f, 0, 1, 0},
                    new float[] {.75f, 0, 2, 0},
                    new int[] {0, 0, 3, 4},
                    new int[] {0, 1, 2, 3},
                    new float[] {1, 1, 1, 1},
                    gates);
            EditTable[] phases = {EditTable.NONE, EditTable.NONE, edits, EditTable.NONE};
            long at = 0x600000;
            EditLists lists = new EditLists(phases, 3, WIDTH, buffer -> buffer == directions ? DIRECTIONS : at);
            Slot table = slot(3 * 128, 0x100000);
            lists.write(table, 3, null);
            long[][] expected = { // direction, kind and phase, second
                {DIRECTIONS + 2 * 4 * WIDTH, 3 | 2 << 4, DIRECTIONS},
                {DIRECTIONS + 4 * WIDTH, 6 | 2 << 4, at + 4 * (5 + 3)},
                {0, 7 | 2 << 4, at + 4 * (5 + 4)},
                {0, -1, 0},
                {0, 4 | 2 << 4, 0}
            };
            for (int i = 0; i < expected.length; i++) {
                long entry = 128 + 32L * i;
                assertEquals(expected[i][0], table.image().get(ValueLayout.JAVA_LONG, entry), "direction " + i);
                assertEquals(expected[i][1], number(table, entry + 20), "code " + i);
                assertEquals(expected[i][2], table.image().get(ValueLayout.JAVA_LONG, entry + 24), "second " + i);
            }
            assertEquals(-1, number(table, 20), "row 0 has no edits");
        }
    }

    private static int number(Slot s, long at) {
        return s.image().get(ValueLayout.JAVA_INT, at);
    }

    private static long pointer(Slot s, long at) {
        return s.image().get(ValueLayout.JAVA_LONG, at) - s.address();
    }

    @Test
    void rowsStandWhereTheirSequencesPagesAre() {
        int[][] pages = {{7, 8, 9}, {3}, {5, 6, 6, 6}};
        int n = 3 + 70 + 1; // three rows of sequence 2, seventy of 0, one of 1
        int[] position = new int[n];
        int[] sequence = new int[n];
        for (int t = 0; t < n; t++) {
            position[t] = t < 3 ? 15 + t : t < 73 ? t - 3 - (t - 3) / 48 * 22 : 4;
            sequence[t] = t < 3 ? 2 : t < 73 ? 0 : 1;
        }
        int[] angle = IntStream.range(0, n).map(t -> 1000 - t).toArray();
        Rows rows = new Rows(n, position, sequence, pages, angle);
        RowTable table = new RowTable(rows, 80, 0);
        assertEquals(1, table.singles());
        assertEquals(3, table.tiles()); // 3 rows, 64 and 6
        assertEquals(48, table.positions());
        Slot s = slot(table.bytes(), 0x7000);
        table.write(rows, s);
        assertEquals(3, number(s, 32)); // pages of a table
        assertEquals(80, number(s, 36));
        for (int t = 0; t < 80; t++) {
            int p = number(s, pointer(s, 8) + 4L * t);
            int run = number(s, pointer(s, 16) + 4L * t);
            int page = number(s, pointer(s, 24) + 4L * (run * 3 + p / 16));
            assertEquals(t < n ? position[t] : 0, p, "row " + t);
            assertEquals(t < n ? pages[sequence[t]][position[t] / 16] : CudaKvPages.SCRATCH, page, "row " + t);
            assertEquals(t, number(s, table.allRows() + 4L * t));
            assertEquals(t < n ? 1000 - t : 0, number(s, pointer(s, 40) + 4L * t), "angle of row " + t);
            assertEquals(t == 0 ? 73 : -1, number(s, table.rowList() + 4L * t));
        }
        int[] tiles = {0, 3, 3, 64, 67, 6};
        for (int i = 0; i < tiles.length; i++) {
            assertEquals(tiles[i], number(s, table.tileList() + 4L * i));
        }
    }

    /** A recorded step keeps its slot: the size depends on the bucket alone. */
    @Test
    void theTableOfADecodeStepHasTheSizeOfItsBucket() {
        long bytes = -1;
        for (int n = 5; n <= 8; n++) {
            int[][] pages = new int[n + 2][];
            int[] sequence = new int[n];
            for (int t = 0; t < n; t++) {
                sequence[t] = t + 2;
                pages[t + 2] = new int[20];
            }
            RowTable table = new RowTable(new Rows(n, new int[n], sequence, pages), 8, 256);
            assertTrue(table.decode());
            assertTrue(bytes == -1 || bytes == table.bytes());
            bytes = table.bytes();
            table.write(new Rows(n, new int[n], sequence, pages), slot(bytes, 0));
        }
    }

    @Test
    void aLogHoldsOnlyForTheCallsRecorded() {
        Object a = new Object();
        CallLog log = CallLog.recording();
        log.with(a).with(3).with(1.5f);
        String kept = log.kept(String.class, () -> "kept");
        assertTrue(log.holds());
        for (int different = 0; different < 6; different++) {
            log.compare();
            log.with(different == 1 ? new Object() : a).with(different == 2 ? 4 : 3);
            if (different != 3) {
                log.with(different == 4 ? -1.5f : 1.5f);
            }
            String found = log.kept(String.class, () -> "made");
            if (different == 5) {
                log.with(a);
            }
            assertEquals(different == 0, log.holds(), "difference " + different);
            assertTrue(different != 0 || found == kept);
        }
        log.compare();
        log.with(a).with(3).with(1.5f);
        assertNull(log.kept(Integer.class, () -> 1));
        assertFalse(log.holds());
        log.compare();
        log.refuse();
        log.with(a).with(3).with(1.5f);
        assertFalse(log.holds());
    }

    @Test
    void aSlotIsCopiedOnlyIfItChanged() {
        Slot s = slot(16, 0);
        s.putInt(4, 9);
        s.clean();
        s.putInt(4, 9);
        s.putLong(8, 0);
        s.putFloat(0, 0f);
        assertFalse(s.dirty());
        s.putFloat(0, -0f);
        assertTrue(s.dirty());
    }
}
