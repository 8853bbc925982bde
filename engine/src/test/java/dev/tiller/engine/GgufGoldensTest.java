package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.gguf.FixtureGguf;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The reference numbers of the fixtures from GGUF files of every architecture: what the converter changed is put back. */
class GgufGoldensTest {
    private static final int PROMPTS = 3;

    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({
        "llama, simd",
        "llama3_rope, simd",
        "llama_bias, simd",
        "mistral, simd",
        "mixtral, simd",
        "qwen2, simd",
        "qwen3, simd",
        "qwen3_yarn, simd",
        "qwen3_moe, simd",
        "gemma2, simd",
        "gemma3_text, simd",
        "phi3, simd",
        "phi3_longrope, simd",
        "mixtral, scalar",
        "qwen3, scalar",
        "gemma2, scalar",
        "gemma3_text, scalar",
        "phi3_longrope, scalar"
    })
    void agree(String family, String backend) {
        Path directory = SharedFiles.require("fixtures/architectures/" + family);
        agree(directory, FixtureGguf.write(directory, folder.resolve("model.gguf")), backend, PROMPTS);
    }

    /** The block of Qwen 2, biases of queries, keys and values alone, under Llama's names and with its order of rows. */
    @ParameterizedTest
    @ValueSource(strings = {"simd", "scalar"})
    void llamaWithoutABiasOfTheOutput(String backend) {
        Path directory = SharedFiles.require("fixtures/architectures/qwen2");
        agree(directory, FixtureGguf.write(directory, folder.resolve("model.gguf"), "llama"), backend, PROMPTS);
    }

    /** The context that a file states may be less than the one before stretching: its numbers stay. */
    @ParameterizedTest
    @CsvSource({"llama3_rope, 60", "phi3_longrope, 40"})
    void aShortenedContext(String family, int context) {
        Path directory = SharedFiles.require("fixtures/architectures/" + family);
        Path file = FixtureGguf.write(directory, folder.resolve("model.gguf"));
        FixtureGguf.setContext(file, context);
        agree(directory, file, "simd", 1);
        try (Model model = Model.load(file, LoadOptions.DEFAULT)) {
            assertEquals(context, model.spec().maxPositions());
        }
    }

    private static void agree(Path directory, Path file, String backend, int prompts) {
        LoadOptions options = LoadOptions.DEFAULT.withBackend(backend);
        try (Goldens goldens = new Goldens(directory.resolve("goldens.safetensors"));
                Model model = Model.load(file, options)) {
            int d = model.spec().width();
            for (int i = 0; i < prompts; i++) {
                String p = "p" + i;
                int[] ids = goldens.ids(p + ".input_ids");
                Activations a = model.activations(ids, ids.length, SteeringPlan.NONE);
                Goldens.assertLogits(p + ".logits", goldens.floats(p + ".logits"), a.logits());
                Goldens.assertRows(p + ".embed", goldens.floats(p + ".embed"), a.embed(), d);
                Goldens.assertRows(p + ".final_norm", goldens.floats(p + ".final_norm"), a.finalNorm(), d);
                int[] expected = goldens.ids(p + ".greedy_ids");
                GenerationRequest request =
                        new GenerationRequest(ids, SteeringPlan.NONE, SamplingOptions.GREEDY, 0, expected.length, true);
                assertArrayEquals(expected, model.generate(request).ids(), p);
            }
        }
    }
}
