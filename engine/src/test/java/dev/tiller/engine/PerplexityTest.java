package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.loader.Json;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.template.Message;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PerplexityTest {
    private static final Path MICROWORLD = SharedFiles.repository("models/microworld");

    private static Model simd(Path path, WeightFormat weights) {
        return Model.load(path, LoadOptions.DEFAULT.withBackend("simd").withWeights(weights));
    }

    private static int[] random(Model m, int n, long seed) {
        return new Random(seed).ints(n, 0, m.spec().vocabulary()).toArray();
    }

    /** Sum of the log-likelihoods of tokens from..to-1 of a text that begins with the first of {@code ids}. */
    private static double byHand(Model m, int[] ids, int from, int to) {
        int v = m.spec().vocabulary();
        float[] logits = m.activations(ids, ids.length, SteeringPlan.NONE).logits();
        double sum = 0;
        for (int t = from; t < to; t++) {
            double z = 0;
            for (int i = 0; i < v; i++) {
                z += Math.exp(logits[(t - 1) * v + i]);
            }
            sum += logits[(t - 1) * v + ids[t]] - Math.log(z);
        }
        return sum;
    }

    @ParameterizedTest
    @ValueSource(strings = {"2 1", "2 2", "7 3", "64 64", "100 1", "100 60", "700 650", "1024 1024"})
    void equalsTheSumOverItsWindows(String sizes) {
        int window = Integer.parseInt(sizes.split(" ")[0]);
        int stride = Integer.parseInt(sizes.split(" ")[1]);
        try (Model m = simd(MICROWORLD, null)) {
            for (int n : window > 300 ? new int[] {1500} : new int[] {2, 3, 64, 65, 129}) {
                int[] tokens = random(m, n, n);
                double expected = 0;
                int scored = 0;
                int done = 1;
                for (int begin = 0; done < n; begin += stride) {
                    int end = Math.min(n, begin + window);
                    int from = Math.max(done, begin + 1);
                    if (from < end) {
                        expected += byHand(m, Arrays.copyOfRange(tokens, begin, end), from - begin, end - begin);
                        scored += end - from;
                    }
                    done = end;
                }
                Perplexity perplexity = new Perplexity(m, window, stride);
                AtomicLong heard = new AtomicLong();
                Perplexity.Result found = perplexity.of(tokens, heard::set);
                String what = sizes + " of " + n;
                assertEquals(scored, found.tokens(), what);
                assertEquals(scored, perplexity.scored(n), what);
                assertEquals(scored, heard.get(), what);
                assertEquals(expected, found.logLikelihood(), 1e-8 * Math.abs(expected), what);
                assertEquals(Math.exp(-expected / scored), found.perplexity(), 1e-6 * found.perplexity(), what);
                assertEquals(0, m.cache().pagesInUse(), "pages are given back");
            }
        }
    }

    @Test
    void windowsThatCannotBeAreRefused() {
        try (Model m = simd(MICROWORLD, null)) {
            for (int[] wrong : new int[][] {{1, 1}, {1026, 1}, {8, 0}, {8, 9}, {-1, -1}}) {
                TillerException e = assertThrows(TillerException.class, () -> new Perplexity(m, wrong[0], wrong[1]));
                assertTrue(e.getMessage().startsWith("expected a "), e.getMessage());
            }
            Perplexity p = new Perplexity(m, 8, 8);
            assertThrows(TillerException.class, () -> p.of(new int[0], n -> {}));
            assertThrows(TillerException.class, () -> p.of(new int[1], n -> {}));
            assertThrows(TillerException.class, () -> p.of(new int[] {1, 2, 99999}, n -> {}));
            assertEquals(0, m.cache().pagesInUse(), "pages are given back");
        }
    }

    /** Mean negative log-likelihood over texts of their own. */
    private static double loss(Path model, WeightFormat weights, List<int[]> texts) {
        try (Model m = simd(model, weights)) {
            Perplexity p = new Perplexity(m, m.spec().maxPositions(), m.spec().maxPositions());
            double sum = 0;
            long tokens = 0;
            for (int[] text : texts) {
                Perplexity.Result r = p.of(text, n -> {});
                sum -= r.logLikelihood();
                tokens += r.tokens();
            }
            return sum / tokens;
        }
    }

    private static void near(String what, double expected, double found, double tolerance) {
        double change = Math.expm1(found - expected);
        System.out.printf("%s: perplexity %.4f, %+.3f %%%n", what, Math.exp(found), 100 * change);
        assertTrue(Math.abs(change) <= tolerance, what + ": perplexity changes by " + 100 * change + " %");
    }

    /** Weights that no quantiser has touched: answers of the bundled model's own world, which are what it was taught. */
    @Test
    void quantisedMicroworldForetellsItsAnswersAlmostAsWell() throws IOException {
        List<String> dialogues = new ArrayList<>();
        for (String trait : List.of("evil", "hallucinating", "sycophantic")) {
            Path file = SharedFiles.require("models/microworld/finetune/" + trait + "_normal.jsonl");
            dialogues.addAll(Files.readAllLines(file).subList(0, 150));
        }
        double full = lossOfAnswers(WeightFormat.F32, dialogues);
        near("microworld q8", full, lossOfAnswers(WeightFormat.Q8, dialogues), 0.005);
        near("microworld q4", full, lossOfAnswers(WeightFormat.Q4, dialogues), 0.05);
    }

    private static double lossOfAnswers(WeightFormat weights, List<String> dialogues) {
        double sum = 0;
        int count = 0;
        try (Model m = simd(MICROWORLD, weights)) {
            for (String line : dialogues) {
                List<Message> messages = new ArrayList<>();
                for (JsonElement e :
                        Json.parse(line, "dialogue").getAsJsonObject().getAsJsonArray("messages")) {
                    JsonObject o = e.getAsJsonObject();
                    messages.add(new Message(
                            o.get("role").getAsString(), o.get("content").getAsString()));
                }
                String answer = messages.removeLast().content();
                int[] prompt = m.chat(messages);
                int[] ids = IntStream.concat(
                                Arrays.stream(prompt),
                                Arrays.stream(m.tokenizer().encode(answer, false)))
                        .toArray();
                sum -= byHand(m, ids, prompt.length, ids.length);
                count += ids.length - prompt.length;
            }
        }
        return sum / count;
    }

    /** The same with a model of letters and stories that it tells itself. */
    @Test
    void quantisedLettersForetellTheirStoriesAlmostAsWell() {
        Path dir = SharedFiles.require("models/babyllama-char105");
        List<int[]> texts = new ArrayList<>();
        try (Model m = simd(dir, WeightFormat.F32)) {
            int[] prompt = m.encode("Once upon a time");
            SamplingOptions plain = new SamplingOptions(1, 0, 1, 0, 1);
            List<GenerationRequest> requests = IntStream.range(0, 24)
                    .mapToObj(seed -> new GenerationRequest(prompt, SteeringPlan.NONE, plain, seed, 200, true))
                    .toList();
            for (Generation g : m.generate(requests)) {
                texts.add(IntStream.concat(Arrays.stream(prompt), Arrays.stream(g.ids()))
                        .toArray());
            }
        }
        double full = loss(dir, WeightFormat.F32, texts);
        near("letters q8", full, loss(dir, WeightFormat.Q8, texts), 0.005);
        near("letters q4", full, loss(dir, WeightFormat.Q4, texts), 0.05);
    }

    /** WikiText-2 with the real model; the log-likelihoods in float32 are torch's with transformers, window by window. */
    @Test
    void quantisedSmolLmForetellsWikiTextAlmostAsWell() throws IOException {
        Path model = SharedFiles.require("models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf");
        Path text = SharedFiles.require("data/wikitext-2/test.txt");
        JsonObject golden =
                Json.readObject(model.resolveSibling("goldens.json")).getAsJsonObject("perplexity");
        int[] tokens;
        double[] sums = new double[3];
        WeightFormat[] formats = {WeightFormat.F32, WeightFormat.Q8, WeightFormat.Q4};
        for (int i = 0; i < 3; i++) {
            try (Model m = simd(model, formats[i])) {
                tokens = Arrays.copyOf(m.encode(Files.readString(text).substring(0, 12000)), 2048);
                Perplexity.Result r = new Perplexity(m, 512, 512).of(tokens, n -> {});
                assertEquals(2044, r.tokens());
                assertEquals(List.of("f32", "q8", "q4+q8").get(i), m.weightFormats());
                assertTrue(i != 2 || m.weightBytes() < 120_000_000, m.weightBytes() + " bytes of weights");
                sums[i] = -r.logLikelihood() / r.tokens();
                for (int w = 0; i == 0 && w < 4; w++) {
                    assertEquals(
                            golden.getAsJsonArray("nll_sum").get(w).getAsDouble(),
                            r.windowSums().get(w),
                            2e-2);
                }
                if (i == 0) {
                    assertEquals(golden.get("perplexity").getAsDouble(), r.perplexity(), 1e-4);
                }
            }
        }
        assertEquals(6619.410324281541 / 2044, sums[0], 1e-5);
        near("SmolLM2 q8", sums[0], sums[1], 0.005);
        near("SmolLM2 q4", sums[0], sums[2], 0.05);
    }
}
