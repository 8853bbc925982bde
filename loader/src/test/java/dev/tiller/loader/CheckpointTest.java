package dev.tiller.loader;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointTest {
    private static final String INDEX = "model.safetensors.index.json";

    @TempDir
    Path directory;

    private static void assertError(Executable action, String... parts) {
        TillerException e = assertThrows(TillerException.class, action);
        for (String part : parts) {
            assertTrue(e.getMessage().contains(part), e.getMessage());
        }
        assertFalse(e.getMessage().contains("\n"), e.getMessage());
    }

    /** A model of one block and width 4; biases and head as the text says. */
    private ModelConfig config(String more) throws IOException {
        String text = "{\"model_type\":\"llama\",\"hidden_size\":4,\"intermediate_size\":6,\"num_hidden_layers\":1,"
                + "\"num_attention_heads\":2,\"vocab_size\":5" + more + "}";
        Files.writeString(directory.resolve("config.json"), text);
        return ModelConfig.read(directory.resolve("config.json"));
    }

    private static SafetensorsWriter weights(ModelConfig config) {
        SafetensorsWriter writer = new SafetensorsWriter();
        WeightNames.of(config.modelType()).expected(config).forEach((name, role) -> {
            long[] shape = role.shape(config);
            float[] values = new float[(int) Arrays.stream(shape).reduce(1, (a, b) -> a * b)];
            for (int i = 0; i < values.length; i++) {
                values[i] = name.hashCode() % 97 + i;
            }
            writer.add(name, shape, values);
        });
        return writer;
    }

    private void single(SafetensorsWriter weights) {
        weights.write(directory.resolve("model.safetensors"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "fixtures/architectures/llama",
                "fixtures/architectures/llama3_rope",
                "fixtures/architectures/llama_bias",
                "fixtures/architectures/qwen2",
                "fixtures/architectures/cohere",
                "fixtures/architectures/gemma2",
                "fixtures/architectures/gemma3_text",
                "fixtures/architectures/gpt2",
                "fixtures/architectures/gpt_neox",
                "fixtures/architectures/granite",
                "fixtures/architectures/mistral",
                "fixtures/architectures/mixtral",
                "fixtures/architectures/olmo2",
                "fixtures/architectures/phi3",
                "fixtures/architectures/phi3_longrope",
                "fixtures/architectures/qwen3",
                "fixtures/architectures/qwen3_moe",
                "fixtures/architectures/qwen3_yarn",
                "fixtures/architectures/smollm3",
                "fixtures/persona/qwen2/finetuned",
                "fixtures/persona/stories260k/model",
                "models/microworld",
                "models/babyllama-char105"
            })
    void realModelsHaveTheShapesTheirConfigurationImplies(String folder) {
        Path path = SharedFiles.require(folder);
        try (Checkpoint model = Checkpoint.open(path)) {
            model.checkShapes();
            assertEquals(List.of(), model.unused());
            assertEquals(path.getFileName().toString(), model.name());
            WeightNames names = WeightNames.of(model.config().modelType());
            assertEquals(
                    names.expected(model.config()).keySet().stream().sorted().toList(),
                    List.copyOf(model.tensorNames()));
            assertEquals(64, model.fingerprint().length());
        }
    }

    @Test
    void shardsAreReadAsOneModelWithTheSameFingerprint() {
        Path path = SharedFiles.require("fixtures/architectures/llama");
        try (Checkpoint sharded = Checkpoint.open(path)) {
            SafetensorsWriter writer = new SafetensorsWriter();
            sharded.tensorNames().forEach(name -> writer.add(sharded.tensor(name)));
            writer.write(directory.resolve("model.safetensors"));
            AtomicFile.write(
                    directory.resolve("config.json"),
                    channel -> AtomicFile.writeFully(
                            channel, ByteBuffer.wrap(Files.readAllBytes(path.resolve("config.alt.json")))));
            try (Checkpoint single = Checkpoint.open(directory)) {
                assertEquals(sharded.tensorNames(), single.tensorNames());
                assertEquals(sharded.fingerprint(), single.fingerprint());
            }
        }
    }

    @Test
    void theFingerprintSeesConfigurationAndWeights() throws IOException {
        single(weights(config("")));
        String first = fingerprint();
        assertEquals(first, fingerprint());
        config(",\"rope_theta\":20000");
        assertNotEquals(first, fingerprint());
        config(",\"eos_token_id\":3"); // does not change what the model computes
        assertEquals(first, fingerprint());
        byte[] bytes = Files.readAllBytes(directory.resolve("model.safetensors"));
        bytes[bytes.length - 1] ^= 1;
        Files.write(directory.resolve("model.safetensors"), bytes);
        assertNotEquals(first, fingerprint());
    }

    private String fingerprint() {
        try (Checkpoint model = Checkpoint.open(directory)) {
            return model.fingerprint();
        }
    }

    @Test
    void whatIsNotAModelIsRefused() throws IOException {
        assertError(() -> Checkpoint.open(directory.resolve("none")), "none: no such model");
        assertError(() -> Checkpoint.open(directory), "no config.json and no .gguf file");
        Files.writeString(directory.resolve("a.gguf"), "");
        Files.writeString(directory.resolve("b.gguf"), "");
        assertError(() -> Checkpoint.open(directory), "2 .gguf files");
        Path text = Files.writeString(directory.resolve("x.txt"), "");
        assertError(() -> Checkpoint.open(text), "x.txt: expected a model directory");
        config("");
        assertError(() -> Checkpoint.open(directory), "no weights, expected model.safetensors");
        Files.writeString(directory.resolve("config.json"), "{\"model_type\":\"mamba\"}");
        assertError(
                () -> Checkpoint.open(directory),
                "config.json",
                "model_type",
                "llama, ministral, mistral",
                "\"mamba\"");
    }

    @Test
    void wrongTensorsAreNamed() throws IOException {
        ModelConfig config = config("");
        single(weights(config));
        config(",\"head_dim\":4");
        try (Checkpoint model = Checkpoint.open(directory)) {
            assertError(
                    model::checkShapes, "model.safetensors", "layers.0.self_attn.q_proj.weight", "[8, 4]", "[4, 4]");
        }
        config(",\"attention_bias\":true");
        try (Checkpoint model = Checkpoint.open(directory)) {
            assertError(model::checkShapes, "expected tensor", "q_proj.bias", "q_proj.weight");
        }
        config(",\"tie_word_embeddings\":true");
        single(weights(config).add("extra", new long[] {1}, new float[1]));
        try (Checkpoint model = Checkpoint.open(directory)) {
            model.checkShapes();
            assertEquals(List.of("extra"), model.unused());
            assertError(() -> model.tensor("model.norm.bias"), "\"model.norm.weight\"");
        }
    }

    /** What attention_bias promises: a bias behind attention may be missing in every block, and is nothing then. */
    @Test
    void aBiasBehindAttentionIsThereInEveryBlockOrInNone() throws IOException {
        config(",\"attention_bias\":true");
        Path file = directory.resolve("config.json");
        Files.writeString(file, Files.readString(file).replace("layers\":1", "layers\":2"));
        ModelConfig config = ModelConfig.read(file);
        for (String left : List.of("", "0", "01")) {
            SafetensorsWriter writer = new SafetensorsWriter();
            WeightNames.of("llama").expected(config).forEach((name, role) -> {
                boolean out = role == WeightRole.O_BIAS && left.contains(name.split("\\.")[2]);
                if (!out) {
                    long[] shape = role.shape(config);
                    writer.add(name, shape, new float[(int) Arrays.stream(shape).reduce(1, (a, b) -> a * b)]);
                }
            });
            writer.write(directory.resolve("model.safetensors"));
            try (Checkpoint model = Checkpoint.open(directory)) {
                assertEquals(List.of(), model.unused());
                if (left.equals("0")) {
                    assertError(model::checkShapes, "expected tensor \"model.layers.0.self_attn.o_proj.bias\"");
                } else {
                    model.checkShapes();
                }
            }
        }
    }

    /** All experts in one tensor: seen as the matrices that they are, or refused with both shapes. */
    @Test
    void stackedExpertsAreTakenApart() throws IOException {
        Files.writeString(
                directory.resolve("config.json"),
                "{\"model_type\":\"mixtral\",\"hidden_size\":4,\"intermediate_size\":3,\"num_hidden_layers\":1,"
                        + "\"num_attention_heads\":2,\"num_key_value_heads\":1,\"vocab_size\":5,\"num_local_experts\":2}");
        String experts = "model.layers.0.mlp.experts.";
        float[] gateUp = numbers(2 * 6 * 4);
        float[] down = numbers(2 * 4 * 3);
        new SafetensorsWriter()
                .add(experts + "gate_up_proj", new long[] {2, 6, 4}, gateUp)
                .add(experts + "down_proj", new long[] {2, 4, 3}, down)
                .add("model.layers.0.mlp.gate.weight", new long[] {2, 4}, numbers(8))
                .add("model.layers.1.mlp.gate.weight", new long[] {2, 4}, numbers(8))
                .write(directory.resolve("model.safetensors"));
        try (Checkpoint model = Checkpoint.open(directory)) {
            assertEquals(List.of("model.layers.1.mlp.gate.weight"), model.unused());
            String old = "model.layers.0.block_sparse_moe.";
            for (int e = 0; e < 2; e++) {
                String name = old + "experts." + e;
                assertArrayEquals(
                        part(gateUp, 2 * e, 12),
                        model.tensor(name + ".w1.weight").toFloats());
                assertArrayEquals(
                        part(gateUp, 2 * e + 1, 12),
                        model.tensor(name + ".w3.weight").toFloats());
                assertArrayEquals(
                        part(down, e, 12), model.tensor(name + ".w2.weight").toFloats());
                assertArrayEquals(
                        new long[] {4, 3}, model.tensor(name + ".w2.weight").shape());
            }
            assertArrayEquals(numbers(8), model.tensor(old + "gate.weight").toFloats());
        }
        new SafetensorsWriter()
                .add(experts + "gate_up_proj", new long[] {2, 4, 6}, gateUp)
                .write(directory.resolve("model.safetensors"));
        assertError(
                () -> Checkpoint.open(directory),
                "experts.gate_up_proj\": expected shape [2, 6, 4]",
                "found [2, 4, 6]");
    }

    private static float[] numbers(int n) {
        float[] out = new float[n];
        for (int i = 0; i < n; i++) {
            out[i] = i + 1;
        }
        return out;
    }

    private static float[] part(float[] all, int index, int length) {
        return Arrays.copyOfRange(all, index * length, (index + 1) * length);
    }

    @Test
    void integerWeightsAreRefused() throws IOException {
        ModelConfig config = config("");
        single(weights(config));
        Path file = directory.resolve("model.safetensors");
        String text = Files.readString(file, StandardCharsets.ISO_8859_1);
        Files.writeString(file, text.replaceFirst("F32", "I32"), StandardCharsets.ISO_8859_1);
        try (Checkpoint model = Checkpoint.open(directory)) {
            assertError(model::checkShapes, "expected F64, F32, F16 or BF16, found I32");
        }
    }

    @Test
    void aTiedModelWithAHeadOfItsOwnUsesIt() throws IOException {
        ModelConfig tied = config(",\"tie_word_embeddings\":true");
        single(weights(tied).add("lm_head.weight", new long[] {5, 4}, new float[20]));
        try (Checkpoint model = Checkpoint.open(directory)) {
            assertFalse(model.config().tiedEmbeddings());
            assertEquals(List.of(), model.unused());
        }
        try (Checkpoint model = Checkpoint.open(directory)) {
            float[] embedding = model.tensor("model.embed_tokens.weight").toFloats();
            single(weights(tied).add("lm_head.weight", new long[] {5, 4}, embedding));
        }
        try (Checkpoint model = Checkpoint.open(directory)) {
            assertTrue(model.config().tiedEmbeddings());
            assertEquals(List.of("lm_head.weight"), model.unused());
        }
    }

    /** A tool that writes shared matrices once keeps the name that comes first in the alphabet. */
    @Test
    void aTiedModelMayStoreItsMatrixAsTheHead() throws IOException {
        ModelConfig tied = config(",\"tie_word_embeddings\":true");
        float[] matrix = new float[20];
        for (int i = 0; i < matrix.length; i++) {
            matrix[i] = i;
        }
        SafetensorsWriter stored = new SafetensorsWriter();
        WeightNames names = WeightNames.of("llama");
        names.expected(tied).forEach((name, role) -> {
            boolean embedding = role == WeightRole.EMBED;
            long[] shape = role.shape(tied);
            int count = (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b);
            stored.add(embedding ? "lm_head.weight" : name, shape, embedding ? matrix : new float[count]);
        });
        single(stored);
        try (Checkpoint model = Checkpoint.open(directory)) {
            assertTrue(model.config().tiedEmbeddings());
            model.checkShapes();
            assertArrayEquals(matrix, model.tensor("model.embed_tokens.weight").toFloats());
            assertEquals(List.of(), model.unused());
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aTextPartWithoutAHeadIsTiedIfTheWholeIs(boolean whole) throws IOException {
        ModelConfig tied = config(",\"tie_word_embeddings\":true");
        single(weights(tied));
        String text = Files.readString(directory.resolve("config.json"))
                .replace("\"tie_word_embeddings\":true", "\"tie_word_embeddings\":false");
        Files.writeString(
                directory.resolve("config.json"),
                "{\"model_type\":\"mistral3\",\"tie_word_embeddings\":" + whole + ",\"text_config\":"
                        + text.replace("\"llama\"", "\"mistral\"") + "}");
        try (Checkpoint model = Checkpoint.open(directory)) {
            assertEquals(whole, model.config().tiedEmbeddings());
            if (!whole) {
                assertError(model::checkShapes, "lm_head.weight");
            } else {
                model.checkShapes();
            }
        }
    }

    /** Two shards, x and y, and an index with that weight_map. */
    private void index(String weightMap) throws IOException {
        config("");
        new SafetensorsWriter().add("x", new long[] {1}, new float[1]).write(directory.resolve("1.safetensors"));
        new SafetensorsWriter().add("y", new long[] {1}, new float[1]).write(directory.resolve("2.safetensors"));
        Files.writeString(directory.resolve(INDEX), "{\"metadata\":{},\"weight_map\":" + weightMap + "}");
    }

    @Test
    void goodIndex() throws IOException {
        index("{\"x\":\"1.safetensors\",\"y\":\"2.safetensors\"}");
        try (Checkpoint model = Checkpoint.open(directory)) {
            assertEquals(new TreeSet<>(List.of("x", "y")), model.tensorNames());
        }
    }

    @Test
    void shardErrors() throws IOException {
        index("{\"x\":\"1.safetensors\",\"y\":\"3.safetensors\"}");
        assertError(() -> Checkpoint.open(directory), INDEX, "\"3.safetensors\" is missing");
        index("{\"x\":\"1.safetensors\",\"y\":\"2.safetensors\",\"z\":\"2.safetensors\"}");
        assertError(() -> Checkpoint.open(directory), INDEX, "\"z\" is listed in \"2.safetensors\", which lacks it");
        index("{\"x\":\"1.safetensors\",\"z\":\"2.safetensors\"}");
        assertError(() -> Checkpoint.open(directory), INDEX, "\"y\"", "no entry");
        index("{\"x\":\"2.safetensors\",\"y\":\"1.safetensors\"}");
        assertError(() -> Checkpoint.open(directory), INDEX, "expected tensor \"x\" in \"1.safetensors\"");
        index("{\"x\":\"1.safetensors\",\"y\":\"2.safetensors\"}");
        Files.write(directory.resolve("2.safetensors"), new byte[7]);
        assertError(() -> Checkpoint.open(directory), "2.safetensors: expected an 8-byte header length");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "[]",
                "null",
                "{\"x\":1}",
                "{\"x\":null}",
                "{\"x\":\"../1.safetensors\"}",
                "{\"x\":\"/tmp/1.safetensors\"}",
                "{\"x\":\"sub/1.safetensors\"}",
                "{\"x\":\"sub\\\\1.safetensors\"}",
                "{\"x\":\"..\"}",
                "{\"x\":\"\"}",
                "{\"x\":\"1.bin\"}",
                "{\"x\":\"1\\u0000.safetensors\"}",
                "{\"x\":\"1.safetensors\",\"x\":\"2.safetensors\"}"
            })
    void nonsenseInTheIndexIsRefused(String weightMap) throws IOException {
        index(weightMap);
        assertError(() -> Checkpoint.open(directory), INDEX);
    }

    @Test
    void templateAndSpecialTokensOfARealModel() {
        try (Checkpoint model = Checkpoint.open(SharedFiles.require("models/microworld"))) {
            assertEquals(Map.of("eos_token", "<|im_end|>", "pad_token", "<|endoftext|>"), model.specialTokens());
            assertTrue(model.chatTemplateSource().orElseThrow().startsWith("{% for message in messages %}"));
            assertEquals(List.of(2, 0), model.generationConfig().eosIds());
            assertEquals(96, model.generationConfig().maxNewTokens());
        }
    }

    @Test
    void templateSources() throws IOException {
        Path config = directory.resolve("tokenizer_config.json");
        assertEquals(Optional.empty(), TokenizerFiles.chatTemplate(directory));
        assertEquals(Map.of(), TokenizerFiles.specialTokens(directory));
        Files.writeString(
                config,
                "{\"chat_template\":[{\"name\":\"rag\",\"template\":\"r\"},"
                        + "{\"name\":\"default\",\"template\":\"d\"}]}");
        assertEquals(Optional.of("d"), TokenizerFiles.chatTemplate(directory));
        Files.writeString(config, "{\"chat_template\":[{\"name\":\"rag\",\"template\":\"r\"}]}");
        assertError(() -> TokenizerFiles.chatTemplate(directory), "tokenizer_config.json", "\"default\"", "[rag]");
        Files.writeString(config, "{\"chat_template\":5}");
        assertError(() -> TokenizerFiles.chatTemplate(directory), "key \"chat_template\"", "found 5");
        Files.writeString(directory.resolve("chat_template.jinja"), "j\n");
        assertEquals(Optional.of("j\n"), TokenizerFiles.chatTemplate(directory));
        Files.write(directory.resolve("chat_template.jinja"), new byte[] {(byte) 0xff});
        assertError(() -> TokenizerFiles.chatTemplate(directory), "chat_template.jinja", "UTF-8");
    }

    @Test
    void specialTokensAsTextOrObject() throws IOException {
        Files.writeString(
                directory.resolve("special_tokens_map.json"),
                "{\"bos_token\":\"old\",\"unk_token\":\"<unk>\",\"pad_token\":\"p\"}");
        Files.writeString(
                directory.resolve("tokenizer_config.json"),
                "{\"add_bos_token\":true,\"bos_token\":{\"content\":\"<s>\",\"lstrip\":false},\"eos_token\":\"</s>\","
                        + "\"pad_token\":null,\"extra_special_tokens\":{\"image_token\":\"<img>\"}}");
        assertEquals(
                Map.of("bos_token", "<s>", "eos_token", "</s>", "unk_token", "<unk>", "image_token", "<img>"),
                TokenizerFiles.specialTokens(directory));
        Files.writeString(directory.resolve("tokenizer_config.json"), "{\"eos_token\":7}");
        assertError(() -> TokenizerFiles.specialTokens(directory), "tokenizer_config.json", "eos_token", "found 7");
    }

    @Test
    void aMissingTokenizerIsAnError() throws IOException {
        single(weights(config("")));
        try (Checkpoint model = Checkpoint.open(directory)) {
            assertError(model::tokenizer, "expected tokenizer.json");
        }
    }
}
