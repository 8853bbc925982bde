package dev.tiller.kernels.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.EditTable;
import dev.tiller.kernels.SiteTaps;
import dev.tiller.kernels.StepShape;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.cuda.SmallModel.Steering;
import dev.tiller.kernels.lab.RandomEdits;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Steps that run from a record beside the same steps run one operation at a time. */
class StepsTest {
    /** The same model twice: steps as graphs, and one operation after the other. */
    private static final class Pair implements AutoCloseable {
        final CudaBackend recording = CudaForTests.open();
        final CudaBackend plain = CudaForTests.open(CudaBackend.GRAPH_PROPERTY, "off");
        final SmallModel[] models;
        final Random random = new Random(3);
        int steps;

        Pair(WeightFormat format, int rows) {
            models = new SmallModel[] {new SmallModel(recording, format, rows), new SmallModel(plain, format, rows)};
        }

        /** One token for each of the first sequences at its position; the same bits from both. */
        void decode(int[] positions, SteeringOf steering, int longest) {
            int n = positions.length;
            int[] sequences = IntStream.range(0, n).toArray();
            int[] ids = random.ints(n, 0, SmallModel.V).toArray();
            float[] found = models[0].decode(sequences, ids, positions, steering.on(models[0]), longest);
            float[] expected = models[1].decode(sequences, ids, positions, steering.on(models[1]), longest);
            same("step " + steps++ + " of " + n + " rows", expected, found, n);
        }

        void decode(int... positions) {
            decode(positions, m -> Steering.NONE, 0);
        }

        /** Kernels of our own take filled-up steps of 1, 2, 4, 8 rows as they are; the library may sum in another order. */
        private static void same(String what, float[] expected, float[] found, int rows) {
            assertArrayEquals(expected, found, rows == RowBuckets.rows(rows) ? 0 : 2e-5f, what);
        }

        @Override
        public void close() {
            recording.close();
            plain.close();
        }
    }

    private interface SteeringOf {
        Steering on(SmallModel model);
    }

    @ParameterizedTest
    @EnumSource(
            value = WeightFormat.class,
            names = {"F32", "BF16", "F16"})
    void replaysGiveTheBitsOfSingleOperations(WeightFormat format) {
        try (Pair pair = new Pair(format, 8)) {
            for (int p = 0; p < 40; p++) {
                pair.decode(p);
            }
            assertEquals(1, pair.recording.controls().captures());
            assertEquals(38, pair.recording.controls().replays());
            assertEquals(0, pair.plain.controls().captures());
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = WeightFormat.class,
            names = {"F32", "BF16", "F16"})
    void rowsThatFillUpAStepDisturbNothing(WeightFormat format) {
        try (Pair pair = new Pair(format, 32)) {
            int[] position = new int[20];
            for (int i = 0; i < 24; i++) {
                int n = new int[] {20, 3, 5, 9, 1, 17, 7, 6}[i % 8];
                pair.decode(Arrays.copyOf(position, n));
                for (int s = 0; s < n; s++) {
                    position[s]++;
                }
            }
            assertEquals(5, pair.recording.controls().captures()); // 1, 4, 8, 16 and 24 rows
        }
    }

    @Test
    void whoIsSteeredHowNeverRecordsAnew() {
        try (Pair pair = new Pair(WeightFormat.F32, 4)) {
            int[] position = {0, 5, 17, 33};
            for (int s = 0; s < 34; s++) { // fills the pages that the rows will look at
                pair.decode(s, s, s, s);
            }
            long captures = pair.recording.controls().captures();
            for (int i = 0; i < 30; i++) {
                int seed = i;
                int[] where = pair.random.ints(4, 0, 34).toArray();
                pair.decode(i % 3 == 0 ? position : where, m -> steering(m, seed), 0);
            }
            assertEquals(captures, pair.recording.controls().captures());
            assertEquals(34 - 2 + 30, pair.recording.controls().replays());
        }
    }

    /** Edits of all phases, up to nine for a row, probes now and then. */
    private static Steering steering(SmallModel m, int seed) {
        Random random = new Random(seed);
        Buffer probes = m.b.buffer(3, SmallModel.D, floats(random, 3 * SmallModel.D));
        Buffer projections = m.b.buffer(4, 3);
        SiteTaps taps = seed % 2 == 0 ? SiteTaps.NONE : new SiteTaps(null, probes, projections, null, null, null);
        return new Steering(table(m, random), table(m, random), table(m, random), table(m, random), taps);
    }

    private static float[] floats(Random random, int n) {
        float[] a = new float[n];
        for (int i = 0; i < n; i++) {
            a[i] = (float) random.nextGaussian() / 8;
        }
        return a;
    }

    private static EditTable table(SmallModel m, Random random) {
        if (random.nextInt(3) == 0) {
            return EditTable.NONE;
        }
        RandomEdits edits = new RandomEdits(random, 4, SmallModel.D);
        Buffer gates = m.b.buffer(4, RandomEdits.GATES);
        return edits.table(m.b.buffer(edits.count(), SmallModel.D, edits.directions()), gates);
    }

    @Test
    void tapsOfAStepAreThoseOfItsOwnRows() {
        try (Pair pair = new Pair(WeightFormat.F32, 8)) {
            Buffer[] rows = new Buffer[2];
            Buffer[] sums = new Buffer[2];
            for (int i = 0; i < 2; i++) {
                rows[i] = pair.models[i].b.buffer(5, SmallModel.D);
                sums[i] = pair.models[i].b.buffer(2, SmallModel.D);
            }
            int[] start = {0, 1, 1, 3, 4, 5};
            int[] slot = {1, 0, 1, 0, 0};
            for (int p = 0; p < 6; p++) {
                int[] position = new int[5];
                Arrays.fill(position, p);
                pair.decode(
                        position,
                        m -> {
                            int i = m == pair.models[0] ? 0 : 1;
                            SiteTaps taps = new SiteTaps(rows[i], null, null, sums[i], start, slot);
                            return new Steering(EditTable.NONE, EditTable.NONE, EditTable.NONE, EditTable.NONE, taps);
                        },
                        0);
                assertArrayEquals(read(pair.plain, rows[1]), read(pair.recording, rows[0]), 1e-5f);
            }
            assertTrue(pair.recording.controls().replays() >= 3); // after: sums made, kernels loaded, recorded
            assertArrayEquals(read(pair.plain, sums[1]), read(pair.recording, sums[0]), 1e-4f);
        }
    }

    private static float[] read(CudaBackend b, Buffer buffer) {
        float[] out = new float[buffer.rows() * buffer.columns()];
        b.read(buffer, 0, buffer.rows(), out, 0);
        return out;
    }

    @Test
    void newBuffersAreRecordedAnew() {
        try (Pair pair = new Pair(WeightFormat.BF16, 2)) {
            for (int p = 0; p < 12; p++) {
                if (p == 5) {
                    pair.models[0].grow(4);
                    pair.models[1].grow(4);
                }
                pair.decode(p, p);
            }
            assertEquals(2, pair.recording.controls().captures());
            assertEquals(1, pair.recording.controls().graphs());
            pair.decode(12, 12, 12, 12);
            pair.decode(13, 13, 13, 13);
            pair.decode(13, 14);
            assertEquals(3, pair.recording.controls().captures());
        }
    }

    @Test
    void longerContextsAreRecordedApartAndTheOldestRecordsGo() {
        try (Pair pair = new Pair(WeightFormat.F32, 8)) {
            int p = 0;
            for (int rows : new int[] {1, 2, 4, 8}) {
                for (int longest = 256; longest <= 256 << 9; longest *= 2) {
                    for (int i = 0; i < 2; i++) {
                        int[] position = new int[rows];
                        Arrays.fill(position, p++ % 60);
                        pair.decode(position, m -> Steering.NONE, longest);
                    }
                }
            }
            assertEquals(40, pair.recording.controls().captures());
            assertEquals(Steps.MOST_GRAPHS, pair.recording.controls().graphs());
            pair.decode(new int[] {3}, m -> Steering.NONE, 256);
            pair.decode(new int[] {3}, m -> Steering.NONE, 256);
            pair.decode(new int[] {4}, m -> Steering.NONE, 256);
            assertEquals(41, pair.recording.controls().captures());
        }
    }

    @Test
    void whatWaitsForTheDeviceIsNoPartOfAStep() {
        try (CudaBackend b = CudaForTests.open()) {
            Buffer x = b.buffer(1, 4);
            StepShape shape = new StepShape(1, 0, true, 1);
            assertThrows(IllegalStateException.class, () -> b.step(shape, () -> b.read(x, 0, 1, new float[4], 0)));
            assertThrows(IllegalStateException.class, () -> b.step(shape, () -> b.argmax(x, 1, new int[1])));
            assertThrows(IllegalStateException.class, () -> b.step(shape, () -> b.step(shape, () -> {})));
            b.read(x, 0, 1, new float[4], 0); // and is possible again after
        }
    }

    @Test
    void anErrorInAStepLeavesTheNextOneRight() {
        try (Pair pair = new Pair(WeightFormat.F32, 2)) {
            for (int p = 0; p < 8; p++) {
                int[] position = {p, p};
                if (p % 2 == 1) { // an id beyond the vocabulary: refused while recording, later while replaying
                    SmallModel m = pair.models[0];
                    int[] bad = {0, SmallModel.V};
                    assertThrows(
                            IllegalArgumentException.class,
                            () -> m.decode(new int[] {0, 1}, bad, position, Steering.NONE));
                }
                pair.decode(position);
            }
        }
    }

    @Test
    void theNumberOfRowsForOwnKernelsCanBeChosen() {
        float[][] logits = new float[3][];
        String[] limit = {"8", "0", "2"};
        for (int i = 0; i < 3; i++) {
            try (CudaBackend b = CudaForTests.open(MatmulOps.PROPERTY, limit[i])) {
                SmallModel model = new SmallModel(b, WeightFormat.BF16, 4);
                int[] four = {0, 1, 2, 3};
                logits[i] = model.decode(four, four, new int[4], Steering.NONE);
                String said = i == 1 ? "matmul by cuBLAS" : "up to " + limit[i] + " rows by own kernels";
                assertTrue(b.description().contains(said), b.description());
            }
        }
        assertArrayEquals(logits[0], logits[1], 2e-2f);
        assertArrayEquals(logits[1], logits[2], 0f);
    }

    @ParameterizedTest
    @EnumSource(
            value = WeightFormat.class,
            names = {"F32", "BF16", "F16"})
    void theSimplestKernelsAgree(WeightFormat format) {
        float[] tuned = null;
        for (String operation : new String[] {"", "embed", "norm", "site", "rope", "gated", "gemv", "attention"}) {
            try (CudaBackend b = CudaForTests.open(KernelSet.PROPERTY + operation, "naive")) {
                SmallModel model = new SmallModel(b, format, 4);
                int[] three = {0, 1, 2};
                model.decode(three, three, new int[] {0, 0, 0}, Steering.NONE);
                float[] found = model.decode(three, three, new int[] {1, 1, 1}, Steering.NONE);
                tuned = tuned == null ? found : tuned;
                float tolerance = format == WeightFormat.F32 ? 1e-5f : 3e-2f;
                assertArrayEquals(tuned, found, tolerance, operation);
            }
        }
    }
}
