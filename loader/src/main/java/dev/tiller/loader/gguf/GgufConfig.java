package dev.tiller.loader.gguf;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.loader.ModelConfig;
import dev.tiller.loader.TillerException;
import java.util.Map;

/**
 * The config.json that a model would have at Hugging Face, from the metadata and tensors of its GGUF file. Keys begin with
 * the architecture; where one may be absent, the default is that of llama.cpp, which also fixes what its converters leave
 * out (the windows of Gemma's blocks, the scale of its queries). What the file asks for and no family does is refused by
 * key.
 */
final class GgufConfig {
    /** Settings of other families, and the value that changes nothing. */
    private static final Map<String, Double> NEUTRAL = Map.of(
            "logit_scale", 1.0,
            "residual_scale", 1.0,
            "embedding_scale", 1.0,
            "attention.clamp_kqv", 0.0,
            "attention.max_alibi_bias", 0.0,
            "expert_shared_count", 0.0,
            "expert_weights_scale", 1.0,
            "expert_gating_func", 1.0,
            "nextn_predict_layers", 0.0);

    private final Gguf file;
    private final GgufKeys keys;
    private final String architecture;
    private final JsonObject json = new JsonObject();

    private GgufConfig(Gguf file, String architecture) {
        this.file = file;
        this.keys = new GgufKeys(file, architecture);
        this.architecture = architecture;
    }

    static ModelConfig read(Gguf file) {
        return parse(huggingFace(file), file);
    }

    /** What its own rules for a config.json refuse names keys that are not the file's: the error says of what they are. */
    static ModelConfig parse(JsonObject json, Gguf file) {
        return ModelConfig.parse(json, file.path() + " (its keys as a config.json)");
    }

    /** The entries of the config.json; an architecture or a setting that is not supported is refused. */
    static JsonObject huggingFace(Gguf file) {
        String architecture = architecture(file);
        return new GgufConfig(file, architecture).write();
    }

    /** What {@code general.architecture} says; others than the supported ones are refused. */
    static String architecture(Gguf file) {
        String architecture = file.metadata().string("general.architecture").orElse("nothing");
        if (!GgufNames.ARCHITECTURES.contains(architecture)) {
            throw new TillerException(file.path() + ": key general.architecture: expected one of "
                    + String.join(", ", GgufNames.ARCHITECTURES) + ", found " + architecture);
        }
        return architecture;
    }

    private JsonObject write() {
        refuseUnsupported();
        int hidden = keys.required("embedding_length");
        int blocks = keys.required("block_count");
        if (blocks > file.tensors().size()) {
            String most = "no more blocks than the file has tensors, "
                    + file.tensors().size();
            throw keys.error("block_count", most, blocks);
        }
        int heads = keys.required("attention.head_count");
        int kvHeads = keys.optional("attention.head_count_kv", heads);
        if (heads % kvHeads != 0) {
            throw keys.error("attention.head_count_kv", "a divisor of " + heads, kvHeads);
        }
        int headDim = headDim(hidden, heads);
        int vocabulary = vocabularySize(hidden);
        int positions = keys.required("context_length");
        GgufFamily family = new GgufFamily(file, keys, architecture, json);
        String type = family.type();
        JsonArray classes = new JsonArray();
        classes.add(family.className());
        json.add("architectures", classes);
        json.addProperty("model_type", type);
        json.addProperty("hidden_size", hidden);
        json.addProperty("intermediate_size", keys.required("feed_forward_length"));
        json.addProperty("num_hidden_layers", blocks);
        json.addProperty("num_attention_heads", heads);
        json.addProperty("num_key_value_heads", kvHeads);
        if (type.equals("phi3")) {
            refusePhiWidth(hidden, heads, headDim);
        } else {
            json.addProperty("head_dim", headDim);
        }
        json.addProperty("vocab_size", vocabulary);
        json.addProperty("max_position_embeddings", positions);
        json.addProperty(
                "rms_norm_eps", keys.number("attention.layer_norm_rms_epsilon", Double.NaN, 0, Math.nextDown(1)));
        json.addProperty("tie_word_embeddings", file.tensor(GgufNames.HEAD).isEmpty());
        new GgufRope(file, keys, json).write(headDim, positions, type.equals("phi3"));
        family.write(blocks, hidden / heads, headDim);
        GgufTokens.writeIds(file, vocabulary, json);
        return json;
    }

    private void refuseUnsupported() {
        NEUTRAL.forEach((name, value) -> {
            double found = keys.number(name, value, -Double.MAX_VALUE, Double.MAX_VALUE);
            if (found != value && !(found == 0 && name.endsWith("_scale")) && !(found == 0 && name.endsWith("_func"))) {
                throw keys.error(name, value.toString(), found);
            }
        });
        if (!keys.bool("attention.causal", true)) {
            throw keys.error("attention.causal", "true", false);
        }
    }

    private int headDim(int hidden, int heads) {
        if (hidden % heads != 0 && !keys.has("attention.key_length")) {
            throw keys.error("attention.head_count", "a divisor of " + hidden, heads);
        }
        int headDim = keys.optional("attention.key_length", Math.max(1, hidden / heads));
        int valueDim = keys.optional("attention.value_length", headDim);
        if (valueDim != headDim) {
            throw keys.error("attention.value_length", Integer.toString(headDim), valueDim);
        }
        if (headDim % 2 != 0 || (long) heads * headDim > Integer.MAX_VALUE) {
            throw keys.error("attention.key_length", "an even width of heads", headDim);
        }
        return headDim;
    }

    /** The configuration of Phi-3 has no entry for the width of a head. */
    private void refusePhiWidth(int hidden, int heads, int headDim) {
        if ((long) headDim * heads != hidden) {
            throw keys.error("attention.key_length", "the width of the model by its heads, " + hidden / heads, headDim);
        }
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
        long stated = keys.integer("vocab_size", rows, 1);
        if (stated != rows) {
            throw keys.error("vocab_size", "the " + rows + " rows of " + GgufNames.EMBED, stated);
        }
        return rows;
    }
}
