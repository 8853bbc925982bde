package dev.tiller.loader;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What a Hugging Face directory says about text: tokenizer.json or tokenizer.model, tokenizer_config.json, special_tokens_map.json and
 * chat_template.jinja. Works without weights and config.json.
 */
public final class TokenizerFiles {
    private static final String FILE = "tokenizer.json";
    private static final String SENTENCE_PIECE = "tokenizer.model";
    private static final String CONFIG = "tokenizer_config.json";
    private static final String SPECIAL = "special_tokens_map.json";
    private static final String TEMPLATE = "chat_template.jinja";

    private TokenizerFiles() {}

    /** True if there is a tokenizer.json or a tokenizer.model. */
    public static boolean hasTokenizer(Path directory) {
        return Files.exists(directory.resolve(FILE)) || Files.exists(directory.resolve(SENTENCE_PIECE));
    }

    /** Reads tokenizer.json or, where there is none, tokenizer.model; an error if there is neither. */
    public static Tokenizer tokenizer(Path directory) {
        Path file = directory.resolve(FILE);
        if (Files.exists(file)) {
            return Tokenizer.read(file);
        }
        Path pieces = directory.resolve(SENTENCE_PIECE);
        if (Files.exists(pieces)) {
            return Tokenizer.readSentencePiece(pieces);
        }
        throw new TillerException(directory + ": no tokenizer, expected tokenizer.json or tokenizer.model");
    }

    /**
     * The chat template: chat_template.jinja, or chat_template in tokenizer_config.json, which is a text or a list of
     * named ones (the one called "default" is taken; an error if the list has none). Empty if there is no template.
     */
    public static Optional<String> chatTemplate(Path directory) {
        Path jinja = directory.resolve(TEMPLATE);
        if (Files.exists(jinja)) {
            try {
                return Optional.of(Files.readString(jinja));
            } catch (IOException e) {
                throw new TillerException(jinja + ": cannot be read as UTF-8 text (" + e + ")", e);
            }
        }
        Path config = directory.resolve(CONFIG);
        return Files.exists(config) ? template(Json.readObject(config), config.toString()) : Optional.empty();
    }

    private static Optional<String> template(JsonObject config, String source) {
        String key = "chat_template";
        if (!Json.has(config, key)) {
            return Optional.empty();
        }
        if (!config.get(key).isJsonArray()) {
            return Optional.of(Json.string(config, key, source));
        }
        Map<String, String> named = new TreeMap<>();
        for (JsonElement item : Json.array(config, key, source)) {
            if (!item.isJsonObject()) {
                throw Json.wrong(key, "a list of objects with name and template", item, source);
            }
            String name = Json.string(item.getAsJsonObject(), "name", source + ": " + key);
            named.put(name, Json.string(item.getAsJsonObject(), "template", source + ": " + key));
        }
        if (!named.containsKey("default")) {
            throw new TillerException(
                    source + ": key \"chat_template\": expected one named \"default\", found " + named.keySet());
        }
        return Optional.of(named.get("default"));
    }

    /**
     * Special tokens as text by their names, e.g. "eos_token" to {@code "<|im_end|>"}: the keys ending in "_token" and
     * those under extra_special_tokens, a string or an object with content. tokenizer_config.json goes before
     * special_tokens_map.json, also where it says null.
     */
    public static Map<String, String> specialTokens(Path directory) {
        Map<String, String> out = new LinkedHashMap<>();
        for (String file : new String[] {SPECIAL, CONFIG}) {
            Path path = directory.resolve(file);
            if (Files.exists(path)) {
                JsonObject json = Json.readObject(path);
                addTokens(json, out, path.toString());
                if (json.get("extra_special_tokens") instanceof JsonObject extra) {
                    addTokens(extra, out, path + ": extra_special_tokens");
                }
            }
        }
        return out;
    }

    private static void addTokens(JsonObject json, Map<String, String> out, String source) {
        for (Map.Entry<String, JsonElement> entry : json.entrySet()) {
            String key = entry.getKey();
            // add_bos_token and the like are switches, not tokens.
            if (!key.endsWith("_token") || key.startsWith("add_")) {
                continue;
            }
            if (entry.getValue().isJsonNull()) {
                out.remove(key);
            } else if (entry.getValue().isJsonObject()) {
                out.put(key, Json.string(entry.getValue().getAsJsonObject(), "content", source + ": " + key));
            } else {
                out.put(key, Json.string(json, key, source));
            }
        }
    }
}
