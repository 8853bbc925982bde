package dev.tiller.loader.tokenizer;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** An object inside a tokenizer.json that knows its place, so that every error names the file and the key. */
final class Section {
    private static final int MAX_STEPS = 64;

    private final String source;
    private final String path;
    private final JsonObject object;

    private Section(String source, String path, JsonObject object) {
        this.source = source;
        this.path = path;
        this.object = object;
    }

    /** The section, or null if the element is null: an absent component. */
    static Section of(String source, String path, JsonElement element) {
        if (element == null || element.isJsonNull()) {
            return null;
        }
        if (!element.isJsonObject()) {
            throw unexpected(source, path, "an object", element);
        }
        return new Section(source, path, element.getAsJsonObject());
    }

    /** The value of "type". */
    String type() {
        return string("type");
    }

    /** Refuses keys beside "type" and the given ones: a setting that nobody reads would change the tokens. */
    Section only(String... keys) {
        Set<String> known = Set.of(keys);
        for (String key : object.keySet()) {
            if (!key.equals("type") && !known.contains(key)) {
                throw new TillerException(
                        source + ": " + place(key) + ": unknown key; expected " + String.join(", ", keys));
            }
        }
        return this;
    }

    boolean has(String key) {
        return object.has(key) && !object.get(key).isJsonNull();
    }

    Set<String> keys() {
        return object.keySet();
    }

    String string(String key) {
        JsonElement value = object.get(key);
        if (value == null
                || !value.isJsonPrimitive()
                || !value.getAsJsonPrimitive().isString()) {
            throw error(key, "a string");
        }
        return value.getAsString();
    }

    /** A string that is not empty. */
    String text(String key) {
        String value = string(key);
        if (value.isEmpty()) {
            throw error(key, "a text that is not empty");
        }
        return value;
    }

    /** A string of exactly one code point. */
    int character(String key) {
        String value = string(key);
        if (value.codePointCount(0, value.length()) != 1) {
            throw error(key, "one character");
        }
        return value.codePointAt(0);
    }

    boolean flag(String key) {
        JsonElement value = object.get(key);
        if (value == null
                || !value.isJsonPrimitive()
                || !value.getAsJsonPrimitive().isBoolean()) {
            throw error(key, "true or false");
        }
        return value.getAsBoolean();
    }

    boolean flag(String key, boolean ifAbsent) {
        return has(key) ? flag(key) : ifAbsent;
    }

    /** A whole number from 0 to 2^31-1. */
    int count(String key) {
        return count(object.get(key), place(key));
    }

    Section section(String key) {
        Section found = of(source, place(key), object.get(key));
        if (found == null) {
            throw error(key, "an object");
        }
        return found;
    }

    List<Section> sections(String key) {
        List<Section> out = new ArrayList<>();
        for (JsonElement element : array(key)) {
            Section found = of(source, place(key) + "[" + out.size() + "]", element);
            if (found == null) {
                throw error(key, "an array of objects");
            }
            out.add(found);
        }
        return out;
    }

    /** The components of a "Sequence", those of sequences inside it in their place; a chain without end is no tokenizer. */
    List<Section> steps(String key) {
        List<Section> steps = new ArrayList<>();
        addSteps(key, steps);
        return steps;
    }

    private void addSteps(String key, List<Section> steps) {
        for (Section step : only(key).sections(key)) {
            if (step.type().equals("Sequence")) {
                step.addSteps(key, steps);
                continue;
            }
            steps.add(step);
            if (steps.size() > MAX_STEPS) {
                throw new TillerException(
                        source + ": " + place(key) + ": expected at most " + MAX_STEPS + " components, found more");
            }
        }
    }

    int[] counts(String key) {
        List<JsonElement> elements = array(key);
        int[] out = new int[elements.size()];
        for (int i = 0; i < out.length; i++) {
            out[i] = count(elements.get(i), place(key) + "[" + i + "]");
        }
        return out;
    }

    /** The error that the value of a key is not what it must be. */
    TillerException error(String key, String expected) {
        return unexpected(source, place(key), expected, object.get(key));
    }

    /** The error that this component is of a kind Tiller does not know. */
    TillerException unsupported(String... supported) {
        return error("type", "one of " + String.join(", ", supported));
    }

    /** The file and the key of a value, for messages. */
    String name(String key) {
        return source + ": " + place(key);
    }

    /** The id of a token given as [text, id]. */
    int pairId(String key) {
        List<JsonElement> pair = array(key);
        if (pair.size() != 2) {
            throw error(key, "an array of a text and an id");
        }
        return count(pair.get(1), place(key) + "[1]");
    }

    private String place(String key) {
        return path.isEmpty() ? key : path + "." + key;
    }

    private int count(JsonElement value, String place) {
        if (value != null
                && value.isJsonPrimitive()
                && value.getAsJsonPrimitive().isNumber()) {
            double number = value.getAsDouble();
            if (number >= 0 && number <= Integer.MAX_VALUE && number == Math.rint(number)) {
                return (int) number;
            }
        }
        throw unexpected(source, place, "a whole number", value);
    }

    private List<JsonElement> array(String key) {
        JsonElement value = object.get(key);
        if (value == null || !value.isJsonArray()) {
            throw error(key, "an array");
        }
        return value.getAsJsonArray().asList();
    }

    private static TillerException unexpected(String source, String place, String expected, JsonElement found) {
        String text = found == null ? "nothing" : found.toString();
        String shown = text.length() > 80 ? text.substring(0, 80) + "..." : text;
        return new TillerException(source + ": " + place + ": expected " + expected + ", found " + shown);
    }
}
