package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.cuda.CudaForTests;
import dev.tiller.loader.SharedFiles;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Generation on the GPU, or the emulated one, beside the CPU: batches, steering, probes, drawing on the device. */
class CudaGeneratorTest {
    private static Model cuda;
    private static Model simd;

    @BeforeAll
    static void load() {
        CudaForTests.prepareFor(false);
        Path dir = SharedFiles.repository("models/microworld");
        LoadOptions exact = LoadOptions.DEFAULT.withWeights(WeightFormat.F32);
        cuda = Model.load(dir, exact.withBackend("cuda"));
        simd = Model.load(dir, exact.withBackend("simd"));
    }

    @AfterAll
    static void close() {
        if (cuda != null) {
            cuda.close();
            simd.close();
        }
    }

    /** Half of the requests draw from the logits alone, which is done on the device; the others punish repetition. */
    private static List<GenerationRequest> requests() {
        List<GenerationRequest> out = new ArrayList<>();
        for (GenerationRequest r : GeneratorTest.mixed(cuda, 6, 22)) {
            SamplingOptions sampling = r.sampling().temperature() > 0 && out.size() % 2 == 1
                    ? new SamplingOptions(0.9, 40, 0.9, 0.02, 1)
                    : r.sampling();
            out.add(new GenerationRequest(r.prompt(), r.plan(), sampling, r.seed(), 8 + 2 * out.size(), true));
        }
        return out;
    }

    @Test
    void tokensAreThoseOfTheCpuAloneAndInAMixedBatch() {
        List<GenerationRequest> requests = requests();
        List<Generation> together = cuda.generate(requests);
        List<Generation> few =
                new Generator(cuda, List.of(), TokenSink.NONE).maxSequences(3).run(requests);
        for (int i = 0; i < requests.size(); i++) {
            int[] expected = simd.generate(requests.get(i)).ids();
            assertArrayEquals(expected, together.get(i).ids(), "request " + i);
            assertArrayEquals(expected, few.get(i).ids(), "request " + i + " among three");
        }
        assertArrayEquals(together.get(1).ids(), cuda.generate(requests.get(1)).ids(), "alone");
        assertEquals(0, cuda.cache().pagesInUse(), "every page is given back");
    }

    /** Schedules, roles, conditions on prompt and token, matrices: as on the CPU, step by step as the numbers change. */
    @Test
    void plansOfEveryKindAreThoseOfTheCpu() {
        List<GenerationRequest> requests = new ArrayList<>();
        for (int kind = 0; kind < MixedPlans.KINDS; kind++) {
            requests.add(new GenerationRequest(
                    MixedPlans.prompt(cuda, 1),
                    MixedPlans.plan(cuda, kind, 4 + kind),
                    SamplingOptions.GREEDY,
                    1,
                    5,
                    true));
        }
        List<Generation> found = cuda.generate(requests);
        for (int i = 0; i < requests.size(); i++) {
            Generation expected = simd.generate(requests.get(i));
            assertArrayEquals(expected.ids(), found.get(i).ids(), "kind " + i);
            for (int e = 0; e < expected.applied().edits().size(); e++) {
                AppliedPlan.AppliedEdit a = expected.applied().edits().get(e);
                AppliedPlan.AppliedEdit b = found.get(i).applied().edits().get(e);
                assertEquals(a.fired(), b.fired(), "kind " + i);
                assertEquals(a.measured(), b.measured(), 1e-3, "kind " + i);
            }
        }
        assertEquals(0, cuda.cache().pagesInUse());
    }

    @Test
    void everyOperationIsThatOfTheCpu() {
        List<GenerationRequest> requests = GeneratorTest.ofAllOperations(cuda, 4, 8);
        List<Generation> expected = simd.generate(requests);
        List<Generation> found = cuda.generate(requests);
        for (int i = 0; i < requests.size(); i++) {
            assertArrayEquals(expected.get(i).ids(), found.get(i).ids(), "request " + i);
            int[] ids = requests.get(i).prompt();
            SteeringPlan plan = requests.get(i).plan();
            double l2 = Goldens.relativeL2(
                    simd.activations(ids, ids.length, plan).logits(),
                    cuda.activations(ids, ids.length, plan).logits());
            assertTrue(l2 < 1e-5, "request " + i + ": relative L2 of logits " + l2);
        }
    }

    @Test
    void projectionsAreThoseOfTheTokensOwnResiduals() {
        SteeringVector v = GeneratorTest.random(cuda, 4, 1);
        List<Probe> probes = List.of(new Probe(2, v.uniform()), new Probe(6, v.uniform()));
        GenerationRequest request = GenerationRequest.greedy(GeneratorTest.prompt(cuda, 3), 10);
        Generation g = new Generator(cuda, probes, TokenSink.NONE)
                .run(List.of(request))
                .getFirst();
        assertArrayEquals(cuda.generate(request).ids(), g.ids(), "watching changes nothing");
        int prompt = request.prompt().length;
        int[] all = Arrays.copyOf(request.prompt(), prompt + g.ids().length);
        System.arraycopy(g.ids(), 0, all, prompt, g.ids().length);
        Activations a = cuda.activations(all, prompt, SteeringPlan.NONE);
        float[] u = Vectors.unit(v.uniform(), "u");
        int d = cuda.spec().width();
        for (int i = 0; i < g.ids().length; i++) {
            for (int p = 0; p < 2; p++) {
                int at = (prompt + i) * d;
                float[] row = Arrays.copyOfRange(a.residPost()[p == 0 ? 2 : 6], at, at + d);
                assertEquals(Vectors.dot(row, u), g.projections()[i][p], 1e-4);
            }
        }
    }

    @Test
    void ablationLeavesOnlyRounding() {
        int[] ids = GeneratorTest.prompt(cuda, 2);
        SteeringVector v = GeneratorTest.random(cuda, 1, 1);
        float[] u = Vectors.unit(v.uniform(), "u");
        Activations a =
                cuda.activations(ids, ids.length, SteeringPlan.of(Edit.ablate(v).over(Span.ALL)));
        int d = cuda.spec().width();
        for (float[] level : a.residPost()) {
            for (int t = 0; t < ids.length; t++) {
                float[] h = Arrays.copyOfRange(level, t * d, (t + 1) * d);
                double left = Math.abs(Vectors.dot(h, u)) / Vectors.norm(h);
                assertTrue(left < 1e-6, "|h.u| / |h| = " + left);
            }
        }
    }

    @Test
    void coefficientZeroIsBitIdenticalToNoPlan() {
        int[] ids = GeneratorTest.prompt(cuda, 1);
        SteeringVector v = GeneratorTest.random(cuda, 5, 1);
        SteeringPlan zero = SteeringPlan.of(Edit.add(v, 0, 0, 3, 7).over(Span.ALL));
        Activations plain = cuda.activations(ids, ids.length, SteeringPlan.NONE);
        Activations idle = cuda.activations(ids, ids.length, zero);
        assertArrayEquals(GeneratorTest.bits(plain.logits()), GeneratorTest.bits(idle.logits()));
    }

    /** Means over texts are sums on the device. */
    @Test
    void pooledResidualsAreThoseOfTheCpu() {
        int[] ids = GeneratorTest.prompt(cuda, 4);
        List<TokenizedText> texts = List.of(new TokenizedText(ids, ids.length / 2), new TokenizedText(ids, 5));
        List<PooledResiduals> expected = simd.pooled(texts);
        List<PooledResiduals> found = cuda.pooled(texts);
        for (int i = 0; i < texts.size(); i++) {
            for (int l = 0; l < expected.get(i).responseAvg().length; l++) {
                double l2 = Goldens.relativeL2(
                        expected.get(i).responseAvg()[l], found.get(i).responseAvg()[l]);
                assertTrue(l2 < 1e-5, "text " + i + ", H[" + l + "]: relative L2 " + l2);
            }
        }
    }
}
