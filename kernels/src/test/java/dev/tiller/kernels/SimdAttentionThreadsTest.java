package dev.tiller.kernels;

import dev.tiller.kernels.AttentionContract.Chunk;
import dev.tiller.kernels.AttentionContract.Runner;
import dev.tiller.kernels.AttentionContract.Scene;
import dev.tiller.kernels.cpu.Crowd;
import org.junit.jupiter.api.Test;

/** How parts of a context are spread over threads must not show. */
class SimdAttentionThreadsTest {
    @Test
    void everyNumberOfThreadsGivesTheSameBits() {
        for (int seed = 0; seed < 6; seed++) {
            for (WeightFormat format : new WeightFormat[] {WeightFormat.F32, WeightFormat.BF16, WeightFormat.F16}) {
                float[][] one = outputs(1, seed, format);
                for (int threads : new int[] {2, 3, 8}) {
                    float[][] many = outputs(threads, seed, format);
                    for (int i = 0; i < one.length; i++) {
                        Duo.same(threads + " threads, seed " + seed + ", " + format + ", step " + i, one[i], many[i]);
                    }
                }
            }
        }
    }

    /** A long prompt, then a few rows at its end, then single ones. */
    private static float[][] outputs(int threads, int seed, WeightFormat format) {
        try (Duo duo = new Duo(Crowd.backend(threads), seed)) {
            Scene scene = new Scene(
                    duo, duo.pick(1, 3, 8), duo.pick(1, 3), duo.pick(32, 64), 0, duo.pick(0, 0, 200), 700, 150);
            Runner runner = new Runner(duo.b[0], scene, format);
            return new float[][] {
                runner.step(new Chunk(0, 0, 690), new Chunk(1, 0, 140)),
                runner.step(new Chunk(0, 690, 695)),
                runner.step(new Chunk(0, 695, 696), new Chunk(1, 140, 141)),
                runner.step(new Chunk(0, 696, 697))
            };
        }
    }
}
