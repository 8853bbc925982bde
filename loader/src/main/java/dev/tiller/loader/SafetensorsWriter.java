package dev.tiller.loader;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import java.util.function.Supplier;

/**
 * Writer of safetensors files. Tensors are laid out by falling element width, then by name, and the header is padded
 * with spaces to 8 bytes, so that every tensor is aligned and the same content always gives the same bytes.
 */
public final class SafetensorsWriter {
    /** Bytes converted or copied at a time. */
    private static final int CHUNK = 1 << 20;

    /** Elements converted at a time: whole blocks of every type. */
    private static final int PART = CHUNK / Float.BYTES;

    private static final Gson GSON = new GsonBuilder().disableHtmlEscaping().create();

    private final Map<String, String> metadata = new LinkedHashMap<>();
    private final Map<String, Entry> entries = new LinkedHashMap<>();

    /** Writes the bytes of one tensor. */
    private interface Data {
        void writeTo(FileChannel channel, ByteBuffer chunk) throws IOException;
    }

    private record Entry(String name, DType dtype, long[] shape, long bytes, Data data) {}

    /** Adds an entry to {@code __metadata__}; a key given twice is an error. */
    public SafetensorsWriter metadata(String key, String value) {
        if (metadata.putIfAbsent(text(key), text(value)) != null) {
            throw new TillerException("safetensors metadata key " + Messages.quote(key) + " given twice");
        }
        return this;
    }

    /** Adds an F32 tensor; {@code values} (row-major, product of {@code shape}) is kept by reference until written. */
    public SafetensorsWriter add(String name, long[] shape, float[] values) {
        return add(name, DType.F32, shape, (long) values.length * Float.BYTES, (channel, chunk) -> {
            int step = chunk.capacity() / Float.BYTES;
            for (int at = 0; at < values.length; at += step) {
                int n = Math.min(step, values.length - at);
                chunk.clear().asFloatBuffer().put(values, at, n);
                AtomicFile.writeFully(channel, chunk.limit(n * Float.BYTES));
            }
        });
    }

    /** Adds a copy of that tensor under its own name, bytes unchanged. */
    public SafetensorsWriter add(TensorView tensor) {
        MemorySegment data = tensor.data();
        return add(tensor.name(), tensor.dtype(), tensor.shape(), data.byteSize(), (channel, chunk) -> {
            for (long at = 0; at < data.byteSize(); at += chunk.capacity()) {
                long n = Math.min(chunk.capacity(), data.byteSize() - at);
                // Through the chunk: a segment over, say, a float[] cannot be written directly.
                MemorySegment.ofBuffer(chunk.clear()).copyFrom(data.asSlice(at, n));
                AtomicFile.writeFully(channel, chunk.limit((int) n));
            }
        });
    }

    /**
     * Adds a tensor that is read and converted, a part at a time, while the file is written, so that tensors which the
     * source makes on demand are never in memory together.
     *
     * @param dtype F32, F16 or BF16; rounded to the nearest, ties to even
     * @param shape of the tensor
     * @param source gives the tensor, once; a value beyond the range of {@code dtype} is an error that names it
     * @param written takes the bytes written so far of this tensor, after each part; may throw to stop
     */
    public SafetensorsWriter add(
            String name, DType dtype, long[] shape, Supplier<TensorView> source, LongConsumer written) {
        long bytes = SafetensorsHeader.byteSize(dtype, shape, "safetensors tensor " + Messages.quote(name));
        return add(name, dtype, shape, bytes, (channel, chunk) -> {
            TensorView tensor = source.get();
            float[] values = new float[PART];
            for (long at = 0; at < tensor.elements(); at += PART) {
                int n = (int) Math.min(PART, tensor.elements() - at);
                tensor.copyTo(at, values, 0, n);
                NarrowFloats.put(values, n, dtype, chunk.clear(), tensor);
                AtomicFile.writeFully(channel, chunk.flip());
                written.accept((at + n) * dtype.bits() / Byte.SIZE);
            }
        });
    }

    private SafetensorsWriter add(String name, DType dtype, long[] shape, long bytes, Data data) {
        String what = "safetensors tensor " + Messages.quote(name);
        if (text(name).equals("__metadata__")) {
            throw new TillerException(what + ": this name is reserved");
        }
        if (dtype.isBlocks()) {
            throw new TillerException(what + ": expected a type that safetensors files know, found " + dtype);
        }
        for (long dimension : shape) {
            if (dimension < 0) {
                throw new TillerException(what + ": expected no negative dimension, found " + dimension);
            }
        }
        long expected = SafetensorsHeader.byteSize(dtype, shape, what);
        if (expected != bytes) {
            throw new TillerException(what + ": its shape needs " + expected + " bytes, found " + bytes);
        }
        if (entries.putIfAbsent(name, new Entry(name, dtype, shape.clone(), bytes, data)) != null) {
            throw new TillerException(what + " given twice");
        }
        return this;
    }

    /** Writes the file atomically; its directory must exist. */
    public void write(Path file) {
        write(file, name -> {});
    }

    /** As above; {@code done} takes the name of each tensor when it is written. */
    public void write(Path file, Consumer<String> done) {
        List<Entry> order = new ArrayList<>(entries.values());
        order.sort(Comparator.comparingInt((Entry e) -> -e.dtype().bits()).thenComparing(Entry::name));
        byte[] header = header(order);
        AtomicFile.write(file, channel -> {
            ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK).order(ByteOrder.LITTLE_ENDIAN);
            AtomicFile.writeFully(channel, chunk.putLong(header.length).flip());
            AtomicFile.writeFully(channel, ByteBuffer.wrap(header));
            for (Entry entry : order) {
                entry.data().writeTo(channel, chunk);
                done.accept(entry.name());
            }
        });
    }

    private byte[] header(List<Entry> order) {
        JsonObject json = new JsonObject();
        if (!metadata.isEmpty()) {
            json.add("__metadata__", GSON.toJsonTree(metadata));
        }
        long at = 0;
        for (Entry entry : order) {
            JsonObject tensor = new JsonObject();
            tensor.addProperty("dtype", entry.dtype().name());
            tensor.add("shape", array(entry.shape()));
            tensor.add("data_offsets", array(at, at + entry.bytes()));
            json.add(entry.name(), tensor);
            at += entry.bytes();
        }
        String text = GSON.toJson(json);
        int length = text.getBytes(StandardCharsets.UTF_8).length;
        int padding = -length & 7;
        return (text + " ".repeat(padding)).getBytes(StandardCharsets.UTF_8);
    }

    private static JsonArray array(long... values) {
        JsonArray out = new JsonArray();
        for (long value : values) {
            out.add(value);
        }
        return out;
    }

    /** Refuses half surrogate pairs, which UTF-8 cannot hold. */
    private static String text(String text) {
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
            throw new TillerException("safetensors text " + Messages.quote(text) + " is not valid Unicode");
        }
        return text;
    }
}
