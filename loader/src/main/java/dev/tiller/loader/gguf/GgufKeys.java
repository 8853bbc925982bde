package dev.tiller.loader.gguf;

import dev.tiller.loader.TillerException;

/** The metadata of a model under its architecture's prefix. What is missing or out of range is refused by key. */
final class GgufKeys {
    /** As in a config.json; far above any model. */
    private static final int MOST = 1 << 28;

    private final Gguf file;
    private final GgufMetadata metadata;
    private final String architecture;

    GgufKeys(Gguf file, String architecture) {
        this.file = file;
        this.metadata = file.metadata();
        this.architecture = architecture;
    }

    boolean has(String name) {
        return metadata.has(key(name));
    }

    /** A whole number from 1 to 2^28 that must be there. */
    int required(String name) {
        if (!has(name)) {
            throw error(name, "a positive integer", "nothing");
        }
        return (int) integer(name, 0, 1);
    }

    /** A whole number from 1 to 2^28. */
    int optional(String name, int otherwise) {
        return (int) integer(name, otherwise, 1);
    }

    /** A whole number from {@code least} to 2^28. */
    long integer(String name, long otherwise, long least) {
        long value = metadata.integer(key(name)).orElse(otherwise);
        if (value < least || value > MOST) {
            throw error(name, "an integer from " + least + " to 2^28", value);
        }
        return value;
    }

    /**
     * A number above {@code low} and up to {@code high}, of a float32 the shortest decimal that means it, as a
     * config.json would have it; {@code otherwise} NaN if the key must be there.
     */
    double number(String name, double otherwise, double low, double high) {
        double value = metadata.number(key(name)).orElse(otherwise);
        if (!(value > low && value <= high)) {
            throw error(name, "a number above " + low, metadata.describe(key(name)));
        }
        return decimal(value);
    }

    static double decimal(double value) {
        float narrow = (float) value;
        return narrow == value ? Double.parseDouble(Float.toString(narrow)) : value;
    }

    String string(String name, String otherwise) {
        return metadata.string(key(name)).orElse(otherwise);
    }

    boolean bool(String name, boolean otherwise) {
        return metadata.bool(key(name)).orElse(otherwise);
    }

    /** The value for messages. */
    String describe(String name) {
        return metadata.describe(key(name));
    }

    /** The key in full. */
    String key(String name) {
        return architecture + "." + name;
    }

    TillerException error(String name, String expected, Object found) {
        return new TillerException(file.path() + ": key " + key(name) + ": expected " + expected + ", found " + found);
    }
}
