package dev.tiller.loader.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.Safetensors;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.tokenizer.GgufVocabulary;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** Published files, against the gguf package for Python 0.19.0 and against the same weights in safetensors. */
class GgufRealFilesTest {
    private static final String SMOLLM = "models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf";

    /**
     * SHA-256 over lines "name [shape] sha256-of-the-float32-values", sorted by name; computed in Python from what
     * gguf.dequantize gives, query and key rows reordered by reshape(heads, half, 2, columns).swapaxes(1, 2).
     */
    private static final String SMOLLM_WEIGHTS = "5b8a39552c1ac312293b080f420ebe5ec06c403831625169f7bc506f1f899597";

    @Test
    void everyWeightOfTheFourBitModelEqualsTheReference() throws NoSuchAlgorithmException {
        try (GgufModel model = GgufModel.open(SharedFiles.require(SMOLLM))) {
            assertEquals(272, model.tensorNames().size());
            MessageDigest all = MessageDigest.getInstance("SHA-256");
            for (String name : new TreeSet<>(model.tensorNames())) {
                TensorView view = model.find(name).orElseThrow();
                MessageDigest one = MessageDigest.getInstance("SHA-256");
                float[] values = view.toFloats();
                ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
                bytes.asFloatBuffer().put(values);
                one.update(bytes);
                String shape = Arrays.toString(view.shape()).replace(" ", "");
                String line = name + " " + shape + " " + HexFormat.of().formatHex(one.digest()) + "\n";
                all.update(line.getBytes(StandardCharsets.UTF_8));
            }
            assertEquals(SMOLLM_WEIGHTS, HexFormat.of().formatHex(all.digest()));
        }
    }

    @Test
    void checkpointsOpenGgufFiles() {
        for (String file : List.of(SMOLLM, "models/stories260k/stories260Ktok512.gguf")) {
            Path path = SharedFiles.require(file);
            try (Checkpoint model = Checkpoint.open(path)) {
                model.checkShapes();
                assertEquals(List.of(), model.unused(), file);
                assertEquals(64, model.fingerprint().length());
            }
        }
    }

    @Test
    void vocabularyOfTheFourBitModel() {
        Path path = SharedFiles.require(SMOLLM);
        try (GgufModel model = GgufModel.open(path);
                Gguf file = Gguf.open(path)) {
            GgufVocabulary v = GgufTokens.vocabulary(file, model.config());
            assertEquals("smollm", v.pre());
            assertEquals(49152, v.tokens().size());
            assertEquals(48900, v.merges().size());
            assertEquals(1, v.bosId());
            assertEquals(2, v.eosId());
            assertEquals("<|im_end|>", model.specialTokens().get("eos_token"));
        }
    }

    @Test
    void storiesEqualTheirSafetensors() {
        Path folder = SharedFiles.require("models/stories260k");
        try (GgufModel model = GgufModel.open(folder.resolve("stories260Ktok512.gguf"));
                Safetensors reference = Safetensors.open(folder.resolve("model.safetensors"))) {
            int compared = 0;
            for (String name : reference.tensors().keySet()) {
                TensorView expected = reference.find(name).orElseThrow();
                TensorView found = model.find(name).orElseThrow();
                assertArrayEquals(expected.shape(), found.shape(), name);
                assertArrayEquals(expected.toFloats(), found.toFloats(), name);
                compared++;
            }
            assertEquals(47, compared);
            // The safetensors are tied; this file repeats the table as its head.
            assertArrayEquals(
                    model.find("model.embed_tokens.weight").orElseThrow().toFloats(),
                    model.find("lm_head.weight").orElseThrow().toFloats());
        }
    }
}
