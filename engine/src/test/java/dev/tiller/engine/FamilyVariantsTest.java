package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.cpu.SimdBackend;
import dev.tiller.kernels.cuda.CudaForTests;
import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.Json;
import dev.tiller.loader.SafetensorsWriter;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Settings of the families that the reference fixtures do not have, and files that are laid out otherwise. */
class FamilyVariantsTest {
    private static final int[] IDS = {5, 9, 3, 7, 11, 2, 8, 8, 40};

    @TempDir
    Path folder;

    private static Path resource(String name) {
        try {
            return Path.of(
                    FamilyVariantsTest.class.getResource("/families/" + name).toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Path fixture(String name) {
        return SharedFiles.require("fixtures/architectures/" + name);
    }

    static Stream<String> variants() throws IOException {
        try (Stream<Path> all = Files.list(resource(""))) {
            List<String> names = all.filter(Files::isDirectory)
                    .map(p -> p.getFileName().toString())
                    .sorted()
                    .toList();
            assertEquals(42, names.size());
            return names.stream();
        }
    }

    private static LoadOptions on(String backend) {
        return LoadOptions.DEFAULT.withBackend(backend);
    }

    private static float[] logits(Path model, LoadOptions options) {
        try (Model m = Model.load(model, options)) {
            return m.activations(IDS, IDS.length, SteeringPlan.NONE).logits();
        }
    }

    @ParameterizedTest
    @MethodSource("variants")
    void agrees(String name) {
        Path path = resource(name);
        try (Goldens goldens = new Goldens(path.resolve("goldens.safetensors"))) {
            int[] ids = goldens.ids("input_ids");
            for (String backend : List.of("scalar", "simd")) {
                try (Model model = Model.load(path, on(backend))) {
                    Activations found = model.activations(ids, ids.length, SteeringPlan.NONE);
                    Goldens.assertLogits(name + " on " + backend, goldens.floats("logits"), found.logits());
                    if (goldens.has("greedy_ids")) {
                        more(name + " on " + backend, goldens, model, ids, found);
                    }
                }
            }
        }
    }

    /** What the families of the fixtures do not bring to a GPU: a bias of the head, norms without weights. */
    @ParameterizedTest
    @ValueSource(strings = {"phi", "olmo"})
    void agreesOnAGpu(String name) {
        CudaForTests.prepareFor(false);
        Path path = resource(name);
        try (Goldens goldens = new Goldens(path.resolve("goldens.safetensors"));
                Model model = Model.load(path, on("cuda").withWeights(WeightFormat.F32))) {
            int[] ids = goldens.ids("input_ids");
            Activations found = model.activations(ids, ids.length, SteeringPlan.NONE);
            Goldens.assertLogits(name, goldens.floats("logits"), found.logits());
        }
    }

    private static void more(String what, Goldens goldens, Model model, int[] ids, Activations found) {
        int d = model.spec().width();
        Goldens.assertRows(what + ": resid_post", goldens.floats("resid_post"), joined(found.residPost()), d);
        Goldens.assertRows(what + ": final_norm", goldens.floats("final_norm"), found.finalNorm(), d);
        int[] greedy = goldens.ids("greedy_ids");
        GenerationRequest request =
                new GenerationRequest(ids, SteeringPlan.NONE, SamplingOptions.GREEDY, 0, greedy.length, true);
        assertArrayEquals(greedy, model.generate(request).ids(), what + ": greedy_ids");
    }

    private static float[] joined(float[][] blocks) {
        float[] out = new float[blocks.length * blocks[0].length];
        for (int b = 0; b < blocks.length; b++) {
            System.arraycopy(blocks[b], 0, out, b * blocks[b].length, blocks[b].length);
        }
        return out;
    }

    /** Many texts at once give the tokens of a pass over each whole text, also where one outgrows the short context (8). */
    @ParameterizedTest
    @ValueSource(strings = {"phi3_partial_longrope", "qwen2_windows", "mixtral_window", "gpt_neox_sequential"})
    void tokensDoNotDependOnTheTextsBeside(String name) {
        try (Model model = Model.load(resource(name), on("simd"));
                Model alone = Model.load(resource(name), on("simd"))) {
            Random random = new Random(name.hashCode());
            int v = model.spec().vocabulary();
            List<GenerationRequest> requests = Stream.of(3, 6, 7, 8, 9, 19)
                    .map(n -> random.ints(n, 3, v).toArray())
                    .map(ids -> new GenerationRequest(ids, SteeringPlan.NONE, SamplingOptions.GREEDY, 0, 12, true))
                    .toList();
            List<Generation> together = model.generate(requests);
            for (int i = 0; i < requests.size(); i++) {
                int[] prompt = requests.get(i).prompt();
                int[] all = Arrays.copyOf(prompt, prompt.length + 12);
                for (int t = prompt.length; t < all.length; t++) {
                    all[t] = best(alone, Arrays.copyOf(all, t));
                }
                assertArrayEquals(
                        Arrays.copyOfRange(all, prompt.length, all.length),
                        together.get(i).ids());
            }
        }
    }

    /** The next token by a pass over the whole text. */
    private static int best(Model model, int[] ids) {
        float[] logits = model.activations(ids, ids.length, SteeringPlan.NONE).logits();
        int v = model.spec().vocabulary();
        int row = (ids.length - 1) * v;
        int best = 0;
        for (int i = 1; i < v; i++) {
            best = logits[row + i] > logits[row + best] ? i : best;
        }
        return best;
    }

    /** 32 positions are the short context of this model: what a short text has stored is of no use to a long one. */
    @Test
    void aKeptPrefixWithOtherRotaryAnglesIsNotUsed() {
        Path path = fixture("phi3_longrope");
        try (Model model = Model.load(path, on("simd"));
                Model fresh = Model.load(path, on("simd"))) {
            int[] text = new Random(5).ints(60, 3, model.spec().vocabulary()).toArray();
            model.generate(GenerationRequest.greedy(Arrays.copyOf(text, 20), 4));
            KeptPrefixes kept = model.cache().kept();
            Sequence within = model.newSequence(SteeringPlan.NONE, 30);
            Sequence beyond = model.newSequence(SteeringPlan.NONE, 60);
            assertTrue(beyond.isLong() && !within.isLong());
            assertEquals(16, kept.longest(within, text, 30));
            assertEquals(0, kept.longest(beyond, text, 60));
            GenerationRequest whole = GenerationRequest.greedy(text, 10);
            assertArrayEquals(fresh.generate(whole).ids(), model.generate(whole).ids());
            assertEquals(48, kept.longest(beyond, text, 60 - 1));
            GenerationRequest crossing = GenerationRequest.greedy(Arrays.copyOf(text, 31), 12);
            assertArrayEquals(
                    fresh.generate(crossing).ids(), model.generate(crossing).ids());
        }
    }

    @Test
    void aTextThatHasBegunShortCannotGrowLong() {
        try (Model model = Model.load(fixture("phi3_longrope"), on("scalar"));
                Sequence s = model.newSequence(SteeringPlan.NONE, 1)) {
            int[] ids = new int[33];
            Arrays.fill(ids, 5);
            Step step = model.newStep();
            step.add(s, ids, 0, 32, Step.Logits.NONE);
            model.forward(step);
            step.clear();
            TillerException e = assertThrows(TillerException.class, () -> step.add(s, ids, 32, 33, Step.Logits.NONE));
            assertTrue(e.getMessage().contains("grows beyond 32 positions"), e.getMessage());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt_neox", "cohere"})
    void nothingLiesBetweenParallelModules(String name) {
        try (Model model = Model.load(fixture(name), on("scalar"))) {
            float[] direction = new float[model.spec().width()];
            direction[0] = 1;
            SteeringVector v = SteeringVector.uniform("v", direction);
            Condition when = new Condition(v, Site.RESID_MID, 0, 0, true, Condition.Measure.PROMPT_MEAN);
            for (Edit edit : List.of(
                    Edit.add(v, 1, 1).at(Site.RESID_MID),
                    Edit.add(v, 1, 1).with().when(when).build())) {
                TillerException e = assertThrows(TillerException.class, () -> model.check(SteeringPlan.of(edit)));
                assertTrue(e.getMessage().contains("resid_mid does not exist in this model"), e.getMessage());
                assertTrue(e.getMessage().contains("read the same residual"), e.getMessage());
            }
            model.check(SteeringPlan.of(Edit.add(v, 1, 1).at(Site.ATTN_WRITE, Site.MLP_WRITE)));
        }
    }

    /** Other names for the same tensors: GPT-2 without its prefix, the text part of Gemma 3 in either order. */
    @Test
    void prefixesMayDiffer() throws IOException {
        UnaryOperator<String> whole = config ->
                "{\"model_type\":\"gemma3\",\"text_config\":" + config + ",\"vision_config\":{\"hidden_size\":8}}";
        renamed("gpt2", config -> config, name -> name.replace("transformer.", ""), "a");
        renamed("gemma3_text", whole, name -> "language_model." + name, "b");
        renamed("gemma3_text", whole, name -> name.replace("model.", "model.language_model."), "c");
    }

    private void renamed(String name, UnaryOperator<String> config, UnaryOperator<String> rename, String to)
            throws IOException {
        Path original = fixture(name);
        Path copy = Files.createDirectories(folder.resolve(to));
        Files.writeString(copy.resolve("config.json"), config.apply(Files.readString(original.resolve("config.json"))));
        SafetensorsWriter writer = new SafetensorsWriter();
        try (Checkpoint from = Checkpoint.open(original)) {
            for (String tensor : from.tensorNames()) {
                TensorView t = from.tensor(tensor);
                writer.add(new TensorView(rename.apply(tensor), t.dtype(), t.shape(), t.data(), t.source()));
            }
            writer.add("vision_tower.patch.weight", new long[] {2}, new float[2]);
            writer.write(copy.resolve("model.safetensors"));
        }
        assertArrayEquals(logits(original, on("simd")), logits(copy, on("simd")));
        try (Checkpoint read = Checkpoint.open(copy)) {
            assertEquals(List.of("vision_tower.patch.weight"), read.unused());
            assertEquals(name.startsWith("gemma") ? "gemma3" : "", read.config().partOf());
        }
    }

    /** Codes of few bits, with widths that are no multiples of a block, and packed weights from the cache. */
    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "gpt_neox", "cohere", "phi3", "mixtral", "gemma3_text"})
    void formatsAndTheCacheOfWeightsGoOnWorking(String name) {
        Path path = fixture(name);
        WeightCache cache = new WeightCache(folder.resolve("weights"));
        for (WeightFormat format : List.of(WeightFormat.BF16, WeightFormat.Q8, WeightFormat.Q4)) {
            float[] scalar = logits(path, on("scalar").withWeights(format));
            float[] simd = logits(path, on("simd").withWeights(format));
            double l2 = Goldens.relativeL2(scalar, simd);
            assertTrue(l2 <= 1e-5, name + " in " + format + ": relative L2 " + l2);
            cache.add(path, format);
            assertArrayEquals(simd, cached(path, cache, format), name + " in " + format);
        }
    }

    private static float[] cached(Path path, WeightCache cache, WeightFormat format) {
        try (Checkpoint checkpoint = Checkpoint.open(path);
                SimdBackend backend = new SimdBackend(2)) {
            cache.attach(backend, checkpoint, format);
            ModelSpec spec = ModelSpec.of(checkpoint.config());
            Weights weights = Weights.load(checkpoint, spec, backend, format);
            assertTrue(backend.matricesFromFile() > 0);
            KvCache kv = KvCache.of(backend, spec, weights.operandFormat(), LoadOptions.DEFAULT);
            Step step = new Step(spec.vocabulary(), spec.maxPositions());
            Sequence sequence = new Sequence(kv, Treatment.of(CompiledPlan.NONE, IDS.length));
            step.add(sequence, IDS, 0, IDS.length, Step.Logits.ALL);
            float[] out = new float[IDS.length * spec.vocabulary()];
            Transformer transformer = new Transformer(spec, weights, backend, kv);
            backend.read(transformer.forward(step, Taps.NONE), 0, IDS.length, out, 0);
            return out;
        }
    }

    @Test
    void aGpuRefusesMixtures() {
        CudaForTests.prepareFor(false);
        TillerException e =
                assertThrows(TillerException.class, () -> Model.load(resource("mixtral_window"), on("cuda")));
        assertTrue(e.getMessage().contains("has mixtures of experts, which this backend does not run"), e.getMessage());
    }

    /** The other spelling of the configuration gives the same model; another number another one. */
    @Test
    void theFingerprintDoesNotDependOnTheSpelling() throws IOException {
        Path original = fixture("gemma3_text");
        Files.copy(original.resolve("config.alt.json"), folder.resolve("config.json"));
        Files.copy(original.resolve("model.safetensors"), folder.resolve("model.safetensors"));
        assertEquals(fingerprint(original), fingerprint(folder));
        JsonObject json = Json.readObject(folder.resolve("config.json"));
        json.addProperty("query_pre_attn_scalar", 29);
        Files.writeString(folder.resolve("config.json"), json.toString());
        assertNotEquals(fingerprint(original), fingerprint(folder));
    }

    private static String fingerprint(Path model) {
        try (Checkpoint checkpoint = Checkpoint.open(model)) {
            return checkpoint.fingerprint();
        }
    }
}
