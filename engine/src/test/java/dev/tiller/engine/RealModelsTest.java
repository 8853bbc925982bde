package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.cuda.CudaForTests;
import dev.tiller.loader.Json;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.template.Message;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Trained models against reference numbers computed elsewhere. */
class RealModelsTest {
    private static final String SMOL = "models/smollm2-135m-instruct";

    private static int[] ints(JsonArray a) {
        return a.asList().stream().mapToInt(JsonElement::getAsInt).toArray();
    }

    private static float[] floats(JsonArray a) {
        float[] out = new float[a.size()];
        for (int i = 0; i < out.length; i++) {
            out[i] = a.get(i).getAsFloat();
        }
        return out;
    }

    /** On a GPU 16-bit weights would get 16-bit inputs; with float32 ones it computes as the references did. */
    private static LoadOptions exact(String backend) {
        LoadOptions options = LoadOptions.DEFAULT.withBackend(backend);
        if (!backend.equals("cuda")) {
            return options;
        }
        CudaForTests.prepareFor(false);
        return options.withWeights(WeightFormat.F32);
    }

    private static float[] row(float[] rows, int row, int width) {
        return Arrays.copyOfRange(rows, row * width, (row + 1) * width);
    }

    // ---- microworld, bundled ----

    @ParameterizedTest
    @ValueSource(strings = {"scalar", "simd", "cuda"})
    void microworld(String backend) {
        Path dir = SharedFiles.repository("models/microworld");
        try (Model m = Model.load(dir, exact(backend))) {
            for (JsonElement e : Json.readObject(dir.resolve("golden.json")).getAsJsonArray("prompts")) {
                JsonObject p = e.getAsJsonObject();
                List<Message> messages = new ArrayList<>();
                for (JsonElement x : p.getAsJsonArray("messages")) {
                    JsonObject o = x.getAsJsonObject();
                    messages.add(new Message(
                            o.get("role").getAsString(), o.get("content").getAsString()));
                }
                assertEquals(p.get("text").getAsString(), m.renderChat(messages));
                int[] ids = m.chat(messages);
                assertArrayEquals(ints(p.getAsJsonArray("token_ids")), ids);
                microworldNumbers(m, p, ids);
            }
        }
    }

    private static void microworldNumbers(Model m, JsonObject p, int[] ids) {
        Activations a = m.activations(ids, ids.length, SteeringPlan.NONE);
        int d = m.spec().width();
        int last = ids.length - 1;
        float[] logits = row(a.logits(), last, m.spec().vocabulary());
        for (JsonElement t : p.getAsJsonArray("top5")) {
            JsonObject o = t.getAsJsonObject();
            assertEquals(o.get("logit").getAsFloat(), logits[o.get("id").getAsInt()], 5e-4);
        }
        float[] norms = floats(p.getAsJsonArray("residual_norms_last_position"));
        assertEquals(norms[0], Vectors.norm(row(a.embed(), last, d)), 1e-4 * norms[0]);
        for (int l = 1; l < norms.length; l++) {
            assertEquals(norms[l], Vectors.norm(row(a.residPost()[l - 1], last, d)), 1e-4 * norms[l]);
        }
        Generation g = m.generate(new GenerationRequest(ids, SteeringPlan.NONE, SamplingOptions.GREEDY, 0, 40, true));
        assertArrayEquals(ints(p.getAsJsonArray("greedy_40_tokens")), g.ids());
        assertEquals(
                p.get("greedy_text").getAsString(),
                m.generate(GenerationRequest.greedy(ids, 40)).text());
    }

    // ---- stories260k ----

    @ParameterizedTest
    @ValueSource(strings = {"scalar", "simd", "cuda"})
    void stories260k(String backend) {
        Path dir = SharedFiles.require("models/stories260k");
        try (Model m = Model.load(dir, exact(backend))) {
            storiesNumbers(m, dir);
            storiesSteering(m, dir);
        }
    }

    /** The same numbers from the GGUF file: rows of Q and K put back in order, tokenizer from its keys. */
    @ParameterizedTest
    @ValueSource(strings = {"scalar", "simd"})
    void stories260kGguf(String backend) {
        Path file = SharedFiles.require("models/stories260k/stories260Ktok512.gguf");
        try (Model m = Model.load(file, LoadOptions.DEFAULT.withBackend(backend))) {
            storiesNumbers(m, file.getParent());
        }
    }

    private static void storiesNumbers(Model m, Path dir) {
        for (JsonElement e : Json.readObject(dir.resolve("golden.json")).getAsJsonArray("cases")) {
            JsonObject c = e.getAsJsonObject();
            int[] ids = ints(c.getAsJsonArray("input_ids"));
            assertArrayEquals(ids, m.encode(c.get("text").getAsString()));
            Activations a = m.activations(ids, ids.length, SteeringPlan.NONE);
            int d = m.spec().width();
            int last = ids.length - 1;
            float[] logits = row(a.logits(), last, m.spec().vocabulary());
            for (JsonElement t : c.getAsJsonArray("last_logits_top10")) {
                JsonArray pair = t.getAsJsonArray();
                assertEquals(pair.get(1).getAsFloat(), logits[pair.get(0).getAsInt()], 5e-4);
            }
            // the reference counts from the embedding output and ends with the last block's output
            float[] norms = floats(c.getAsJsonArray("residual_l2_per_layer_last_token"));
            for (int l = 0; l < norms.length; l++) {
                float[] level = l == 0 ? a.embed() : a.residPost()[l - 1];
                assertEquals(norms[l], Vectors.norm(row(level, last, d)), 1e-4 * norms[l], "H[" + l + "]");
            }
            Generation g =
                    m.generate(new GenerationRequest(ids, SteeringPlan.NONE, SamplingOptions.GREEDY, 0, 64, true));
            assertArrayEquals(ints(c.getAsJsonArray("greedy_64_new_ids")), g.ids());
        }
    }

    private static void storiesSteering(Model m, Path dir) {
        JsonObject golden = Json.readObject(dir.resolve("steering_golden.json"));
        JsonArray prompts = golden.getAsJsonArray("prompts");
        for (var layer : golden.getAsJsonObject("layers").entrySet()) {
            JsonObject o = layer.getValue().getAsJsonObject();
            SteeringVector v = SteeringVector.uniform("sad", floats(o.getAsJsonArray("vector")));
            for (JsonElement e : o.getAsJsonArray("table")) {
                JsonObject r = e.getAsJsonObject();
                Edit add = Edit.add(v, r.get("coef").getAsFloat(), Integer.parseInt(layer.getKey()));
                SteeringPlan plan = SteeringPlan.of(add.over(Span.ALL));
                for (int i = 0; i < prompts.size(); i++) {
                    String text = prompts.get(i).getAsString();
                    double found = logProbability(m, text, " sad", plan) - logProbability(m, text, " happy", plan);
                    assertEquals(
                            r.getAsJsonArray("sad_minus_happy").get(i).getAsDouble(),
                            found,
                            2e-4,
                            "block " + layer.getKey() + ", " + r.get("coef"));
                }
            }
        }
    }

    /** Sum of log P of the tokens of {@code word} after the text. */
    private static double logProbability(Model m, String text, String word, SteeringPlan plan) {
        int[] prompt = m.encode(text);
        int[] all = m.encode(text + word);
        Activations a = m.activations(all, prompt.length, plan);
        int v = m.spec().vocabulary();
        double sum = 0;
        for (int t = prompt.length; t < all.length; t++) {
            float[] logits = row(a.logits(), t - 1, v);
            double max = logits[Sampler.argmax(logits, v)];
            double z = 0;
            for (float x : logits) {
                z += Math.exp(x - max);
            }
            sum += logits[all[t]] - max - Math.log(z);
        }
        return sum;
    }

    // ---- SmolLM2-135M-Instruct from its 4-bit GGUF, dequantised to float32 ----

    @ParameterizedTest
    @ValueSource(strings = {"simd"})
    void smollm2(String backend) {
        Path dir = SharedFiles.require(SMOL);
        JsonObject golden = Json.readObject(dir.resolve("goldens.json"));
        try (Goldens goldens = new Goldens(dir.resolve("goldens.safetensors"));
                Model m = Model.load(
                        dir.resolve("SmolLM2-135M-Instruct.Q4_1.gguf"), LoadOptions.DEFAULT.withBackend(backend))) {
            int block = golden.get("block").getAsInt();
            float[] u = goldens.floats("steer.u");
            SteeringVector v = SteeringVector.uniform("v", goldens.floats("steer.v"));
            SteeringVector unit = SteeringVector.uniform("u", u);
            for (int i = 0; i < 3; i++) {
                JsonObject prompt = golden.getAsJsonArray("prompts").get(i).getAsJsonObject();
                int[] ids = m.tokenizer().encode(prompt.get("rendered").getAsString(), false);
                String p = "p" + i;
                assertArrayEquals(goldens.ids(p + ".input_ids"), ids);
                smolPlain(m, goldens, p, ids);
                smolSteered(m, goldens, "add_response", p, ids, SteeringPlan.of(Edit.add(v, 3, block)));
                smolSteered(m, goldens, "add_response_negative", p, ids, SteeringPlan.of(Edit.add(v, -3, block)));
                smolSteered(
                        m,
                        goldens,
                        "add_all",
                        p,
                        ids,
                        SteeringPlan.of(Edit.add(v, 3, block).over(Span.ALL)));
                smolSteered(
                        m,
                        goldens,
                        "ablate_out",
                        p,
                        ids,
                        SteeringPlan.of(Edit.ablate(unit).over(Span.ALL)));
            }
        }
    }

    private static void smolPlain(Model m, Goldens goldens, String p, int[] ids) {
        Activations a = m.activations(ids, ids.length, SteeringPlan.NONE);
        int d = m.spec().width();
        int last = ids.length - 1;
        close(
                p + ".logits_last",
                goldens.floats(p + ".logits_last"),
                row(a.logits(), last, m.spec().vocabulary()));
        float[] resid = goldens.floats(p + ".resid_post_last");
        for (int b = 0; b < m.spec().blocks(); b++) {
            close(p + " block " + b, row(resid, b, d), row(a.residPost()[b], last, d));
        }
        if (goldens.has(p + ".resid_post")) {
            float[] all = goldens.floats(p + ".resid_post");
            for (int b = 0; b < m.spec().blocks(); b++) {
                close(p + " block " + b, row(all, b, ids.length * d), a.residPost()[b]);
            }
        }
        greedy(m, goldens, p, ids, SteeringPlan.NONE);
    }

    private static void smolSteered(Model m, Goldens goldens, String name, String p, int[] ids, SteeringPlan plan) {
        String prefix = "steer." + name + "." + p;
        Activations a = m.activations(ids, ids.length, plan);
        float[] logits = row(a.logits(), ids.length - 1, m.spec().vocabulary());
        close(prefix, goldens.floats(prefix + ".logits_last"), logits);
        greedy(m, goldens, prefix, ids, plan);
    }

    /** Greedy ids up to the first margin under 1e-3. */
    private static void greedy(Model m, Goldens goldens, String name, int[] ids, SteeringPlan plan) {
        int[] expected = goldens.ids(name + ".greedy_ids");
        float[] margin = goldens.floats(name + ".greedy_margin");
        int n = 0;
        while (n < margin.length && margin[n] >= 1e-3) {
            n++;
        }
        int[] found = m.generate(new GenerationRequest(ids, plan, SamplingOptions.GREEDY, 0, expected.length, true))
                .ids();
        assertArrayEquals(Arrays.copyOf(expected, n), Arrays.copyOf(found, n), name);
        assertTrue(n > 10, name + ": only " + n + " ids could be compared");
    }

    private static void close(String what, float[] expected, float[] found) {
        double l2 = Goldens.relativeL2(expected, found);
        assertTrue(l2 <= 1e-4, what + ": relative L2 " + l2);
    }
}
