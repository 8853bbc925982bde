package dev.tiller.loader.gguf;

import dev.tiller.loader.AtomicFile;
import dev.tiller.loader.TillerException;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Writer of small GGUF files, version 3: keys, and F32 tensors at multiples of 32 bytes, all in the order given. */
public final class GgufWriter {
    private static final int ALIGNMENT = 32;

    private final Map<String, Object> keys = new LinkedHashMap<>();
    private final Map<String, float[]> tensors = new LinkedHashMap<>();

    /** A STRING value. */
    public GgufWriter key(String key, String value) {
        return put(key, value);
    }

    /** A U32 value. */
    public GgufWriter key(String key, int value) {
        return put(key, value);
    }

    /** An F32 value. */
    public GgufWriter key(String key, float value) {
        return put(key, value);
    }

    /** A BOOL value. */
    public GgufWriter key(String key, boolean value) {
        return put(key, value);
    }

    private GgufWriter put(String key, Object value) {
        if (keys.putIfAbsent(key, value) != null) {
            throw new TillerException("GGUF key " + key + " given twice");
        }
        return this;
    }

    /** A one-dimensional F32 tensor; the values are kept by reference until written. */
    public GgufWriter tensor(String name, float[] values) {
        if (values.length == 0 || tensors.putIfAbsent(name, values) != null) {
            throw new TillerException("GGUF tensor " + name + (values.length == 0 ? " is empty" : " given twice"));
        }
        return this;
    }

    /** Writes the file, complete or not at all. */
    public void write(Path file) {
        ByteBuffer bytes = layOut();
        AtomicFile.write(file, channel -> AtomicFile.writeFully(channel, bytes));
    }

    private ByteBuffer layOut() {
        ByteArrayOutputStream header = new ByteArrayOutputStream();
        header.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
        number(header, 4, 3);
        number(header, 8, tensors.size());
        number(header, 8, keys.size());
        keys.forEach((key, value) -> {
            text(header, key);
            value(header, value);
        });
        long offset = 0;
        for (Map.Entry<String, float[]> e : tensors.entrySet()) {
            text(header, e.getKey());
            number(header, 4, 1);
            number(header, 8, e.getValue().length);
            number(header, 4, 0); // F32
            number(header, 8, offset);
            offset = align(offset + (long) e.getValue().length * Float.BYTES);
        }
        long start = align(header.size());
        if (start + offset > Integer.MAX_VALUE - 8) {
            throw new TillerException("a GGUF file of " + (start + offset) + " bytes is too large for a vector file");
        }
        ByteBuffer out = ByteBuffer.allocate((int) (start + offset)).order(ByteOrder.LITTLE_ENDIAN);
        out.put(header.toByteArray());
        for (float[] values : tensors.values()) {
            out.position((int) align(out.position()));
            for (float v : values) {
                out.putFloat(v);
            }
        }
        return out.rewind();
    }

    private static void value(ByteArrayOutputStream out, Object value) {
        switch (value) {
            case String s -> {
                number(out, 4, GgufValueType.STRING.ordinal());
                text(out, s);
            }
            case Integer i -> {
                number(out, 4, GgufValueType.U32.ordinal());
                number(out, 4, i);
            }
            case Float f -> {
                number(out, 4, GgufValueType.F32.ordinal());
                number(out, 4, Float.floatToRawIntBits(f));
            }
            case Boolean b -> {
                number(out, 4, GgufValueType.BOOL.ordinal());
                number(out, 1, b ? 1 : 0);
            }
            default -> throw new IllegalArgumentException("value of type " + value.getClass());
        }
    }

    private static long align(long at) {
        return (at + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    private static void text(ByteArrayOutputStream out, String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        number(out, 8, utf8.length);
        out.writeBytes(utf8);
    }

    private static void number(ByteArrayOutputStream out, int bytes, long value) {
        for (int i = 0; i < bytes; i++) {
            out.write((int) (value >>> 8 * i));
        }
    }
}
