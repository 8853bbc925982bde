package dev.tiller.loader.template;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import dev.tiller.loader.TillerException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Turns Java and JSON data into the values that templates compute with. */
public final class TemplateValues {
    private TemplateValues() {}

    /**
     * A copy of the data in the types of templates: null, Boolean, Long (or BigInteger), Double, String, List and Map
     * with the order of keys kept. A JSON number without point and exponent is an integer.
     *
     * @param data null, a string, a number, a boolean, a {@link Message}, a {@link JsonElement}, or a collection or map
     *     of such
     * @throws TillerException for other types and for data that nests too deeply
     */
    public static Object of(Object data) {
        return of(data, 0);
    }

    private static Object of(Object data, int depth) {
        if (depth > Budget.MAX_NESTING) {
            throw new TillerException(
                    "data for a template nests too deeply: more than " + Budget.MAX_NESTING + " levels");
        }
        return switch (data) {
            case null -> null;
            case String text -> text;
            case Boolean truth -> truth;
            case Number number -> number(number);
            case Message message -> message(message);
            case JsonElement json -> json(json, depth);
            case Map<?, ?> map -> map(map, depth);
            case Iterable<?> items -> list(items, depth);
            case CharSequence text -> text.toString();
            default ->
                throw new TillerException("a template cannot use data of the Java type "
                        + data.getClass().getName() + ": expected strings, numbers, booleans, lists and maps");
        };
    }

    private static Object number(Number number) {
        return switch (number) {
            case Double real -> real;
            case Float real -> real.doubleValue();
            case BigInteger integer -> integer(integer);
            case BigDecimal real -> real.doubleValue();
            case Long integer -> integer;
            case Integer integer -> integer.longValue();
            case Short integer -> integer.longValue();
            case Byte integer -> integer.longValue();
            default -> fromText(number.toString());
        };
    }

    private static Object fromText(String text) {
        boolean integer = text.chars().allMatch(c -> c == '-' || (c >= '0' && c <= '9'));
        if (integer && text.length() > 2000) {
            throw new TillerException("a template cannot use an integer of " + text.length() + " digits");
        }
        try {
            return integer ? integer(new BigInteger(text)) : (Object) Double.valueOf(text);
        } catch (NumberFormatException e) {
            throw new TillerException("a template cannot use this as a number: " + Values.shortText(text), e);
        }
    }

    private static Object integer(BigInteger value) {
        if (value.bitLength() > 8000) {
            throw new TillerException("a template cannot use an integer of " + value.bitLength() + " bits");
        }
        return Numbers.normal(value);
    }

    private static Map<Object, Object> message(Message message) {
        Map<Object, Object> map = new LinkedHashMap<>();
        map.put("role", message.role());
        map.put("content", message.content());
        return map;
    }

    private static Object json(JsonElement json, int depth) {
        return switch (json) {
            case JsonObject object -> map(object.asMap(), depth);
            case JsonArray array -> list(array, depth);
            case JsonPrimitive primitive ->
                primitive.isBoolean()
                        ? (Object) primitive.getAsBoolean()
                        : primitive.isString() ? primitive.getAsString() : fromText(primitive.getAsString());
            case JsonNull none -> null;
            default ->
                throw new TillerException(
                        "unknown JSON element " + json.getClass().getName());
        };
    }

    private static List<Object> list(Iterable<?> items, int depth) {
        List<Object> list = new ArrayList<>();
        for (Object item : items) {
            list.add(of(item, depth + 1));
        }
        return list;
    }

    private static Map<Object, Object> map(Map<?, ?> source, int depth) {
        Map<Object, Object> map = new LinkedHashMap<>();
        for (Map.Entry<?, ?> entry : source.entrySet()) {
            Object key = of(entry.getKey(), depth + 1);
            if (key instanceof List<?> || key instanceof Map<?, ?>) {
                throw new TillerException("a template cannot use a " + Values.typeName(key) + " as a key");
            }
            map.put(key, of(entry.getValue(), depth + 1));
        }
        return map;
    }
}
