package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.kernels.WeightFormat;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Two formats of the same weights along a text, against the definition on whole distributions. */
class DivergenceTest {
    private static final Path MICROWORLD = SharedFiles.repository("models/microworld");
    private static Model full;
    private static Model blocks;

    @BeforeAll
    static void load() {
        full = Model.load(MICROWORLD, LoadOptions.DEFAULT.withBackend("simd").withWeights(WeightFormat.F32));
        blocks = Model.load(MICROWORLD, LoadOptions.DEFAULT.withBackend("simd").withWeights(WeightFormat.Q4));
    }

    @AfterAll
    static void close() {
        full.close();
        blocks.close();
    }

    private static double[] distribution(float[] logits, int row, int v) {
        double[] e = new double[v];
        double sum = 0;
        for (int i = 0; i < v; i++) {
            e[i] = Math.exp(logits[row * v + i]);
            sum += e[i];
        }
        for (int i = 0; i < v; i++) {
            e[i] /= sum;
        }
        return e;
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void isThatOfTheDefinition(long seed) {
        Random random = new Random(seed);
        int window = 2 + random.nextInt(30);
        int v = full.spec().vocabulary();
        int[] tokens = random.ints(50 + random.nextInt(60), 0, v).toArray();
        Divergence.Result found = new Divergence(full, blocks, window).of(tokens, n -> {});
        int at = 0;
        int same = 0;
        double[] nll = new double[2];
        for (int begin = 0; begin + 1 < tokens.length; begin += window) {
            int[] ids = Arrays.copyOfRange(tokens, begin, Math.min(tokens.length, begin + window));
            float[] p = full.activations(ids, ids.length, SteeringPlan.NONE)
                    .logits()
                    .clone();
            float[] q = blocks.activations(ids, ids.length, SteeringPlan.NONE).logits();
            for (int t = 0; t + 1 < ids.length; t++, at++) {
                double[] a = distribution(p, t, v);
                double[] b = distribution(q, t, v);
                double expected = 0;
                int topA = 0;
                int topB = 0;
                for (int i = 0; i < v; i++) {
                    expected += a[i] * Math.log(a[i] / b[i]);
                    topA = a[i] > a[topA] ? i : topA;
                    topB = b[i] > b[topB] ? i : topB;
                }
                same += topA == topB ? 1 : 0;
                nll[0] -= Math.log(a[ids[t + 1]]);
                nll[1] -= Math.log(b[ids[t + 1]]);
                assertEquals(expected, found.divergence()[at], 1e-7 + 1e-5 * expected, "token " + at);
            }
        }
        assertEquals(at, found.divergence().length);
        assertEquals(same, found.sameTop());
        assertEquals(nll[0], found.referenceNll(), 1e-6 * nll[0]);
        assertEquals(nll[1], found.nll(), 1e-6 * nll[1]);
        assertTrue(found.mean() > 1e-6 && found.quantile(1) >= found.quantile(0.99), "the formats differ");
    }

    @Test
    void aModelIsNotApartFromItself() {
        int[] tokens = new Random(5).ints(40, 0, full.spec().vocabulary()).toArray();
        Divergence.Result r = new Divergence(full, full, 16).of(tokens, n -> {});
        assertArrayEquals(new double[37], r.divergence(), 1e-12);
        assertEquals(37, r.sameTop());
        assertEquals(1, r.ratio());
    }

    @Test
    void quantilesAreOfTheTokens() {
        double[] some = {5, 1, 2, 4, 3};
        Divergence.Result r = new Divergence.Result(0, 0, 0, some);
        assertEquals(5, r.quantile(1));
        assertEquals(5, r.quantile(0.99));
        assertEquals(3, r.quantile(0.5));
        assertEquals(3, r.mean());
    }

    @Test
    void windowsAndTextsThatCannotBeAreRefused() {
        assertThrows(TillerException.class, () -> new Divergence(full, blocks, 1));
        assertThrows(TillerException.class, () -> new Divergence(full, blocks, 5000));
        Divergence d = new Divergence(full, blocks, 8);
        assertThrows(TillerException.class, () -> d.of(new int[1], n -> {}));
    }
}
