package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tiller.kernels.WeightFormat;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * In every format of weights and of keys and values a text gets the same tokens alone on one thread, beside others on two,
 * with prompts in pieces, while it has to wait for room, and with a beginning that was kept from an ended text.
 */
class BatchFormatsTest {
    private static final Path MODEL =
            Path.of(System.getProperty("tiller.home", "..")).resolve("models/microworld");
    private static final int REQUESTS = 14;

    @ParameterizedTest
    @CsvSource({"Q8,F32", "Q8,BF16", "Q4,F32", "Q4,F16", "F16,BF16", "F32,F32"})
    void aTextGetsTheSameTokensAloneAndBesideOthers(WeightFormat weights, WeightFormat kv) {
        LoadOptions alone = new LoadOptions("simd", 1, weights).withKv(kv);
        LoadOptions pair = new LoadOptions("simd", 2, weights).withKv(kv);
        try (Model one = Model.load(MODEL, alone);
                Model two = Model.load(MODEL, pair);
                Model narrow = Model.load(
                        MODEL, pair.withKvMemory(13 * 16 * two.cache().bytesPerPosition()))) {
            for (long seed = 1; seed <= 2; seed++) {
                List<GenerationRequest> requests = requests(one, seed);
                List<int[]> expected = new ArrayList<>();
                for (GenerationRequest request : requests) {
                    one.cache().kept().clear();
                    expected.add(one.generate(request).ids());
                }
                String what = weights + ", " + kv + ", seed " + seed;
                for (int piece : new int[] {3, 17, 64}) {
                    check(two, piece, requests, expected, what + ", pieces of " + piece);
                }
                check(narrow, 64, requests, expected, what + ", little room");
            }
            two.cache().kept().clear();
            narrow.cache().kept().clear();
            assertEquals(0, two.cache().pagesInUse() + narrow.cache().pagesInUse(), "pages left in use");
        }
    }

    private static void check(
            Model model, int piece, List<GenerationRequest> requests, List<int[]> expected, String what) {
        List<Generation> found = new Generator(model, List.of(), TokenSink.NONE)
                .promptRowsBesideOthers(piece)
                .run(requests);
        for (int i = 0; i < requests.size(); i++) {
            assertArrayEquals(expected.get(i), found.get(i).ids(), what + ", request " + i);
        }
        for (int i = 0; i < requests.size(); i += 3) { // now with what was kept
            assertArrayEquals(expected.get(i), model.generate(requests.get(i)).ids(), what + ", kept, request " + i);
        }
    }

    /** Prompts that begin alike, under no plan or one of four, drawn or greedy. */
    private static List<GenerationRequest> requests(Model model, long seed) {
        Random random = new Random(seed);
        int blocks = model.spec().blocks();
        int[] text = random.ints(90, 5, model.spec().vocabulary() - 5).toArray();
        SteeringPlan[] plans = {
            SteeringPlan.NONE,
            SteeringPlan.of(Edit.add(vector(model, random), 1f, blocks / 2).over(Span.GENERATION)),
            SteeringPlan.of(Edit.add(vector(model, random), 1f, 1).over(new Span.Range(20, 41))),
            SteeringPlan.of(Edit.ablate(vector(model, random), 0, blocks - 1).over(Span.ALL)),
            SteeringPlan.of(Edit.add(vector(model, random), 1f, 2).over(Span.PROMPT)),
        };
        List<GenerationRequest> requests = new ArrayList<>();
        for (int i = 0; i < REQUESTS; i++) {
            int[] prompt = Arrays.copyOf(text, 1 + random.nextInt(88));
            if (random.nextInt(3) == 0) {
                prompt[random.nextInt(prompt.length)] = 7;
            }
            SamplingOptions sampling = random.nextBoolean() ? SamplingOptions.GREEDY : SamplingOptions.temperature(0.9);
            SteeringPlan plan = plans[random.nextInt(plans.length)];
            int most = 1 + random.nextInt(40);
            requests.add(new GenerationRequest(prompt, plan, sampling, seed * 100 + i, most, random.nextBoolean()));
        }
        return requests;
    }

    private static SteeringVector vector(Model model, Random random) {
        float[] direction = new float[model.spec().width()];
        for (int i = 0; i < direction.length; i++) {
            direction[i] = (float) random.nextGaussian() * 0.6f;
        }
        return SteeringVector.uniform("random", direction);
    }
}
