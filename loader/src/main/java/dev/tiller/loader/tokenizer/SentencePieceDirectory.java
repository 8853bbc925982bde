package dev.tiller.loader.tokenizer;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.Json;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.TokenizerFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A tokenizer.model with the files beside it, read as transformers reads them: tokenizer_config.json says which tokens
 * are added (added_tokens_decoder), whether a text gets a start and an end token, and whether a space is put before each
 * stretch of text ("legacy") or only before the first; added_tokens.json and special_tokens_map.json hold the tokens of
 * older directories. A token that no file declares is not looked for in texts.
 */
final class SentencePieceDirectory {
    private static final String CONFIG = "tokenizer_config.json";
    private static final String ADDED = "added_tokens.json";
    private static final String SPECIAL = "special_tokens_map.json";

    private final Path directory;
    private final SentencePieceFile.Model model;
    private final JsonObject config;
    private final Map<String, AddedToken> added = new LinkedHashMap<>();
    private int nextId;

    private SentencePieceDirectory(Path modelFile) {
        this.directory = modelFile.toAbsolutePath().getParent();
        this.model = SentencePieceFile.read(modelFile);
        this.config = object(CONFIG);
        this.nextId = model.pieces().pieces().size();
    }

    static Tokenizer read(Path modelFile) {
        return new SentencePieceDirectory(modelFile).build();
    }

    private JsonObject object(String name) {
        Path file = directory.resolve(name);
        return Files.exists(file) ? Json.readObject(file) : new JsonObject();
    }

    private Tokenizer build() {
        Map<String, String> names = TokenizerFiles.specialTokens(directory);
        if (config.get("added_tokens_decoder") instanceof JsonObject decoder) {
            declared(decoder);
        } else {
            added(names);
        }
        names.values().forEach(this::special);
        for (JsonObject file : new JsonObject[] {object(SPECIAL), config}) {
            if (file.get("additional_special_tokens") instanceof JsonArray more) {
                more.forEach(token -> special(content(token)));
            }
        }
        int bos = edge("add_bos_token", true, names.get("bos_token"), model.bosId());
        int eos = edge("add_eos_token", false, names.get("eos_token"), model.eosId());
        SentencePieces given = model.pieces();
        SentencePieces pieces = new SentencePieces(
                given.source(),
                given.pieces(),
                given.scores(),
                given.types(),
                given.rules().withPrefixOnlyFirst(!flag("legacy", true)));
        return pieces.tokenizer(new ArrayList<>(added.values()), ids(bos), ids(eos));
    }

    private boolean flag(String key, boolean ifAbsent) {
        return Json.has(config, key)
                ? Json.bool(config, key, directory.resolve(CONFIG).toString())
                : ifAbsent;
    }

    private static int[] ids(int id) {
        return id < 0 ? new int[0] : new int[] {id};
    }

    private int edge(String key, boolean ifAbsent, String token, int own) {
        if (!flag(key, ifAbsent)) {
            return -1;
        }
        int id = token == null ? own : id(token);
        return token == null || id >= 0 ? id : own;
    }

    private int id(String token) {
        AddedToken found = added.get(token);
        return found != null ? found.id() : model.pieces().pieces().indexOf(token);
    }

    private void declared(JsonObject decoder) {
        String source = directory.resolve(CONFIG) + ": added_tokens_decoder";
        for (Map.Entry<String, JsonElement> entry : decoder.entrySet()) {
            if (!entry.getKey().matches("\\d{1,8}") || !entry.getValue().isJsonObject()) {
                throw new TillerException(source + ": expected ids with objects, found \"" + entry.getKey() + "\"");
            }
            JsonObject token = entry.getValue().getAsJsonObject();
            String place = source + "." + entry.getKey();
            put(new AddedToken(
                    Integer.parseInt(entry.getKey()),
                    Json.string(token, "content", place),
                    Json.has(token, "single_word") && Json.bool(token, "single_word", place),
                    Json.has(token, "lstrip") && Json.bool(token, "lstrip", place),
                    Json.has(token, "rstrip") && Json.bool(token, "rstrip", place),
                    false,
                    Json.has(token, "special") && Json.bool(token, "special", place)));
        }
    }

    private void added(Map<String, String> names) {
        String source = directory.resolve(ADDED).toString();
        JsonObject file = object(ADDED);
        for (String token : file.keySet()) {
            put(AddedToken.plain(Json.integer(file, token, source), token, names.containsValue(token)));
        }
    }

    /** Declares a token that has an id by its text already, or gets the next one. */
    private void special(String token) {
        if (token.isEmpty() || added.containsKey(token)) {
            return;
        }
        int id = model.pieces().pieces().indexOf(token);
        put(AddedToken.plain(id >= 0 ? id : nextId, token, true));
    }

    private void put(AddedToken token) {
        if (token.content().isEmpty()) {
            throw new TillerException(directory + ": added token " + token.id() + ": expected a text, found \"\"");
        }
        added.put(token.content(), token);
        nextId = Math.max(nextId, token.id() + 1);
    }

    private String content(JsonElement token) {
        if (token.isJsonPrimitive()) {
            return token.getAsString();
        }
        if (!token.isJsonObject()) {
            throw new TillerException(
                    directory + ": additional_special_tokens: expected texts or objects, found " + token);
        }
        return Json.string(token.getAsJsonObject(), "content", directory + ": additional_special_tokens");
    }
}
