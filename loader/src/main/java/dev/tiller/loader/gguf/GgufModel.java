package dev.tiller.loader.gguf;

import dev.tiller.loader.DType;
import dev.tiller.loader.Fingerprint;
import dev.tiller.loader.GenerationConfig;
import dev.tiller.loader.ModelConfig;
import dev.tiller.loader.ModelSource;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A model of the llama or qwen2 architecture in one GGUF file, under Hugging Face names and shapes ([rows, columns]).
 *
 * <p>Tensors are views of the mapped file, blocks included. But the llama architecture keeps the rows of its query and key
 * projections in pairs for rotary positions (2j, 2j+1): those are copies, put back to halves (j, j + headDim/2).
 */
public final class GgufModel implements ModelSource {
    private final Gguf file;
    private final ModelConfig config;
    private final Map<String, GgufTensor> tensors;
    private final GgufWeights weights = new GgufWeights();
    private final Map<String, TensorView> loaded = new ConcurrentHashMap<>();
    private List<String> tokens;
    private Tokenizer tokenizer;

    private GgufModel(Gguf file) {
        this.file = file;
        this.config = GgufConfig.read(file);
        this.tensors = byHuggingFaceName(file, config.blocks());
        tensors.values().forEach(this::checkForm);
    }

    /** Opens a model; a file of another architecture, type of tensor or setting is refused. */
    public static GgufModel open(Path path) {
        Gguf file = Gguf.open(path);
        try {
            return new GgufModel(file);
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    private static Map<String, GgufTensor> byHuggingFaceName(Gguf file, int blocks) {
        Map<String, GgufTensor> tensors = new LinkedHashMap<>();
        for (GgufTensor t : file.tensors()) {
            if (!t.name().equals(GgufNames.ROPE_FACTORS)) {
                String name = GgufNames.toHuggingFace(t.name(), blocks)
                        .orElseThrow(() -> new TillerException(file.path() + ": tensor " + t.name()
                                + ": expected a tensor of a llama model with " + blocks + " blocks"));
                tensors.put(name, t);
            }
        }
        return tensors;
    }

    /** Readable, a vector or a matrix, and for queries and keys as many rows as the heads have. */
    private void checkForm(GgufTensor t) {
        t.requireReadable();
        long[] dims = t.dims();
        if (dims.length < 1
                || dims.length > 2
                || t.elements() / dims[0] > Integer.MAX_VALUE
                || dims[0] > Integer.MAX_VALUE) {
            throw new TillerException(
                    file.path() + ": tensor " + t.name() + ": expected a vector or matrix, found " + t.describe());
        }
        int heads = rotatedHeads(t.name());
        if (heads > 0 && dims[dims.length - 1] != (long) heads * config.headDim()) {
            throw new TillerException(file.path() + ": tensor " + t.name() + ": expected " + heads + " heads of "
                    + config.headDim() + " rows, found " + t.describe());
        }
        if (heads > 0 && dims.length == 1 && t.type().blockSize() > 1) {
            throw new TillerException(
                    file.path() + ": tensor " + t.name() + ": expected a bias in F32, F16 or BF16, found " + t.type());
        }
    }

    /** Number of heads whose rows are in pairs, 0 for a tensor whose rows stay as they are. */
    private int rotatedHeads(String name) {
        if (!config.modelType().equals("llama")) {
            return 0;
        }
        return GgufNames.isQuery(name) ? config.heads() : GgufNames.isKey(name) ? config.kvHeads() : 0;
    }

    @Override
    public Path path() {
        return file.path();
    }

    @Override
    public ModelConfig config() {
        return config;
    }

    /** The end tokens of the file; GGUF carries no sampling settings. */
    @Override
    public GenerationConfig generationConfig() {
        return GenerationConfig.of(config);
    }

    @Override
    public Optional<TensorView> find(String name) {
        return tensors.containsKey(name)
                ? Optional.of(loaded.computeIfAbsent(name, n -> view(n, tensors.get(n))))
                : Optional.empty();
    }

    private TensorView view(String name, GgufTensor t) {
        int heads = rotatedHeads(t.name());
        int[] rowOrder = heads == 0 ? null : GgufWeights.halvesFromPairs(heads, config.headDim());
        return new TensorView(name, t.dtype(), shape(t), weights.load(t, rowOrder), t.source());
    }

    private static long[] shape(GgufTensor t) {
        long[] dims = t.dims();
        return dims.length == 2 ? new long[] {dims[1], dims[0]} : dims;
    }

    @Override
    public Set<String> tensorNames() {
        return Collections.unmodifiableSet(tensors.keySet());
    }

    /** Over the tensors as stored, so that nothing need be converted for it. */
    @Override
    public String fingerprint() {
        List<TensorView> stored = new ArrayList<>();
        tensors.forEach((name, t) -> stored.add(new TensorView(
                name + ":" + t.type(), DType.U8, new long[] {t.data().byteSize()}, t.data(), t.source())));
        return Fingerprint.of(config, stored);
    }

    @Override
    public boolean hasTokenizer() {
        return file.metadata().has("tokenizer.ggml.tokens");
    }

    @Override
    public synchronized Tokenizer tokenizer() {
        if (tokenizer == null) {
            tokenizer = Tokenizer.fromGguf(GgufTokens.vocabulary(file, config, tokens()));
        }
        return tokenizer;
    }

    private synchronized List<String> tokens() {
        if (tokens == null) {
            tokens = GgufTokens.tokens(file, config);
        }
        return tokens;
    }

    @Override
    public Optional<String> chatTemplateSource() {
        return file.metadata().string("tokenizer.chat_template");
    }

    @Override
    public Map<String, String> specialTokens() {
        return hasTokenizer() ? GgufTokens.special(file, tokens()) : Map.of();
    }

    @Override
    public void close() {
        weights.close();
        file.close();
    }
}
