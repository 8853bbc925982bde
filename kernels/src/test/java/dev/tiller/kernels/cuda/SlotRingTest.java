package dev.tiller.kernels.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.EditTable;
import dev.tiller.kernels.SiteTaps;
import dev.tiller.kernels.StepShape;
import dev.tiller.kernels.scalar.ScalarBackend;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Long steps use up the room for tables several times over; no call may lose a table that it has filled already. */
class SlotRingTest {
    private static final int ROWS = 2040;
    private static final int WIDTH = 4;

    /** A table of this many rows takes 255 KB of 4 MB: the last of so many calls comes where the room is full. */
    @ParameterizedTest
    @ValueSource(ints = {15, 16, 17, 31, 32, 33, 48})
    void tablesOfACallLastUntilItRuns(int calls) {
        try (Backend tested = CudaForTests.open();
                Backend oracle = new ScalarBackend("oracle")) {
            float[][] expected = run(oracle, calls);
            float[][] found = run(tested, calls);
            assertArrayEquals(expected[0], found[0]);
            assertArrayEquals(expected[1], found[1]);
        }
    }

    /** Adds 1 to every row by an edit in each call; the last call also sums the rows. */
    private static float[][] run(Backend b, int calls) {
        Buffer x = b.buffer(ROWS, WIDTH);
        Buffer sums = b.buffer(1, WIDTH);
        int[] starts = IntStream.rangeClosed(0, ROWS).toArray();
        float[] ones = new float[ROWS];
        Arrays.fill(ones, 1);
        EditTable.Kind[] kinds = {EditTable.Kind.ADD};
        Buffer direction = b.buffer(1, WIDTH, new float[] {1, 1, 1, 1});
        EditTable edits = new EditTable(kinds, direction, new float[1], new float[1], starts, new int[ROWS], ones);
        SiteTaps taps = new SiteTaps(null, null, null, sums, starts, new int[ROWS]);
        b.step(new StepShape(ROWS, 0, false, ROWS), () -> {
            for (int c = 1; c <= calls; c++) {
                b.site(x, null, ROWS, edits, c == calls ? taps : SiteTaps.NONE, EditTable.NONE, null, null);
            }
        });
        float[] residual = new float[ROWS * WIDTH];
        b.read(x, 0, ROWS, residual, 0);
        float[] sum = new float[WIDTH];
        b.read(sums, 0, 1, sum, 0);
        return new float[][] {residual, sum};
    }
}
