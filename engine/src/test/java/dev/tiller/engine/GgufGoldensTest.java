package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.gguf.FixtureGguf;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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
        Path file = FixtureGguf.write(directory, folder.resolve("model.gguf"));
        LoadOptions options = LoadOptions.DEFAULT.withBackend(backend);
        try (Goldens goldens = new Goldens(directory.resolve("goldens.safetensors"));
                Model model = Model.load(file, options)) {
            int d = model.spec().width();
            for (int i = 0; i < PROMPTS; i++) {
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
