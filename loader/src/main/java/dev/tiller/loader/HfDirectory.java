package dev.tiller.loader;

import dev.tiller.loader.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** A model as Hugging Face directories hold it: config.json, safetensors, tokenizer.json and their companions. */
final class HfDirectory implements ModelSource {
    private final Path directory;
    private final ModelConfig config;
    private final GenerationConfig generationConfig;
    private final ShardedTensors weights;
    /** Under the names of the family. */
    private final Map<String, TensorView> tensors;

    private Tokenizer tokenizer;

    private HfDirectory(
            Path directory,
            ModelConfig config,
            GenerationConfig generationConfig,
            ShardedTensors weights,
            Map<String, TensorView> tensors) {
        this.directory = directory;
        this.config = config;
        this.generationConfig = generationConfig;
        this.weights = weights;
        this.tensors = tensors;
    }

    static HfDirectory open(Path directory) {
        Path configJson = directory.resolve("config.json");
        ModelConfig config = ModelConfig.read(configJson);
        GenerationConfig generation = GenerationConfig.read(directory.resolve("generation_config.json"), config);
        ShardedTensors weights = ShardedTensors.open(directory);
        Map<String, TensorView> tensors = WeightNames.of(config.modelType()).canonical(weights.tensors(), config);
        config = tiedAsStored(config, tensors, configJson);
        return new HfDirectory(directory, config, generation, weights, tensors);
    }

    /**
     * Whether embedding and output head are one matrix, as transformers finds it. A tied model that nevertheless stores a
     * head different from its embedding is computed with that head; one that stores the matrix only as its head has it as
     * its embedding, too. A whole that says it is tied is so without a head, whatever its text part says.
     */
    private static ModelConfig tiedAsStored(ModelConfig config, Map<String, TensorView> tensors, Path configJson) {
        WeightNames names = WeightNames.of(config.modelType());
        TensorView head = tensors.get(names.name(WeightRole.LM_HEAD));
        TensorView embedding = tensors.get(names.name(WeightRole.EMBED));
        if (head == null
                && embedding != null
                && !config.tiedEmbeddings()
                && !config.partOf().isEmpty()) {
            return config.withTiedEmbeddings(
                    Json.boolOr(Json.readObject(configJson), "tie_word_embeddings", false, configJson.toString()));
        }
        if (!config.tiedEmbeddings() || head == null) {
            return config;
        }
        if (embedding == null) {
            tensors.put(names.name(WeightRole.EMBED), tensors.remove(names.name(WeightRole.LM_HEAD)));
            return config;
        }
        boolean same = head.dtype() == embedding.dtype() && head.data().mismatch(embedding.data()) < 0;
        return config.withTiedEmbeddings(same);
    }

    @Override
    public Path path() {
        return directory;
    }

    @Override
    public ModelConfig config() {
        return config;
    }

    @Override
    public GenerationConfig generationConfig() {
        return generationConfig;
    }

    @Override
    public Optional<TensorView> find(String name) {
        return Optional.ofNullable(tensors.get(name));
    }

    @Override
    public Set<String> tensorNames() {
        return Collections.unmodifiableSet(tensors.keySet());
    }

    @Override
    public String fingerprint() {
        return Fingerprint.of(config, tensors.values());
    }

    @Override
    public boolean hasTokenizer() {
        return TokenizerFiles.hasTokenizer(directory);
    }

    @Override
    public synchronized Tokenizer tokenizer() {
        if (tokenizer == null) {
            tokenizer = TokenizerFiles.tokenizer(directory);
        }
        return tokenizer;
    }

    @Override
    public Optional<String> chatTemplateSource() {
        return TokenizerFiles.chatTemplate(directory);
    }

    @Override
    public Map<String, String> specialTokens() {
        return TokenizerFiles.specialTokens(directory);
    }

    @Override
    public void close() {
        weights.close();
    }
}
