package dev.tiller.loader.gguf;

import com.google.gson.JsonObject;
import dev.tiller.loader.DType;
import dev.tiller.loader.Fingerprint;
import dev.tiller.loader.GenerationConfig;
import dev.tiller.loader.ModelConfig;
import dev.tiller.loader.ModelSource;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.WeightNames;
import dev.tiller.loader.WeightRole;
import dev.tiller.loader.tokenizer.GgufVocabulary;
import dev.tiller.loader.tokenizer.Tokenizer;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A model in a GGUF file, of one of {@link GgufNames#ARCHITECTURES}, under Hugging Face names and shapes ([rows, columns]).
 *
 * <p>Tensors are views of the mapped file, blocks included, experts as slices of their common tensor. Two kinds are copies,
 * because the converters change them: the llama architecture keeps the rows of its query and key projections in pairs for
 * rotary positions (2j, 2j+1), which are put back to halves (j, j + headDim/2); Gemma's norms are stored with the one that
 * its models add to them, which is taken off again ({@link GgufWeights#lessOne}).
 */
public final class GgufModel implements ModelSource {
    /** A tensor or one expert of it. */
    private record Part(GgufTensor tensor, MemorySegment data, long[] dims) {}

    private final Gguf file;
    private final String architecture;
    private final GgufNames names;
    private final JsonObject json;
    private final ModelConfig config;
    private final Map<String, Part> parts;
    private final GgufWeights weights = new GgufWeights();
    private final Map<String, TensorView> loaded = new ConcurrentHashMap<>();
    private List<String> tokens;
    private Tokenizer tokenizer;

    private GgufModel(Gguf file) {
        this.file = file;
        this.architecture = GgufConfig.architecture(file);
        this.names = GgufNames.of(architecture);
        this.json = GgufConfig.huggingFace(file);
        this.config = GgufConfig.parse(json, file);
        this.parts = byHuggingFaceName();
        parts.values().forEach(this::checkForm);
        checkComplete();
    }

    /** Opens a model in one file, or by the first of several; a file of another architecture, type of tensor or setting is refused. */
    public static GgufModel open(Path path) {
        Gguf file = GgufParts.open(path);
        try {
            return new GgufModel(file);
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    private Map<String, Part> byHuggingFaceName() {
        Map<String, Part> found = new LinkedHashMap<>();
        for (GgufTensor t : file.tensors()) {
            if (names.isSetting(t.name())) {
                continue;
            }
            String name = names.toHuggingFace(t.name(), config.blocks())
                    .orElseThrow(() -> error(
                            t.name(), "a tensor of a " + architecture + " model with " + config.blocks() + " blocks"));
            if (!name.contains(GgufNames.EXPERT)) {
                put(found, name, new Part(t, t.data(), t.dims()));
                continue;
            }
            long[] dims = t.dims();
            long experts = new GgufKeys(file, architecture).integer("expert_count", 0, 0);
            if (dims.length != 3 || dims[2] != experts) {
                throw error(t.name(), "three dimensions, the last of " + experts + " experts, found " + t.describe());
            }
            long size = t.data().byteSize() / experts;
            for (int e = 0; e < experts; e++) {
                MemorySegment slice = t.data().asSlice(e * size, size);
                put(found, name.replace(GgufNames.EXPERT, Integer.toString(e)), new Part(t, slice, new long[] {
                    dims[0], dims[1]
                }));
            }
        }
        return found;
    }

    private void put(Map<String, Part> found, String name, Part part) {
        Part other = found.put(name, part);
        if (other != null) {
            throw error(part.tensor.name(), "no tensor " + other.tensor.name() + " beside it, which is the same");
        }
    }

    /** Readable, a vector or a matrix, and for queries and keys as many rows as the heads have. */
    private void checkForm(Part part) {
        GgufTensor t = part.tensor;
        t.requireReadable();
        long[] dims = part.dims;
        if (dims.length < 1
                || dims.length > 2
                || dims[0] > Integer.MAX_VALUE
                || dims.length == 2 && dims[1] > Integer.MAX_VALUE) {
            throw error(t.name(), "a vector or matrix, found " + t.describe());
        }
        int heads = rotatedHeads(t.name());
        if (heads > 0 && dims[dims.length - 1] != (long) heads * config.headDim()) {
            throw error(t.name(), heads + " heads of " + config.headDim() + " rows, found " + t.describe());
        }
        if ((heads > 0 && dims.length == 1 || oneAdded(t.name())) && t.type().blockSize() > 1) {
            throw error(t.name(), "a bias or norm in F32, F16 or BF16, found " + t.type());
        }
    }

    /**
     * Every weight of the family is there in its shape, and no other, which nothing would read; the first that is wrong is
     * named.
     */
    private void checkComplete() {
        Map<String, WeightRole> expected = WeightNames.of(config.modelType()).expected(config);
        expected.forEach((name, role) -> {
            Part part = parts.get(name);
            if (part == null) {
                throw error(names.toGguf(name), "a tensor of that name (" + name + "), found none");
            }
            if (!Arrays.equals(shape(name), role.shape(config))) {
                long[] shape = role.shape(config);
                String dims = shape.length == 2 ? shape[1] + ", " + shape[0] : Long.toString(shape[0]);
                String found = part.tensor.describe();
                throw error(part.tensor.name(), "dimensions [" + dims + "] by the metadata, found " + found);
            }
        });
        parts.forEach((name, part) -> {
            if (!expected.containsKey(name)) {
                throw error(
                        part.tensor.name(),
                        "no such tensor: a " + config.modelType() + " model with these settings does not have it");
            }
        });
    }

    private TillerException error(String tensor, String expected) {
        return new TillerException(file.path() + ": tensor " + tensor + ": expected " + expected);
    }

    /** Number of heads whose rows are in pairs, 0 for a tensor whose rows stay as they are. */
    private int rotatedHeads(String name) {
        if (!architecture.equals("llama")) {
            return 0;
        }
        return GgufNames.isQuery(name) ? config.heads() : GgufNames.isKey(name) ? config.kvHeads() : 0;
    }

    /** True for the weights that the converter has added one to. */
    private boolean oneAdded(String name) {
        return architecture.startsWith("gemma") && name.endsWith("norm.weight");
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

    /** What the model's config.json would be at Hugging Face: a copy. */
    public JsonObject huggingFaceConfig() {
        return json.deepCopy();
    }

    @Override
    public Optional<TensorView> find(String name) {
        return parts.containsKey(name)
                ? Optional.of(loaded.computeIfAbsent(name, n -> read(n, weights)))
                : Optional.empty();
    }

    /** Shape of a tensor that is there, by its Hugging Face name. */
    long[] shape(String name) {
        long[] dims = parts.get(name).dims;
        return dims.length == 2 ? new long[] {dims[1], dims[0]} : dims;
    }

    /** A tensor that is there, not kept for the next call; a copy lives as long as {@code weights}. */
    TensorView read(String name, GgufWeights weights) {
        Part part = parts.get(name);
        GgufTensor t = part.tensor;
        long[] shape = shape(name);
        TensorView stored = new TensorView(name, t.dtype(), shape, part.data, t.source());
        int heads = rotatedHeads(t.name());
        if (heads > 0) {
            MemorySegment rows = weights.reordered(part.data, GgufWeights.halvesFromPairs(heads, config.headDim()));
            return new TensorView(name, t.dtype(), shape, rows, t.source());
        }
        return oneAdded(t.name())
                ? new TensorView(name, DType.F32, shape, weights.lessOne(stored), t.source())
                : stored;
    }

    @Override
    public Set<String> tensorNames() {
        return Collections.unmodifiableSet(parts.keySet());
    }

    /** Over the tensors as stored, so that nothing need be converted for it. */
    @Override
    public String fingerprint() {
        List<TensorView> stored = new ArrayList<>();
        parts.forEach((name, p) -> stored.add(new TensorView(
                name + ":" + p.tensor.type(), DType.U8, new long[] {p.data.byteSize()}, p.data, p.tensor.source())));
        return Fingerprint.of(config, stored);
    }

    @Override
    public boolean hasTokenizer() {
        return file.metadata().has("tokenizer.ggml.tokens");
    }

    @Override
    public synchronized Tokenizer tokenizer() {
        if (tokenizer == null) {
            tokenizer = Tokenizer.fromGguf(vocabulary());
        }
        return tokenizer;
    }

    private synchronized List<String> tokens() {
        if (tokens == null) {
            tokens = GgufTokens.tokens(file, config);
        }
        return tokens;
    }

    /** What the file says about its tokens; an error if it has none. */
    GgufVocabulary vocabulary() {
        return GgufTokens.vocabulary(file, config, tokens());
    }

    /** Chat templates by name: "default" and those that the file names. */
    Map<String, String> chatTemplates() {
        return GgufTokens.templates(file);
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
