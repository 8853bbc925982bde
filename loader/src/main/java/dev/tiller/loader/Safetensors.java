package dev.tiller.loader;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Reader of safetensors files: u64 header length, JSON header, data. The file is memory-mapped, views into it are made
 * without copying, and nothing in it is trusted ({@link SafetensorsHeader} says what is checked). Closing it
 * invalidates the views.
 */
public final class Safetensors implements AutoCloseable {
    /** Longest header accepted, in bytes: the library's limit. */
    private static final long MAX_HEADER = 100_000_000;

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Arena arena;
    private final Path file;
    private final Map<String, TensorView> tensors;
    private final Map<String, String> metadata;

    /** Of bytes that are in memory already; {@code file} names them in errors. Closing it closes the arena. */
    Safetensors(Arena arena, Path file, MemorySegment bytes) {
        this.arena = arena;
        this.file = file;
        String source = file.toString();
        MemorySegment json = headerBytes(bytes, source);
        MemorySegment data = bytes.asSlice(Long.BYTES + json.byteSize());
        SafetensorsHeader header = SafetensorsHeader.parse(json, data.byteSize(), source);
        Map<String, TensorView> views =
                LinkedHashMap.newLinkedHashMap(header.tensors().size());
        for (SafetensorsHeader.Entry e : header.tensors()) {
            MemorySegment slice = data.asSlice(e.begin(), e.end() - e.begin());
            views.put(e.name(), new TensorView(e.name(), e.dtype(), e.shape(), slice, source));
        }
        this.tensors = Collections.unmodifiableMap(views);
        this.metadata = Collections.unmodifiableMap(header.metadata());
    }

    /** Maps the file and checks its header; any violation is an error that names the file and the tensor. */
    public static Safetensors open(Path file) {
        if (!Files.isRegularFile(file)) {
            throw new TillerException(file + ": " + (Files.exists(file) ? "not a file" : "no such file"));
        }
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            MemorySegment bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            return new Safetensors(arena, file, bytes);
        } catch (IOException e) {
            arena.close();
            throw new TillerException(file + ": cannot be read (" + e.getMessage() + ")", e);
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    private static MemorySegment headerBytes(MemorySegment bytes, String source) {
        if (bytes.byteSize() < Long.BYTES) {
            throw new TillerException(
                    source + ": expected an 8-byte header length, found a file of " + bytes.byteSize() + " bytes");
        }
        long length = bytes.get(LONG, 0);
        if (length < 0 || length > MAX_HEADER) {
            throw new TillerException(source + ": header length " + Long.toUnsignedString(length)
                    + " is above the limit of " + MAX_HEADER + "; not a safetensors file?");
        }
        if (length > bytes.byteSize() - Long.BYTES) {
            throw new TillerException(source + ": expected a header of " + length + " bytes, found "
                    + (bytes.byteSize() - Long.BYTES) + " bytes; truncated, or not a safetensors file?");
        }
        return bytes.asSlice(Long.BYTES, length);
    }

    /** All tensors by name, in the order of their data. */
    public Map<String, TensorView> tensors() {
        return tensors;
    }

    /** The tensor of that name; a missing one is an error that lists close names. */
    public TensorView tensor(String name) {
        return find(name)
                .orElseThrow(() -> new TillerException(
                        file + ": no tensor " + Messages.quote(name) + Messages.closeNames(name, tensors.keySet())));
    }

    /** The tensor of that name, empty if there is none. */
    public Optional<TensorView> find(String name) {
        return Optional.ofNullable(tensors.get(name));
    }

    /** The strings under {@code __metadata__}, empty if there are none. */
    public Map<String, String> metadata() {
        return metadata;
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
