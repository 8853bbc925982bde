package dev.tiller.loader;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.io.IOException;
import java.io.InputStream;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * Strict JSON for everything a person or another program gives us: no duplicate keys, no NaN, no comments or trailing
 * commas, no byte-order mark, valid UTF-8 and whole surrogate pairs, at most 127 levels. {@code source} names the file
 * in errors. In the typed getters a key whose value is null counts as absent; a number must be finite.
 */
public final class Json {
    private Json() {}

    /** The file's one value. */
    public static JsonElement read(Path file) {
        if (!Files.isRegularFile(file)) {
            throw new TillerException(file + ": " + (Files.exists(file) ? "not a file" : "no such file"));
        }
        try (InputStream in = Files.newInputStream(file)) {
            return StrictJson.parse(in, file.toString(), StrictJson::element);
        } catch (IOException e) {
            throw new TillerException(file + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    /** As {@link #read}; anything but an object is an error. */
    public static JsonObject readObject(Path file) {
        return asObject(read(file), file.toString());
    }

    /** The value of a text. */
    public static JsonElement parse(String text, String source) {
        return StrictJson.parse(new StringReader(text), source, StrictJson::element);
    }

    /** As {@link #parse}; anything but an object is an error. */
    public static JsonObject parseObject(String text, String source) {
        return asObject(parse(text, source), source);
    }

    private static JsonObject asObject(JsonElement value, String source) {
        if (!value.isJsonObject()) {
            throw new TillerException(source + ": expected a JSON object, found " + show(value));
        }
        return value.getAsJsonObject();
    }

    /** True if the key is there and not null. */
    public static boolean has(JsonObject object, String key) {
        JsonElement value = object.get(key);
        return value != null && !value.isJsonNull();
    }

    public static String string(JsonObject object, String key, String source) {
        JsonElement value = required(object, key, "a string", source);
        if (!isString(value)) {
            throw wrong(key, "a string", value, source);
        }
        return value.getAsString();
    }

    public static String stringOr(JsonObject object, String key, String fallback, String source) {
        return has(object, key) ? string(object, key, source) : fallback;
    }

    /** A whole number in the range of int, written without fraction or exponent. */
    public static int integer(JsonObject object, String key, String source) {
        return toInt(required(object, key, "a whole number", source), key, source);
    }

    public static int intOr(JsonObject object, String key, int fallback, String source) {
        return has(object, key) ? integer(object, key, source) : fallback;
    }

    public static double number(JsonObject object, String key, String source) {
        return toDouble(required(object, key, "a number", source), key, source);
    }

    public static double numberOr(JsonObject object, String key, double fallback, String source) {
        return has(object, key) ? number(object, key, source) : fallback;
    }

    public static boolean bool(JsonObject object, String key, String source) {
        JsonElement value = required(object, key, "true or false", source);
        if (!(value instanceof JsonPrimitive primitive && primitive.isBoolean())) {
            throw wrong(key, "true or false", value, source);
        }
        return value.getAsBoolean();
    }

    public static boolean boolOr(JsonObject object, String key, boolean fallback, String source) {
        return has(object, key) ? bool(object, key, source) : fallback;
    }

    public static JsonObject object(JsonObject object, String key, String source) {
        JsonElement value = required(object, key, "an object", source);
        if (!value.isJsonObject()) {
            throw wrong(key, "an object", value, source);
        }
        return value.getAsJsonObject();
    }

    public static JsonArray array(JsonObject object, String key, String source) {
        JsonElement value = required(object, key, "an array", source);
        if (!value.isJsonArray()) {
            throw wrong(key, "an array", value, source);
        }
        return value.getAsJsonArray();
    }

    /** An array of strings. */
    public static List<String> strings(JsonObject object, String key, String source) {
        List<String> out = new ArrayList<>();
        for (JsonElement value : array(object, key, source)) {
            if (!isString(value)) {
                throw wrong(key, "an array of strings", value, source);
            }
            out.add(value.getAsString());
        }
        return List.copyOf(out);
    }

    /** An array of numbers. */
    public static List<Double> numbers(JsonObject object, String key, String source) {
        List<Double> out = new ArrayList<>();
        for (JsonElement value : array(object, key, source)) {
            out.add(toDouble(value, key, source));
        }
        return List.copyOf(out);
    }

    /** A whole number or an array of them. */
    public static List<Integer> integers(JsonObject object, String key, String source) {
        JsonElement value = required(object, key, "a whole number or an array of them", source);
        if (!value.isJsonArray()) {
            return List.of(toInt(value, key, source));
        }
        List<Integer> out = new ArrayList<>();
        for (JsonElement item : value.getAsJsonArray()) {
            out.add(toInt(item, key, source));
        }
        return List.copyOf(out);
    }

    /** An error if the object has a key that is not among {@code known}. */
    public static void onlyKeys(JsonObject object, Set<String> known, String source) {
        for (String key : object.keySet()) {
            if (!known.contains(key)) {
                throw new TillerException(
                        source + ": unknown key " + Messages.quote(key) + ", expected one of " + new TreeSet<>(known));
            }
        }
    }

    /** "file: key "k": expected ..., found ...", for values that have the right type but make no sense. */
    public static TillerException wrong(String key, String expected, JsonElement found, String source) {
        return new TillerException(
                source + ": key " + Messages.quote(key) + ": expected " + expected + ", found " + show(found));
    }

    private static JsonElement required(JsonObject object, String key, String expected, String source) {
        if (!has(object, key)) {
            throw new TillerException(source + ": key " + Messages.quote(key) + ": expected " + expected + ", found "
                    + (object.has(key) ? "null" : "no such key"));
        }
        return object.get(key);
    }

    private static boolean isString(JsonElement value) {
        return value instanceof JsonPrimitive primitive && primitive.isString();
    }

    private static int toInt(JsonElement value, String key, String source) {
        if (value instanceof JsonPrimitive primitive && primitive.isNumber()) {
            try {
                return Integer.parseInt(primitive.getAsString());
            } catch (NumberFormatException e) {
                throw wrong(key, "a whole number within 32 bits", value, source);
            }
        }
        throw wrong(key, "a whole number", value, source);
    }

    private static double toDouble(JsonElement value, String key, String source) {
        if (value instanceof JsonPrimitive primitive && primitive.isNumber()) {
            double number = Double.parseDouble(primitive.getAsString());
            if (Double.isFinite(number)) {
                return number;
            }
        }
        throw wrong(key, "a finite number", value, source);
    }

    /** A value for a message: containers by their kind, the rest as written. */
    private static String show(JsonElement value) {
        if (value.isJsonObject()) {
            return "an object";
        }
        if (value.isJsonArray()) {
            return "an array of " + value.getAsJsonArray().size();
        }
        return isString(value) ? Messages.quote(value.getAsString()) : Messages.oneLine(value.toString());
    }
}
