package dev.tiller.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What attend owes, and appendKv before it. */
interface AttentionContract extends KvPagesContract {
    int BLOCKS = 2;

    /** Sequences with their queries, keys and values, one row [h*k | g*k | g*k] for each position. */
    final class Scene {
        final AttentionSpec spec;
        final int[] lengths;
        final float[][] x;
        final int columns;

        Scene(Duo duo, int group, int kvHeads, int headDim, float softCap, int window, int... lengths) {
            float scale = (float) (1 / Math.sqrt(headDim));
            this.spec = new AttentionSpec(group * kvHeads, kvHeads, headDim, scale, softCap, window);
            this.columns = (group + 2) * kvHeads * headDim;
            this.lengths = lengths;
            this.x = new float[lengths.length][];
            for (int s = 0; s < lengths.length; s++) {
                x[s] = duo.numbers(lengths[s] * columns);
            }
        }

        int width() {
            return spec.heads() * spec.headDim();
        }
    }

    /** A chunk: positions from .. to - 1 of a sequence. */
    record Chunk(int sequence, int from, int to) {}

    /** A backend with pages for the sequences of a scene; page numbers are given out in a mixed order. */
    final class Runner {
        final Backend b;
        final Scene scene;
        final KvPages kv;
        final int[][] pages;

        Runner(Backend b, Scene scene) {
            this(b, scene, WeightFormat.F32);
        }

        Runner(Backend b, Scene scene, WeightFormat format) {
            this.b = b;
            this.scene = scene;
            this.kv = b.kvPages(BLOCKS, scene.spec.kvHeads(), scene.spec.headDim(), format);
            this.pages = new int[scene.lengths.length][];
            dirty();
            int longest = Arrays.stream(scene.lengths).max().orElseThrow();
            for (int s = 0; s < pages.length; s++) {
                pages[s] = new int[Math.ceilDiv(scene.lengths[s], KvPages.PAGE)];
            }
            for (int i = 0; i <= longest / KvPages.PAGE; i++) {
                for (int[] table : pages) {
                    if (i < table.length) {
                        table[i] = kv.allocate();
                    }
                }
            }
        }

        /**
         * Leaves not-a-number (in F16, which refuses it, large numbers) in pages and gives them back: what was there
         * before must never be seen.
         */
        private void dirty() {
            int[] all = new int[12];
            for (int i = 0; i < all.length; i++) {
                all[i] = kv.allocate();
            }
            int n = all.length * KvPages.PAGE;
            float[] bad = new float[n * scene.columns];
            Arrays.fill(bad, kv.format() == WeightFormat.F16 ? 60000 : Float.NaN);
            int[] position = new int[n];
            Arrays.setAll(position, i -> i);
            Rows rows = new Rows(n, position, new int[n], new int[][] {all});
            Buffer x = b.buffer(n, scene.columns, bad);
            for (int block = 0; block < BLOCKS; block++) {
                b.appendKv(x, rows, 0, scene.columns / 2, kv, block);
            }
            for (int page : all) {
                kv.release(page);
            }
        }

        /** Appends and attends the chunks in one call; returns their outputs one after the other. */
        float[] step(Chunk... chunks) {
            int n = Arrays.stream(chunks).mapToInt(c -> c.to - c.from).sum();
            int[] position = new int[n + 1];
            int[] sequence = new int[n + 1];
            Buffer x = b.buffer(n, scene.columns);
            int t = 0;
            for (Chunk c : chunks) {
                for (int p = c.from; p < c.to; p++, t++) {
                    position[t] = p;
                    sequence[t] = c.sequence;
                    b.write(scene.x[c.sequence], p * scene.columns, x, t, 1);
                }
            }
            Rows rows = new Rows(n, position, sequence, pages);
            Buffer out = b.buffer(n, scene.width());
            int keys = scene.width();
            int values = keys + scene.spec.kvHeads() * scene.spec.headDim();
            b.appendKv(x, rows, values, keys, kv, 0); // swapped: the other block must not be seen
            b.appendKv(x, rows, keys, values, kv, 1);
            b.attend(x, rows, 0, kv, 1, scene.spec, out);
            return Duo.read(b, out);
        }
    }

    @Test
    default void attentionAgreesWithTheOracle() {
        for (int seed = 0; seed < 40; seed++) {
            try (Duo duo = new Duo(open(), seed)) {
                int headDim = duo.pick(1, 3, 8, 12, 16, 20, 24, 32, 60, 64, 80, 96, 128, 256);
                float cap = duo.pick(0, 0, 2, 50);
                int window = duo.pick(0, 0, 1, 5, 16, 17, 40);
                Scene scene = new Scene(
                        duo,
                        duo.pick(1, 2, 3, 4, 7, 20),
                        duo.pick(1, 2, 3),
                        headDim,
                        cap,
                        window,
                        70,
                        duo.pick(1, 15, 16, 17, 33),
                        5);
                WeightFormat format = kvFormats().get(seed % kvFormats().size());
                Runner[] runners = {new Runner(duo.b[0], scene, format), new Runner(duo.b[1], scene, format)};
                int middle = duo.pick(1, 15, 16, 17, 31, 64);
                List<Chunk[]> steps = List.of(
                        new Chunk[] {new Chunk(0, 0, middle), new Chunk(1, 0, scene.lengths[1])},
                        new Chunk[] {new Chunk(2, 0, 4), new Chunk(0, middle, 69)},
                        new Chunk[] {new Chunk(0, 69, 70), new Chunk(2, 4, 5)});
                for (Chunk[] step : steps) {
                    float[] found = runners[0].step(step);
                    float[] expected = runners[1].step(step);
                    for (int i = 0; i < expected.length; i++) {
                        // values and scores are of size 1 to 4
                        duo.close(
                                scene.spec + ", " + format + " " + Arrays.toString(step) + " at " + i,
                                found[i],
                                expected[i],
                                64 * Duo.EPS);
                    }
                }
            }
        }
    }

    /** True if threads of a GPU are run one after another: long contexts take minutes then, so few of them are tried. */
    default boolean emulated() {
        return false;
    }

    /** Contexts of several hundred positions, windows that begin inside them, every group size. */
    @Test
    default void longContextsAgreeWithTheOracle() {
        for (int seed = 0; seed < (emulated() ? 3 : 24); seed++) {
            try (Duo duo = new Duo(open(), 100 + seed)) {
                int long1 = duo.pick(127, 128, 129, 255, 256, 257, 300, 400);
                Scene scene = new Scene(
                        duo,
                        1 + seed % 8,
                        duo.pick(1, 2, 3),
                        duo.pick(7, 32, 64, 80),
                        duo.pick(0, 0, 20),
                        duo.pick(0, 0, 1, 100, 127, 128, 129, 200),
                        long1,
                        duo.pick(60, 130));
                WeightFormat format = kvFormats().get(seed % kvFormats().size());
                Runner[] runners = {new Runner(duo.b[0], scene, format), new Runner(duo.b[1], scene, format)};
                List<Chunk[]> steps = List.of(
                        new Chunk[] {new Chunk(0, 0, long1 - 3), new Chunk(1, 0, 50)},
                        new Chunk[] {new Chunk(0, long1 - 3, long1 - 1)},
                        new Chunk[] {new Chunk(0, long1 - 1, long1), new Chunk(1, 50, 51)});
                for (Chunk[] step : steps) {
                    float[] found = runners[0].step(step);
                    float[] expected = runners[1].step(step);
                    for (int i = 0; i < expected.length; i++) {
                        String what = scene.spec + ", " + format + " " + Arrays.toString(step) + " at " + i;
                        duo.close(what, found[i], expected[i], 64 * Duo.EPS);
                    }
                }
            }
        }
    }

    /** Prefill at once, in chunks, one by one, beside other sequences: the same bits. */
    @Test
    default void aRowOfAttentionDependsNeitherOnChunksNorOnOtherRows() {
        for (int seed = 0; seed < 12; seed++) {
            for (WeightFormat format : kvFormats()) {
                try (Duo duo = new Duo(open(), seed)) {
                    int longer = duo.pick(70, 300);
                    int n = emulated() ? 70 : longer;
                    Scene scene = new Scene(
                            duo,
                            duo.pick(1, 3, 4),
                            duo.pick(1, 3),
                            duo.pick(12, 64, 80),
                            duo.pick(0, 20),
                            duo.pick(0, 0, 20, 150),
                            n,
                            40);
                    float[] whole = new Runner(duo.b[0], scene, format).step(new Chunk(0, 0, n));
                    int[][] cuts = {
                        {0, 1, 6, 22, n - 1, n},
                        {0, 16, 32, 48, 64, n},
                        {0, n - 20, n - 19, n - 17, n - 16, n - 1, n},
                        n == 70 ? IntStream.rangeClosed(0, 70).toArray() : new int[] {0, 128, 256, n},
                    };
                    for (int[] ends : cuts) {
                        chunked(duo, scene, format, whole, ends);
                    }
                }
            }
        }
    }

    private static void chunked(Duo duo, Scene scene, WeightFormat format, float[] whole, int[] ends) {
        Runner runner = new Runner(duo.b[0], scene, format);
        for (int i = 0; i + 1 < ends.length; i++) {
            Chunk mine = new Chunk(0, ends[i], ends[i + 1]);
            boolean company = i < 5;
            float[] found = company ? runner.step(new Chunk(1, i * 8, i * 8 + 8), mine) : runner.step(mine);
            int w = scene.width();
            Duo.same(
                    scene.spec + ", " + format + " " + mine + ", " + duo.name,
                    Arrays.copyOfRange(whole, ends[i] * w, ends[i + 1] * w),
                    Arrays.copyOfRange(found, company ? 8 * w : 0, found.length));
        }
    }

    @Test
    default void attentionHasItsClosedForms() {
        try (Duo duo = new Duo(open(), 4)) {
            Scene scene = new Scene(duo, 2, 2, 12, 0, 0, 40);
            int h = scene.width();
            int g = h / 2;
            for (int p = 0; p < 40; p++) {
                Arrays.fill(scene.x[0], p * scene.columns, p * scene.columns + h, 0); // no preference: the mean
            }
            float[] out = new Runner(duo.b[0], scene).step(new Chunk(0, 0, 40));
            double[] sum = new double[g];
            for (int p = 0; p < 40; p++) {
                for (int i = 0; i < g; i++) {
                    sum[i] += scene.x[0][p * scene.columns + h + g + i];
                    for (int head = 0; head < 2; head++) {
                        int at = p * h + (i / 12 * 2 + head) * 12 + i % 12;
                        assertEquals(sum[i] / (p + 1), out[at], 1e-6, "position " + p + ", " + duo.name);
                    }
                }
            }
            Scene narrow = new Scene(duo, 1, 2, 12, 0, 1, 40); // sees itself alone
            out = new Runner(duo.b[0], narrow).step(new Chunk(0, 0, 40));
            for (int p = 0; p < 40; p++) {
                int v = p * narrow.columns + 48;
                Duo.same("window 1", Arrays.copyOfRange(narrow.x[0], v, v + 24), Duo.row(out, p, 24));
            }
        }
    }

    /** Two positions with values 0 and 1: the result is the logistic function of the difference of their scores. */
    @Test
    default void scaleAndCapHaveTheirClosedForms() {
        for (float cap : new float[] {0, 2}) {
            try (Duo duo = new Duo(open(), 7)) {
                Backend b = duo.b[0];
                KvPages kv = b.kvPages(1, 1, 1, WeightFormat.F32);
                Rows rows = new Rows(2, new int[] {0, 1}, new int[2], new int[][] {{kv.allocate()}});
                Buffer x = b.buffer(2, 3, new float[] {1, 0.5f, 0, 2, 3, 1}); // query, key, value
                Buffer out = b.buffer(2, 1);
                b.appendKv(x, rows, 1, 2, kv, 0);
                b.attend(x, rows, 0, kv, 0, new AttentionSpec(1, 1, 1, 0.25f, cap, 0), out);
                double first = 0.25; // 2 * 0.5 / 4
                double second = 1.5;
                double difference = cap == 0 ? second - first : 2 * (Math.tanh(second / 2) - Math.tanh(first / 2));
                float[] found = Duo.read(b, out);
                assertEquals(0, found[0], duo.name);
                assertEquals(1 / (1 + Math.exp(-difference)), found[1], 2e-7, "cap " + cap + ", " + duo.name);
            }
        }
    }

    @Test
    default void sequencesMaySharePages() {
        try (Duo duo = new Duo(open(), 5)) {
            Scene scene = new Scene(duo, 3, 1, 16, 0, 0, 33, 33);
            System.arraycopy(scene.x[0], 0, scene.x[1], 0, 32 * scene.columns);
            Runner apart = new Runner(duo.b[0], scene);
            apart.step(new Chunk(0, 0, 32), new Chunk(1, 0, 32));
            Runner shared = new Runner(duo.b[0], scene);
            shared.step(new Chunk(0, 0, 32));
            shared.pages[1][0] = shared.pages[0][0];
            shared.pages[1][1] = shared.pages[0][1];
            Chunk[] last = {new Chunk(0, 32, 33), new Chunk(1, 32, 33)};
            Duo.same(duo.name, apart.step(last), shared.step(last));
        }
    }

    /** Pages before the window may be gone. */
    @Test
    default void pagesOutsideTheWindowAreNotNeeded() {
        try (Duo duo = new Duo(open(), 6)) {
            Scene scene = new Scene(duo, 1, 1, 8, 0, 16, 50);
            Runner runner = new Runner(duo.b[0], scene);
            runner.step(new Chunk(0, 0, 48));
            float[] expected = runner.step(new Chunk(0, 48, 50));
            runner.pages[0][0] = -1;
            runner.pages[0][1] = -1; // position 48 sees 33 .. 48
            Duo.same(duo.name, expected, runner.step(new Chunk(0, 48, 50)));
        }
    }
}
