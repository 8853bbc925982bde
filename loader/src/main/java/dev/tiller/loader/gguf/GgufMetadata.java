package dev.tiller.loader.gguf;

import dev.tiller.loader.TillerException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.Set;

/**
 * The keys and values of a GGUF file. Values stay in the mapped file and are decoded when asked for, so that a file
 * cannot make the reader allocate more than the caller wants to know. An absent key is empty; a value of another kind
 * than asked for is an error that names file and key.
 */
public final class GgufMetadata {
    /** Longest array that is turned into Java values: well above any vocabulary. */
    private static final int MAX_ELEMENTS = 1 << 24;

    private static final int MAX_KEY_BYTES = 65535;
    private static final int MAX_NESTING = 4;
    private static final int MAX_SHOWN = 200;

    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** A value in the file; element and count only for arrays; data without the length of a string or array. */
    private record Value(GgufValueType type, GgufValueType element, long count, MemorySegment data) {
        String describe() {
            return type == GgufValueType.ARRAY ? "array of " + count + " " + element : type.toString();
        }
    }

    private final String source;
    private final Map<String, Value> values = new LinkedHashMap<>();

    private GgufMetadata(String source) {
        this.source = source;
    }

    /** Reads {@code count} pairs; duplicate keys, unknown types and lengths beyond the file are refused. */
    static GgufMetadata read(GgufCursor in, long count, String source) {
        GgufMetadata metadata = new GgufMetadata(source);
        for (long i = 0; i < count; i++) {
            String key = in.name(MAX_KEY_BYTES, "key number " + i);
            Value value = readValue(in, "key " + key);
            if (metadata.values.put(key, value) != null) {
                throw in.error("key " + key + ": expected once, found twice");
            }
        }
        return metadata;
    }

    private static Value readValue(GgufCursor in, String what) {
        GgufValueType type = readType(in, what);
        return switch (type) {
            case STRING -> new Value(type, null, 0, in.string("value of " + what));
            case ARRAY -> readArray(in, what);
            default -> new Value(type, null, 0, in.take(type.bytes, "value of " + what));
        };
    }

    private static Value readArray(GgufCursor in, String what) {
        GgufValueType element = readType(in, what);
        long count = readArrayCount(in, element, what);
        long start = in.position();
        skipArray(in, element, count, what, 1);
        return new Value(GgufValueType.ARRAY, element, count, in.since(start));
    }

    private static long readArrayCount(GgufCursor in, GgufValueType element, String what) {
        // A string is at least its length, a nested array at least its type and count.
        long minBytes = switch (element) {
            case STRING -> 8;
            case ARRAY -> 12;
            default -> element.bytes;
        };
        return in.count(minBytes, "array length of " + what);
    }

    private static void skipArray(GgufCursor in, GgufValueType element, long count, String what, int depth) {
        if (depth > MAX_NESTING) {
            throw in.error(what + ": expected arrays nested at most " + MAX_NESTING + " deep, found more");
        }
        switch (element) {
            case STRING -> in.skipStrings(count, "string of " + what);
            case ARRAY -> {
                for (long i = 0; i < count; i++) {
                    GgufValueType inner = readType(in, what);
                    skipArray(in, inner, readArrayCount(in, inner, what), what, depth + 1);
                }
            }
            default -> in.take(count * element.bytes, what);
        }
    }

    private static GgufValueType readType(GgufCursor in, String what) {
        int code = in.u32("type of " + what);
        GgufValueType type = GgufValueType.ofCode(code);
        if (type == null) {
            throw in.error(what + ": expected a value type from 0 to " + (GgufValueType.values().length - 1)
                    + ", found " + Integer.toUnsignedString(code));
        }
        return type;
    }

    /** All keys in file order. */
    public Set<String> keys() {
        return Collections.unmodifiableSet(values.keySet());
    }

    /** True if the key is there, whatever its type. */
    public boolean has(String key) {
        return values.containsKey(key);
    }

    /** True if the key is there with a signed integer type, by which some writers can be told from others. */
    public boolean isSigned(String key) {
        Value value = values.get(key);
        return value != null
                && switch (value.type) {
                    case I8, I16, I32, I64 -> true;
                    default -> false;
                };
    }

    /** True if the key is there with an array. */
    public boolean isArray(String key) {
        Value value = values.get(key);
        return value != null && value.type == GgufValueType.ARRAY;
    }

    /** A value of any integer type. A u64 above 2^63-1 is refused. */
    public OptionalLong integer(String key) {
        Value value = values.get(key);
        if (value == null) {
            return OptionalLong.empty();
        }
        if (!value.type.isInteger()) {
            throw mismatch(key, "an integer", value.describe());
        }
        return OptionalLong.of(integerAt(key, value.type, value.data, 0));
    }

    /** A value of any integer or floating type. */
    public OptionalDouble number(String key) {
        Value value = values.get(key);
        if (value == null) {
            return OptionalDouble.empty();
        }
        return switch (value.type) {
            case F32 -> OptionalDouble.of(Float.intBitsToFloat(value.data.get(GgufCursor.INT, 0)));
            case F64 -> OptionalDouble.of(Double.longBitsToDouble(value.data.get(GgufCursor.LONG, 0)));
            default -> {
                if (!value.type.isInteger()) {
                    throw mismatch(key, "a number", value.describe());
                }
                yield OptionalDouble.of(integerAt(key, value.type, value.data, 0));
            }
        };
    }

    /** A truth value, stored as one byte 0 or 1. */
    public Optional<Boolean> bool(String key) {
        Value value = values.get(key);
        if (value == null) {
            return Optional.empty();
        }
        if (value.type != GgufValueType.BOOL) {
            throw mismatch(key, "BOOL", value.describe());
        }
        byte stored = value.data.get(ValueLayout.JAVA_BYTE, 0);
        if (stored != 0 && stored != 1) {
            throw mismatch(key, "BOOL 0 or 1", Integer.toString(stored));
        }
        return Optional.of(stored == 1);
    }

    /** A string; malformed UTF-8 is refused. */
    public Optional<String> string(String key) {
        Value value = values.get(key);
        if (value == null) {
            return Optional.empty();
        }
        if (value.type != GgufValueType.STRING) {
            throw mismatch(key, "STRING", value.describe());
        }
        return Optional.of(decode(value.data, key));
    }

    /** An array of strings. */
    public Optional<List<String>> strings(String key) {
        Optional<Value> array = array(key, "strings");
        if (array.isEmpty()) {
            return Optional.empty();
        }
        Value value = array.get();
        if (value.element != GgufValueType.STRING) {
            throw mismatch(key, "an array of STRING", value.describe());
        }
        return Optional.of(GgufCursor.strings(value.data, (int) value.count, source, "key " + key));
    }

    /** An array of F32. */
    public Optional<float[]> floats(String key) {
        return array(key, "floats").map(value -> {
            if (value.element != GgufValueType.F32) {
                throw mismatch(key, "an array of F32", value.describe());
            }
            float[] out = new float[(int) value.count];
            for (int i = 0; i < out.length; i++) {
                out[i] = Float.intBitsToFloat(value.data.get(GgufCursor.INT, (long) i * Float.BYTES));
            }
            return out;
        });
    }

    /** An array of any integer type whose values fit an int. */
    public Optional<int[]> ints(String key) {
        return array(key, "integers").map(value -> {
            if (!value.element.isInteger()) {
                throw mismatch(key, "an array of integers", value.describe());
            }
            int[] out = new int[(int) value.count];
            for (int i = 0; i < out.length; i++) {
                long element = integerAt(key, value.element, value.data, (long) i * value.element.bytes);
                if (element != (int) element) {
                    throw mismatch(key, "values that fit 32 bits", Long.toString(element));
                }
                out[i] = (int) element;
            }
            return out;
        });
    }

    /** An array of truth values, stored as bytes 0 or 1; integers that are 0 or 1 will do. */
    public Optional<boolean[]> bools(String key) {
        return array(key, "truth values").map(value -> {
            boolean[] out = new boolean[(int) value.count];
            for (int i = 0; i < out.length; i++) {
                long element = value.element == GgufValueType.BOOL
                        ? value.data.get(ValueLayout.JAVA_BYTE, i)
                        : value.element.isInteger()
                                ? integerAt(key, value.element, value.data, (long) i * value.element.bytes)
                                : -1;
                if (element != 0 && element != 1) {
                    throw mismatch(key, "an array of BOOL 0 or 1", value.describe());
                }
                out[i] = element == 1;
            }
            return out;
        });
    }

    /** The value for people: numbers and strings as they are (long ones cut), arrays by type and length. */
    public String describe(String key) {
        Value value = values.get(key);
        if (value == null) {
            return "absent";
        }
        return switch (value.type) {
            case ARRAY -> value.describe();
            case BOOL -> bool(key).orElseThrow().toString();
            case STRING -> {
                String text = string(key).orElseThrow();
                yield text.length() <= MAX_SHOWN ? text : text.substring(0, MAX_SHOWN) + "...";
            }
            case F32 -> Float.toString((float) number(key).orElseThrow());
            case F64 -> Double.toString(number(key).orElseThrow());
            default -> Long.toString(integer(key).orElseThrow());
        };
    }

    private Optional<Value> array(String key, String of) {
        Value value = values.get(key);
        if (value == null) {
            return Optional.empty();
        }
        if (value.type != GgufValueType.ARRAY) {
            throw mismatch(key, "an array of " + of, value.describe());
        }
        if (value.count > MAX_ELEMENTS) {
            throw mismatch(key, "at most " + MAX_ELEMENTS + " elements", Long.toString(value.count));
        }
        return Optional.of(value);
    }

    private long integerAt(String key, GgufValueType type, MemorySegment data, long at) {
        return switch (type) {
            case U8 -> data.get(ValueLayout.JAVA_BYTE, at) & 0xFFL;
            case I8 -> data.get(ValueLayout.JAVA_BYTE, at);
            case U16 -> data.get(SHORT, at) & 0xFFFFL;
            case I16 -> data.get(SHORT, at);
            case U32 -> data.get(GgufCursor.INT, at) & 0xFFFFFFFFL;
            case I32 -> data.get(GgufCursor.INT, at);
            case I64 -> data.get(GgufCursor.LONG, at);
            case U64 -> {
                long value = data.get(GgufCursor.LONG, at);
                if (value < 0) {
                    throw mismatch(key, "at most 2^63-1", Long.toUnsignedString(value));
                }
                yield value;
            }
            default -> throw new IllegalArgumentException(type + " is not an integer type");
        };
    }

    private String decode(MemorySegment bytes, String key) {
        if (bytes.byteSize() > Integer.MAX_VALUE - 8) {
            throw mismatch(key, "a string shorter than 2^31 bytes", Long.toString(bytes.byteSize()));
        }
        return GgufCursor.utf8(bytes, source, "key " + key);
    }

    private TillerException mismatch(String key, String expected, String found) {
        return new TillerException(source + ": key " + key + ": expected " + expected + ", found " + found);
    }
}
