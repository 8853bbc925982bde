package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Running means inside the forward pass against means of captured residuals. */
class PoolingTest {
    @ParameterizedTest
    @ValueSource(strings = {"scalar", "simd"})
    void meansOfBatchedTextsEqualMeansOfCaptures(String backend) {
        try (Model m =
                Model.load(SharedFiles.repository("models/microworld"), LoadOptions.DEFAULT.withBackend(backend))) {
            for (long seed = 1; seed <= 2; seed++) {
                List<TokenizedText> texts = texts(m, seed);
                List<PooledResiduals> pooled = m.pooled(texts);
                for (int i = 0; i < texts.size(); i++) {
                    compare(m, texts.get(i), pooled.get(i), "seed " + seed + ", text " + i);
                }
            }
        }
    }

    /** Lengths from 2 to 300 tokens, so that some share a pass and some do not. */
    private static List<TokenizedText> texts(Model m, long seed) {
        SplittableRandom r = new SplittableRandom(seed);
        List<TokenizedText> out = new ArrayList<>();
        for (int n : new int[] {2, 17, 300, 40, 250, 3, 90}) {
            int[] ids = r.ints(n, 0, m.spec().vocabulary()).toArray();
            out.add(new TokenizedText(ids, r.nextInt(1, n)));
        }
        return out;
    }

    private static void compare(Model m, TokenizedText text, PooledResiduals found, String what) {
        Activations a = m.activations(text.ids(), text.promptLength(), SteeringPlan.NONE);
        int d = m.spec().width();
        int blocks = m.spec().blocks();
        int p = text.promptLength();
        for (int l = 0; l <= blocks + 1; l++) {
            float[] level = l == 0 ? a.embed() : l <= blocks ? a.residPost()[l - 1] : a.finalNorm();
            close(mean(level, 0, p, d), found.promptAvg()[l], what + " H[" + l + "] prompt");
            close(mean(level, p, text.ids().length, d), found.responseAvg()[l], what + " H[" + l + "] response");
            close(mean(level, p - 1, p, d), found.promptLast()[l], what + " H[" + l + "] last");
        }
    }

    private static float[] mean(float[] rows, int from, int to, int d) {
        double[] sum = new double[d];
        for (int t = from; t < to; t++) {
            for (int i = 0; i < d; i++) {
                sum[i] += rows[t * d + i];
            }
        }
        float[] out = new float[d];
        for (int i = 0; i < d; i++) {
            out[i] = (float) (sum[i] / (to - from));
        }
        return out;
    }

    private static void close(float[] expected, float[] found, String what) {
        double l2 = Goldens.relativeL2(expected, found);
        assertTrue(l2 < 2e-6, what + ": relative L2 " + l2);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 3})
    void promptAndResponseNeedATokenEach(int promptLength) {
        try (Model m =
                Model.load(SharedFiles.repository("models/microworld"), LoadOptions.DEFAULT.withBackend("scalar"))) {
            List<TokenizedText> texts = List.of(new TokenizedText(new int[] {1, 2, 3}, promptLength));
            TillerException e = assertThrows(TillerException.class, () -> m.pooled(texts));
            assertTrue(e.getMessage().contains("at least one token"), e.getMessage());
        }
    }
}
