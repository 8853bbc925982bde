package dev.tiller.bench.page;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What a command measured, or a part of it. A key that is missing or holds something else is an error that names the file.
 *
 * @param source name of the file
 */
record Result(JsonObject json, String source) {
    static Result of(Path file) {
        return new Result(Json.readObject(file), file.getFileName().toString());
    }

    /** Name of the file, with another ending. */
    String sibling(String ending) {
        return source.replaceAll("\\.json$", ending);
    }

    boolean has(String key) {
        return Json.has(json, key);
    }

    String text(String key) {
        return Json.string(json, key, source);
    }

    List<String> texts(String key) {
        return Json.strings(json, key, source);
    }

    int whole(String key) {
        return Json.integer(json, key, source);
    }

    double number(String key) {
        return Json.number(json, key, source);
    }

    Result object(String key) {
        return new Result(Json.object(json, key, source), source);
    }

    List<Result> objects(String key) {
        List<Result> objects = new ArrayList<>();
        for (JsonElement e : Json.array(json, key, source)) {
            if (!e.isJsonObject()) {
                throw Json.wrong(key, "a list of objects", e, source);
            }
            objects.add(new Result(e.getAsJsonObject(), source));
        }
        return objects;
    }

    /** The spread under a key, as "median [min..max]", each as {@code number}, such as "%.1f". */
    String spread(String key, String number) {
        return object(key).spread(number);
    }

    /** The same of an object that is a spread itself. */
    String spread(String number) {
        return String.format(
                Locale.ROOT,
                number + " [" + number + ".." + number + "]",
                number("median"),
                number("min"),
                number("max"));
    }
}
