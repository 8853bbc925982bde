package dev.tiller.loader.gguf;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import dev.tiller.loader.ModelConfig;
import dev.tiller.loader.RopeConfig;
import dev.tiller.loader.TillerException;
import java.util.List;
import java.util.OptionalLong;

/**
 * The configuration of a model from the metadata and tensors of its GGUF file. Keys begin with the architecture; where
 * one may be absent, the default is that of llama.cpp. What the forward pass cannot do (experts, other rotary scalings,
 * settings that change per block) is refused.
 */
final class GgufConfig {
    /** llama.cpp and its converters write 2^32-1 for "no such token". */
    private static final long NO_TOKEN = 0xFFFFFFFFL;

    /** Keys whose tokens end a generation. */
    private static final List<String> END_TOKENS = List.of("eos_token_id", "eot_token_id", "eom_token_id");

    private final Gguf file;
    private final GgufMetadata metadata;
    private final String architecture;

    private GgufConfig(Gguf file, String architecture) {
        this.file = file;
        this.metadata = file.metadata();
        this.architecture = architecture;
    }

    static ModelConfig read(Gguf file) {
        String architecture = file.metadata()
                .string("general.architecture")
                .orElseThrow(() -> new TillerException(
                        file.path() + ": key general.architecture: expected llama or qwen2, found nothing"));
        if (!architecture.equals("llama") && !architecture.equals("qwen2")) {
            throw new TillerException(
                    file.path() + ": key general.architecture: expected llama or qwen2, found " + architecture);
        }
        return new GgufConfig(file, architecture).read();
    }

    private ModelConfig read() {
        refuseUnsupported();
        int hidden = required("embedding_length");
        int blocks = required("block_count");
        if (blocks > file.tensors().size()) {
            throw error(
                    "block_count",
                    "no more blocks than the file has tensors, "
                            + file.tensors().size(),
                    blocks);
        }
        int heads = required("attention.head_count");
        int kvHeads = optional("attention.head_count_kv", heads);
        if (heads % kvHeads != 0) {
            throw error("attention.head_count_kv", "a divisor of " + heads, kvHeads);
        }
        int headDim = headDim(hidden, heads);
        int vocabulary = vocabularySize(hidden);
        JsonObject json = new JsonObject();
        json.addProperty("model_type", architecture);
        json.addProperty("hidden_size", hidden);
        json.addProperty("intermediate_size", required("feed_forward_length"));
        json.addProperty("num_hidden_layers", blocks);
        json.addProperty("num_attention_heads", heads);
        json.addProperty("num_key_value_heads", kvHeads);
        json.addProperty("head_dim", headDim);
        json.addProperty("vocab_size", vocabulary);
        json.addProperty("max_position_embeddings", required("context_length"));
        json.addProperty("rms_norm_eps", number("attention.layer_norm_rms_epsilon", Double.NaN, 0, 1));
        json.add("rope_parameters", rope(headDim));
        json.addProperty("tie_word_embeddings", file.tensor(GgufNames.HEAD).isEmpty());
        json.addProperty("attention_bias", file.tensor("blk.0.attn_q.bias").isPresent());
        json.addProperty("mlp_bias", file.tensor("blk.0.ffn_gate.bias").isPresent());
        json.addProperty("bos_token_id", tokenId("bos_token_id", vocabulary));
        json.add("eos_token_id", endIds(vocabulary));
        json.addProperty("pad_token_id", tokenId("padding_token_id", vocabulary));
        return ModelConfig.parse(json, file.path().toString());
    }

    private void refuseUnsupported() {
        long parts = metadata.integer("split.count").orElse(1);
        if (parts > 1) {
            throw new TillerException(
                    file.path() + ": key split.count: expected a model in one file, found " + parts + " parts");
        }
        long experts = integer("expert_count", 0, 0);
        if (experts > 0) {
            throw error("expert_count", "a model without experts", experts);
        }
    }

    private int headDim(int hidden, int heads) {
        if (hidden % heads != 0 && !metadata.has(key("attention.key_length"))) {
            throw error("attention.head_count", "a divisor of " + hidden, heads);
        }
        int headDim = optional("attention.key_length", Math.max(1, hidden / heads));
        int valueDim = optional("attention.value_length", headDim);
        if (valueDim != headDim) {
            throw error("attention.value_length", Integer.toString(headDim), valueDim);
        }
        if (headDim % 2 != 0 || (long) heads * headDim > Integer.MAX_VALUE) {
            throw error("attention.key_length", "an even width of heads", headDim);
        }
        return headDim;
    }

    /** V is what the embedding table has rows; key and token list must agree with it. */
    private int vocabularySize(int hidden) {
        GgufTensor embed = file.tensor(GgufNames.EMBED)
                .orElseThrow(() -> new TillerException(file.path() + ": expected tensor " + GgufNames.EMBED));
        long[] dims = embed.dims();
        if (dims.length != 2 || dims[0] != hidden || dims[1] > Integer.MAX_VALUE) {
            throw new TillerException(file.path() + ": tensor " + GgufNames.EMBED + ": expected dimensions [" + hidden
                    + ", vocabulary], found " + embed.describe());
        }
        int rows = (int) dims[1];
        long stated = integer("vocab_size", rows, 1);
        if (stated != rows) {
            throw error("vocab_size", "the " + rows + " rows of " + GgufNames.EMBED, stated);
        }
        return rows;
    }

    private JsonObject rope(int headDim) {
        int rotary = optional("rope.dimension_count", headDim);
        if (rotary != headDim) {
            throw error("rope.dimension_count", "the width of a head, " + headDim, rotary);
        }
        double theta = number("rope.freq_base", 10000, 0, Double.MAX_VALUE);
        double factor = scaling();
        if (file.tensor(GgufNames.ROPE_FACTORS).isPresent()) {
            if (factor != 1) {
                throw new TillerException(file.path() + ": tensor " + GgufNames.ROPE_FACTORS
                        + ": expected no rotary scaling in the metadata beside it, found factor " + factor);
            }
            return json(RopeFactors.toLlama3(file.tensor(GgufNames.ROPE_FACTORS).get(), theta, headDim));
        }
        return json(new RopeConfig(factor == 1 ? "default" : "linear", theta, factor, 0, 0, 0, headDim));
    }

    private static JsonObject json(RopeConfig rope) {
        JsonObject json = new JsonObject();
        json.addProperty("rope_type", rope.type());
        json.addProperty("rope_theta", rope.theta());
        if (!rope.type().equals("default")) {
            json.addProperty("factor", rope.factor());
        }
        if (rope.type().equals("llama3")) {
            json.addProperty("low_freq_factor", rope.lowFreqFactor());
            json.addProperty("high_freq_factor", rope.highFreqFactor());
            json.addProperty("original_max_position_embeddings", rope.originalMaxPositions());
        }
        return json;
    }

    /** The factor of linear scaling; 1 without. */
    private double scaling() {
        String type = metadata.string(key("rope.scaling.type")).orElse("linear");
        if (type.equals("none")) {
            return 1;
        }
        if (!type.equals("linear")) {
            throw error("rope.scaling.type", "none or linear", type);
        }
        String factor = metadata.has(key("rope.scaling.factor")) ? "rope.scaling.factor" : "rope.scale_linear";
        double value = number(factor, 1, -1, Double.MAX_VALUE);
        if (value != 0 && value < 1) {
            throw error(factor, "0 (none) or at least 1", value);
        }
        return value == 0 ? 1 : value;
    }

    private JsonArray endIds(int vocabulary) {
        JsonArray ids = new JsonArray();
        for (String name : END_TOKENS) {
            int id = tokenId(name, vocabulary);
            if (id >= 0 && !ids.contains(new JsonPrimitive(id))) {
                ids.add(id);
            }
        }
        return ids;
    }

    private int tokenId(String name, int vocabulary) {
        return tokenId(file, name, vocabulary);
    }

    /** The token that {@code tokenizer.ggml.NAME} names, -1 if none; one outside the vocabulary is refused. */
    static int tokenId(Gguf file, String name, int vocabulary) {
        String key = "tokenizer.ggml." + name;
        OptionalLong id = file.metadata().integer(key);
        if (id.isEmpty() || id.getAsLong() == NO_TOKEN || id.getAsLong() == -1) {
            return -1;
        }
        if (id.getAsLong() < 0 || id.getAsLong() >= vocabulary) {
            throw new TillerException(file.path() + ": key " + key + ": expected a token below " + vocabulary
                    + ", found " + id.getAsLong());
        }
        return (int) id.getAsLong();
    }

    private int required(String name) {
        if (!metadata.has(key(name))) {
            throw error(name, "a positive integer", "nothing");
        }
        return (int) integer(name, 0, 1);
    }

    private int optional(String name, int otherwise) {
        return (int) integer(name, otherwise, 1);
    }

    private long integer(String name, long otherwise, long least) {
        long value = metadata.integer(key(name)).orElse(otherwise);
        if (value < least || value > Integer.MAX_VALUE) {
            throw error(name, "an integer from " + least + " to 2^31-1", value);
        }
        return value;
    }

    /** A number above {@code low} and up to {@code high}; {@code otherwise} NaN if the key must be there. */
    private double number(String name, double otherwise, double low, double high) {
        double value = metadata.number(key(name)).orElse(otherwise);
        if (!(value > low && value <= high)) {
            throw error(name, "a number above " + low, metadata.describe(key(name)));
        }
        return value;
    }

    private String key(String name) {
        return architecture + "." + name;
    }

    private TillerException error(String name, String expected, Object found) {
        return new TillerException(file.path() + ": key " + key(name) + ": expected " + expected + ", found " + found);
    }
}
