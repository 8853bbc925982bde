package dev.tiller.loader;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.math.BigInteger;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/**
 * One strict pass over a JSON text. On top of Gson's strict mode it refuses a byte-order mark, invalid UTF-8, halves of
 * surrogate pairs, duplicate keys, deep nesting and anything after the value; errors are one line naming the source.
 */
final class StrictJson {
    /** Containers inside each other; what the Rust JSON library allows, so that safetensors verdicts agree. */
    static final int MAX_DEPTH = 127;

    private final JsonReader reader;
    private final String source;

    private StrictJson(Reader text, String source) {
        this.reader = new JsonReader(text);
        this.source = source;
        reader.setStrictness(Strictness.STRICT);
        reader.setNestingLimit(MAX_DEPTH);
    }

    /** What a caller does with the reader; it must consume one whole value. */
    interface Body<T> {
        T read(StrictJson json) throws IOException;
    }

    /** Reads UTF-8 bytes to their end. */
    static <T> T parse(InputStream bytes, String source, Body<T> body) {
        var decoder = StandardCharsets.UTF_8
                .newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT);
        return parse(new InputStreamReader(bytes, decoder), source, body);
    }

    static <T> T parse(Reader characters, String source, Body<T> body) {
        // Gson skips a byte-order mark silently, so look first.
        Reader text = new BufferedReader(characters, 8192);
        StrictJson json = new StrictJson(text, source);
        try {
            text.mark(1);
            if (text.read() == '\ufeff') {
                throw new TillerException(source + ": not valid JSON: it begins with a byte-order mark");
            }
            text.reset();
            T result = body.read(json);
            if (json.reader.peek() != JsonToken.END_DOCUMENT) {
                throw json.error("expected the end of the text");
            }
            return result;
        } catch (CharacterCodingException e) {
            throw new TillerException(source + ": not valid UTF-8", e);
        } catch (IOException | IllegalStateException | NumberFormatException e) {
            throw new TillerException(source + ": not valid JSON at " + json.where(), e);
        }
    }

    /** The value that follows, as a tree. */
    JsonElement element() throws IOException {
        return switch (reader.peek()) {
            case BEGIN_OBJECT -> object();
            case BEGIN_ARRAY -> {
                JsonArray array = new JsonArray();
                reader.beginArray();
                while (reader.hasNext()) {
                    array.add(element());
                }
                reader.endArray();
                yield array;
            }
            case STRING -> new JsonPrimitive(string());
            case NUMBER -> new JsonPrimitive(number(reader.nextString()));
            case BOOLEAN -> new JsonPrimitive(reader.nextBoolean());
            case NULL -> {
                reader.nextNull();
                yield JsonNull.INSTANCE;
            }
            default -> throw error("expected a value");
        };
    }

    /** Whole numbers exactly, as Long or BigInteger; others as Double, refused if not finite. */
    private Number number(String text) {
        if (text.chars().allMatch(c -> c == '-' || (c >= '0' && c <= '9'))) {
            BigInteger whole = new BigInteger(text);
            return whole.bitLength() < Long.SIZE ? (Number) whole.longValue() : whole;
        }
        double value = Double.parseDouble(text);
        if (!Double.isFinite(value)) {
            throw error("the number " + Messages.quote(text) + " is out of range");
        }
        return value;
    }

    private JsonObject object() throws IOException {
        JsonObject object = new JsonObject();
        reader.beginObject();
        while (reader.hasNext()) {
            String key = name();
            if (object.has(key)) {
                throw error("duplicate key " + Messages.quote(key));
            }
            object.add(key, element());
        }
        reader.endObject();
        return object;
    }

    JsonToken peek() throws IOException {
        return reader.peek();
    }

    void beginObject() throws IOException {
        expect(JsonToken.BEGIN_OBJECT, "an object");
        reader.beginObject();
    }

    void endObject() throws IOException {
        reader.endObject();
    }

    void beginArray() throws IOException {
        expect(JsonToken.BEGIN_ARRAY, "an array");
        reader.beginArray();
    }

    void endArray() throws IOException {
        reader.endArray();
    }

    boolean hasNext() throws IOException {
        return reader.hasNext();
    }

    String name() throws IOException {
        return whole(reader.nextName());
    }

    /** A string; unlike Gson's, not also a number. */
    String string() throws IOException {
        expect(JsonToken.STRING, "a string");
        return whole(reader.nextString());
    }

    /** A whole number from 0 to 2^63-1, written in digits only. */
    long count() throws IOException {
        expect(JsonToken.NUMBER, "a non-negative whole number");
        String digits = reader.nextString();
        if (!digits.chars().allMatch(c -> c >= '0' && c <= '9')) {
            throw error("expected a non-negative whole number, found " + Messages.quote(digits));
        }
        try {
            return Long.parseLong(digits);
        } catch (NumberFormatException e) {
            throw error("the number " + Messages.quote(digits) + " is above 2^63-1");
        }
    }

    /** Passes over the value that follows, checking it as strictly as {@link #element} but for duplicate keys. */
    void skip() throws IOException {
        int depth = 0;
        do {
            switch (reader.peek()) {
                case BEGIN_OBJECT -> {
                    reader.beginObject();
                    depth++;
                }
                case BEGIN_ARRAY -> {
                    reader.beginArray();
                    depth++;
                }
                case END_OBJECT -> {
                    reader.endObject();
                    depth--;
                }
                case END_ARRAY -> {
                    reader.endArray();
                    depth--;
                }
                case NAME -> name();
                case STRING -> string();
                case NUMBER -> reader.nextString();
                case BOOLEAN -> reader.nextBoolean();
                case NULL -> reader.nextNull();
                case END_DOCUMENT -> throw error("expected a value");
            }
        } while (depth > 0);
    }

    void nextNull() throws IOException {
        reader.nextNull();
    }

    TillerException error(String message) {
        return new TillerException(source + ": " + message + " at " + where());
    }

    private void expect(JsonToken token, String what) throws IOException {
        JsonToken found = reader.peek();
        if (found != token) {
            throw error("expected " + what + ", found " + describe(found));
        }
    }

    private static String describe(JsonToken token) {
        return switch (token) {
            case BEGIN_OBJECT -> "an object";
            case BEGIN_ARRAY -> "an array";
            case STRING -> "a string";
            case NUMBER -> "a number";
            case BOOLEAN -> "a boolean";
            case NULL -> "null";
            default -> "the end of it";
        };
    }

    private String whole(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (Character.isSurrogate(c)) {
                boolean pair = Character.isHighSurrogate(c)
                        && i + 1 < text.length()
                        && Character.isLowSurrogate(text.charAt(i + 1));
                if (!pair) {
                    throw error("half of a surrogate pair in a string");
                }
                i++;
            }
        }
        return text;
    }

    /** Gson's "line 1 column 5 path $.a", on one line and not too long. */
    private String where() {
        String text = reader.toString();
        String at = text.substring(text.indexOf(" at ") + 4);
        return Messages.oneLine(at.length() <= 200 ? at : at.substring(0, 200) + "...");
    }
}
