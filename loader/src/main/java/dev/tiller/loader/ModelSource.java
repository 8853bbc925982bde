package dev.tiller.loader;

import dev.tiller.loader.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Where a model comes from: a Hugging Face directory or a GGUF file. Tensor names are those of Hugging Face in either
 * case. Closing it invalidates the views it gave out.
 */
public interface ModelSource extends AutoCloseable {
    /** The directory or file. */
    Path path();

    ModelConfig config();

    GenerationConfig generationConfig();

    /** The tensor of that name, empty if the model has none. */
    Optional<TensorView> find(String name);

    /** Names of all tensors, in a stable order. */
    Set<String> tensorNames();

    /** SHA-256 in hex that tells this model from others: see {@link Fingerprint}. */
    String fingerprint();

    /** True if the model comes with a tokenizer. */
    boolean hasTokenizer();

    /** Read on the first call; an error if the model comes without one. */
    Tokenizer tokenizer();

    /** The text of the chat template, empty if the model has none. */
    Optional<String> chatTemplateSource();

    /** Special tokens by their names in tokenizer_config.json, e.g. "eos_token" to {@code "<|im_end|>"}. */
    Map<String, String> specialTokens();

    @Override
    void close();
}
