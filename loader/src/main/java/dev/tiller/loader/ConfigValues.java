package dev.tiller.loader;

import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.util.List;

/**
 * The values of a config.json by the names that most families give them: as written, else the family's default. A key that
 * the family does not know has no value, whatever the file says. Null is no value. Errors name the key as this family
 * spells it.
 */
final class ConfigValues {
    /** Keys of every family: sizes, tokens. */
    private static final List<String> EVERYWHERE = List.of(
            "hidden_size",
            "intermediate_size",
            "num_hidden_layers",
            "num_attention_heads",
            "num_key_value_heads",
            "head_dim",
            "vocab_size",
            "layer_types",
            "pad_token_id");

    /** Largest width or count believed: refuses nonsense before anything is allocated for it. */
    static final int MOST = 1 << 28;

    private final JsonObject json;
    private final Family family;
    private final String source;

    ConfigValues(JsonObject json, Family family, String source) {
        this.json = json;
        this.family = family;
        this.source = source;
    }

    Family family() {
        return family;
    }

    String source() {
        return source;
    }

    /** The name that a key has in this file. */
    String spelling(String key) {
        List<String> names = family.spellings(key);
        return names.stream().filter(json::has).findFirst().orElse(names.getFirst());
    }

    private JsonElement value(String key) {
        if (family.fixed().containsKey(key)) {
            return family.fixed().get(key);
        }
        String name = spelling(key);
        if (json.has(name) && (family.knows(key) || EVERYWHERE.contains(key))) {
            return json.get(name);
        }
        return family.defaults().getOrDefault(key, JsonNull.INSTANCE);
    }

    /** True if there is a value, be it the family's default. */
    boolean has(String key) {
        return !value(key).isJsonNull();
    }

    /** The one value as an object of its own, so that the typed getters can read it. */
    private JsonObject single(String key) {
        JsonObject one = new JsonObject();
        if (json.has(spelling(key)) || has(key)) {
            one.add(spelling(key), value(key));
        }
        return one;
    }

    double number(String key) {
        return Json.number(single(key), spelling(key), source);
    }

    double numberOr(String key, double otherwise) {
        return has(key) ? number(key) : otherwise;
    }

    int integer(String key) {
        return Json.integer(single(key), spelling(key), source);
    }

    boolean bool(String key) {
        return has(key) && Json.bool(single(key), spelling(key), source);
    }

    /** As the family means it. */
    String string(String key) {
        return family.meaning(key, Json.string(single(key), spelling(key), source));
    }

    /** As the family means them. */
    List<String> strings(String key) {
        return Json.strings(single(key), spelling(key), source).stream()
                .map(written -> family.meaning(key, written))
                .toList();
    }

    List<Integer> integers(String key) {
        return Json.integers(single(key), spelling(key), source);
    }

    int positive(String key) {
        return positive(key, MOST);
    }

    int positive(String key, int most) {
        int value = integer(key);
        if (value < 1 || value > most) {
            throw wrong(key, "a whole number from 1 to " + most);
        }
        return value;
    }

    int positiveOr(String key, int otherwise) {
        return has(key) ? positive(key) : otherwise;
    }

    double above0(String key) {
        double value = number(key);
        if (!(value > 0)) {
            throw wrong(key, "a positive number");
        }
        return value;
    }

    /** A value that must be what the family has; null is as good as absent. */
    void only(String key, JsonElement expected) {
        if (json.has(key) && !json.get(key).isJsonNull() && !json.get(key).equals(expected)) {
            throw Json.wrong(key, expected + ", the only value that is supported", json.get(key), source);
        }
    }

    /** The error of a value that has the right type but makes no sense. */
    TillerException wrong(String key, String expected) {
        return Json.wrong(spelling(key), expected, value(key), source);
    }

    /** The same for a value that was worked out. */
    TillerException wrong(String key, String expected, Number found) {
        return Json.wrong(spelling(key), expected, new JsonPrimitive(found), source);
    }
}
