package dev.tiller.loader;

import com.google.gson.stream.JsonToken;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The JSON header of a safetensors file, checked: tensors tile the data without gap or overlap and each has the size
 * its type and shape ask for. The verdicts are those of the safetensors library 0.8.0 with these exceptions, all
 * stricter: a name, field or metadata key that occurs twice, a tensor written as an array, a type written as an
 * object, more than {@value #MAX_DIMENSIONS} dimensions and numbers above 2^63-1 are refused.
 */
record SafetensorsHeader(List<Entry> tensors, Map<String, String> metadata) {
    static final int MAX_DIMENSIONS = 1000;
    private static final String METADATA = "__metadata__";

    /** One tensor; its bytes are [begin, end) of the data section. Entries are listed in the order of their data. */
    record Entry(String name, DType dtype, long[] shape, long begin, long end) {}

    /** Reads and checks a header that is followed by {@code dataSize} bytes. */
    static SafetensorsHeader parse(MemorySegment json, long dataSize, String source) {
        SafetensorsHeader header =
                StrictJson.parse(new SegmentInputStream(json), source + ": header", SafetensorsHeader::read);
        header.check(dataSize, source);
        return header;
    }

    private static SafetensorsHeader read(StrictJson json) throws IOException {
        List<Entry> tensors = new ArrayList<>();
        Map<String, String> metadata = new LinkedHashMap<>();
        Set<String> names = new HashSet<>();
        json.beginObject();
        while (json.hasNext()) {
            String name = json.name();
            if (!names.add(name)) {
                throw json.error("duplicate name " + Messages.quote(name));
            }
            if (!name.equals(METADATA)) {
                tensors.add(entry(json, name));
            } else if (json.peek() == JsonToken.NULL) {
                json.nextNull();
            } else {
                metadata(json, metadata);
            }
        }
        json.endObject();
        tensors.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
        return new SafetensorsHeader(tensors, metadata);
    }

    private static void metadata(StrictJson json, Map<String, String> out) throws IOException {
        json.beginObject();
        while (json.hasNext()) {
            String key = json.name();
            if (out.put(key, json.string()) != null) {
                throw json.error("duplicate key " + Messages.quote(key));
            }
        }
        json.endObject();
    }

    private static Entry entry(StrictJson json, String name) throws IOException {
        DType dtype = null;
        long[] shape = null;
        long[] offsets = null;
        Set<String> seen = new HashSet<>();
        json.beginObject();
        while (json.hasNext()) {
            String field = json.name();
            if (!seen.add(field)) {
                throw json.error("duplicate field " + Messages.quote(field));
            }
            switch (field) {
                case "dtype" -> dtype = dtype(json);
                case "shape" -> shape = counts(json, MAX_DIMENSIONS);
                case "data_offsets" -> offsets = counts(json, 2);
                default -> json.skip();
            }
        }
        json.endObject();
        if (dtype == null || shape == null || offsets == null || offsets.length != 2) {
            String missing = dtype == null ? "dtype" : shape == null ? "shape" : "data_offsets of two numbers";
            throw json.error("tensor " + Messages.quote(name) + ": expected " + missing + ", found none");
        }
        return new Entry(name, dtype, shape, offsets[0], offsets[1]);
    }

    private static DType dtype(StrictJson json) throws IOException {
        String name = json.string();
        return DType.find(name)
                .orElseThrow(() ->
                        json.error("unknown dtype " + Messages.quote(name) + ", expected one of " + DType.SAFETENSORS));
    }

    private static long[] counts(StrictJson json, int most) throws IOException {
        long[] out = new long[4];
        int n = 0;
        json.beginArray();
        while (json.hasNext()) {
            if (n == most) {
                throw json.error("expected at most " + most + " numbers, found more");
            }
            if (n == out.length) {
                out = Arrays.copyOf(out, 2 * n);
            }
            out[n++] = json.count();
        }
        json.endArray();
        return Arrays.copyOf(out, n);
    }

    private void check(long dataSize, String source) {
        long at = 0;
        for (Entry tensor : tensors) {
            String what = source + ": tensor " + Messages.quote(tensor.name());
            if (tensor.begin() != at || tensor.end() < tensor.begin()) {
                throw new TillerException(what + ": expected data_offsets [" + at
                        + ", ...] (no gap, no overlap), found [" + tensor.begin() + ", " + tensor.end() + "]");
            }
            long size = byteSize(tensor.dtype(), tensor.shape(), what);
            if (size != tensor.end() - tensor.begin()) {
                throw new TillerException(what + ": " + tensor.dtype() + shapeText(tensor.shape()) + " needs " + size
                        + " bytes, found data_offsets [" + tensor.begin() + ", " + tensor.end() + "]");
            }
            at = tensor.end();
        }
        if (at != dataSize) {
            throw new TillerException(
                    source + ": expected " + at + " bytes of data after the header, found " + dataSize);
        }
    }

    /** Bytes of a tensor; a product that overflows on the way is refused even if a later dimension is 0. */
    static long byteSize(DType dtype, long[] shape, String what) {
        try {
            long elements = 1;
            for (long dimension : shape) {
                elements = Math.multiplyExact(elements, dimension);
            }
            long bits = Math.multiplyExact(elements, (long) dtype.bits());
            if (bits % 8 != 0) {
                throw new TillerException(what + ": " + dtype + shapeText(shape) + " ends within a byte");
            }
            return bits / 8;
        } catch (ArithmeticException e) {
            throw new TillerException(what + ": the size of " + dtype + shapeText(shape) + " exceeds 64 bits", e);
        }
    }

    private static String shapeText(long[] shape) {
        return shape.length <= 8 ? Arrays.toString(shape) : "[" + shape.length + " dimensions]";
    }
}
