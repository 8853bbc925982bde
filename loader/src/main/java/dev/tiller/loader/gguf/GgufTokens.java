package dev.tiller.loader.gguf;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import dev.tiller.loader.ModelConfig;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.tokenizer.GgufVocabulary;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/** What the {@code tokenizer.ggml.*} keys say; defaults of absent ones are those of llama.cpp. */
final class GgufTokens {
    private static final String PREFIX = "tokenizer.ggml.";

    /** llama.cpp and its converters write 2^32-1 for "no such token". */
    private static final long NO_TOKEN = 0xFFFFFFFFL;

    /** Keys whose tokens end a generation. */
    private static final List<String> END_TOKENS = List.of("eos_token_id", "eot_token_id", "eom_token_id");

    private static final String TEMPLATE = "tokenizer.chat_template";

    /** Names in tokenizer_config.json and the keys that hold their ids. */
    private static final Map<String, String> SPECIAL = Map.of(
            "bos_token", "bos_token_id",
            "eos_token", "eos_token_id",
            "unk_token", "unknown_token_id",
            "pad_token", "padding_token_id");

    private GgufTokens() {}

    static GgufVocabulary vocabulary(Gguf file, ModelConfig config) {
        return vocabulary(file, config, tokens(file, config));
    }

    /** @param tokens what {@link #tokens} gives */
    static GgufVocabulary vocabulary(Gguf file, ModelConfig config, List<String> tokens) {
        GgufMetadata m = file.metadata();
        String model = m.string(PREFIX + "model").orElseThrow(() -> missing(file, "model"));
        String pre = m.string(PREFIX + "pre").orElse(null);
        float[] scores = m.floats(PREFIX + "scores").orElse(null);
        int[] types = m.ints(PREFIX + "token_type").orElse(null);
        checkLength(file, "scores", scores == null ? -1 : scores.length, tokens.size());
        checkLength(file, "token_type", types == null ? -1 : types.length, tokens.size());
        boolean pieces = model.equals("llama");
        return new GgufVocabulary(
                file.path().toString(),
                model,
                pre,
                tokens,
                scores,
                types,
                m.strings(PREFIX + "merges").orElse(null),
                config.bosId(),
                tokenId(file, "eos_token_id", config.vocabSize()),
                tokenId(file, "unknown_token_id", config.vocabSize()),
                m.bool(PREFIX + "add_bos_token").orElse(GgufVocabulary.startsText(model, pre)),
                m.bool(PREFIX + "add_eos_token").orElse(false),
                m.bool(PREFIX + "add_space_prefix").orElse(pieces),
                pieces && config.modelType().equals("phi3"));
    }

    /** Chat templates by name: tokenizer.chat_template is "default", others stand beside it under their names. */
    static Map<String, String> templates(Gguf file) {
        Map<String, String> templates = new LinkedHashMap<>();
        file.metadata().string(TEMPLATE).ifPresent(text -> templates.put("default", text));
        for (String name : file.metadata().strings("tokenizer.chat_templates").orElse(List.of())) {
            file.metadata().string(TEMPLATE + "." + name).ifPresent(text -> templates.put(name, text));
        }
        return templates;
    }

    /** Strings of the special tokens that the file names. */
    static Map<String, String> special(Gguf file, List<String> tokens) {
        Map<String, String> special = new LinkedHashMap<>();
        SPECIAL.forEach((name, key) -> {
            int id = tokenId(file, key, tokens.size());
            if (id >= 0) {
                special.put(name, tokens.get(id));
            }
        });
        return special;
    }

    /** The strings of all tokens. */
    static List<String> tokens(Gguf file, ModelConfig config) {
        List<String> tokens = file.metadata().strings(PREFIX + "tokens").orElseThrow(() -> missing(file, "tokens"));
        if (tokens.size() > config.vocabSize()) {
            throw new TillerException(file.path() + ": key " + PREFIX + "tokens: expected at most " + config.vocabSize()
                    + " tokens (rows of " + GgufNames.EMBED + "), found " + tokens.size());
        }
        return tokens;
    }

    private static void checkLength(Gguf file, String name, int found, int expected) {
        if (found >= 0 && found != expected) {
            throw new TillerException(file.path() + ": key " + PREFIX + name + ": expected " + expected
                    + " elements (one per token), found " + found);
        }
    }

    private static TillerException missing(Gguf file, String name) {
        return new TillerException(file.path() + ": expected key " + PREFIX + name + " (the file has no tokenizer)");
    }

    /** Adds the ids of special tokens that a config.json has. */
    static void writeIds(Gguf file, int vocabulary, JsonObject json) {
        json.add("bos_token_id", token(tokenId(file, "bos_token_id", vocabulary)));
        List<Integer> ends = endIds(file, vocabulary);
        if (ends.size() > 1) {
            JsonArray ids = new JsonArray();
            ends.forEach(ids::add);
            json.add("eos_token_id", ids);
        } else {
            json.add("eos_token_id", token(ends.isEmpty() ? -1 : ends.getFirst()));
        }
        json.add("pad_token_id", token(tokenId(file, "padding_token_id", vocabulary)));
    }

    private static JsonElement token(int id) {
        return id < 0 ? JsonNull.INSTANCE : new JsonPrimitive(id);
    }

    private static List<Integer> endIds(Gguf file, int vocabulary) {
        List<Integer> ids = new ArrayList<>();
        for (String name : END_TOKENS) {
            int id = tokenId(file, name, vocabulary);
            if (id >= 0 && !ids.contains(id)) {
                ids.add(id);
            }
        }
        return ids;
    }

    /** The token that {@code tokenizer.ggml.NAME} names, -1 if none; one outside the vocabulary is refused. */
    static int tokenId(Gguf file, String name, int vocabulary) {
        String key = PREFIX + name;
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
}
