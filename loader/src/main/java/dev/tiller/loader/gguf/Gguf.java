package dev.tiller.loader.gguf;

import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A GGUF file (version 2 or 3, little-endian), memory-mapped: header, metadata, and tensors as slices of the mapping.
 * Nothing in the file is trusted: counts, lengths, types, offsets and sizes are checked against its end before use, and
 * the first fault is a {@link TillerException} that names file, key or tensor. Closing it invalidates all slices.
 */
public final class Gguf implements AutoCloseable {
    private static final int MAGIC = 0x46554747;
    private static final int MAX_DIMS = 4;
    private static final int MAX_NAME_BYTES = 65535;
    private static final long DEFAULT_ALIGNMENT = 32;

    /** Smallest pair: key length and one byte of key, value type, one byte of value. */
    private static final long MIN_PAIR_BYTES = 8 + 1 + 4 + 1;

    /** Smallest tensor entry: name length and one byte of name, number of dimensions, type, offset. */
    private static final long MIN_TENSOR_BYTES = 8 + 1 + 4 + 4 + 8;

    /** A tensor entry before the place of the data section is known. */
    private record Entry(String name, long[] dims, GgufType type, long offset, long bytes) {}

    private final Path path;
    private final List<Arena> arenas;
    private final int version;
    private final GgufMetadata metadata;
    private final Map<String, GgufTensor> tensors;

    private Gguf(Path path, List<Arena> arenas, int version, GgufMetadata metadata, Map<String, GgufTensor> tensors) {
        this.path = path;
        this.arenas = arenas;
        this.version = version;
        this.metadata = metadata;
        this.tensors = tensors;
    }

    /** Maps and checks the whole header; a file that is not a sound GGUF container is refused. */
    public static Gguf open(Path path) {
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            MemorySegment file = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            return parse(path, arena, file);
        } catch (IOException e) {
            arena.close();
            throw new TillerException(path + ": expected a readable GGUF file, found " + e, e);
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    private static Gguf parse(Path path, Arena arena, MemorySegment file) {
        String source = path.toString();
        GgufCursor in = new GgufCursor(file, source);
        int version = readVersion(in);
        long tensorCount = in.count(MIN_TENSOR_BYTES, "tensor count");
        long pairCount = in.count(MIN_PAIR_BYTES, "key count");
        GgufMetadata metadata = GgufMetadata.read(in, pairCount, source);
        Map<String, Entry> entries = readEntries(in, tensorCount);
        long alignment = alignment(metadata, in);
        long start = (in.position() + alignment - 1) / alignment * alignment;
        long available = Math.max(0, file.byteSize() - start);
        checkPlaces(entries.values(), alignment, available, in);
        Map<String, GgufTensor> tensors = new LinkedHashMap<>();
        for (Entry e : entries.values()) {
            MemorySegment data = file.asSlice(start + e.offset, e.bytes);
            tensors.put(e.name, new GgufTensor(e.name, e.dims, e.type, data, source));
        }
        return new Gguf(path, List.of(arena), version, metadata, tensors);
    }

    /** The tensors of all parts with the metadata of the first; closing it closes all. A tensor found twice is refused. */
    static Gguf joined(List<Gguf> parts) {
        Gguf first = parts.getFirst();
        Map<String, GgufTensor> tensors = new LinkedHashMap<>();
        List<Arena> arenas = new ArrayList<>();
        for (Gguf part : parts) {
            arenas.addAll(part.arenas);
            for (GgufTensor t : part.tensors.values()) {
                if (tensors.put(t.name(), t) != null) {
                    throw new TillerException(
                            part.path + ": tensor " + t.name() + ": expected once in all parts, found twice");
                }
            }
        }
        long stated = first.metadata.integer("split.tensors.count").orElse(tensors.size());
        if (stated != tensors.size()) {
            throw new TillerException(first.path + ": key split.tensors.count: expected the " + tensors.size()
                    + " tensors of all parts, found " + stated);
        }
        return new Gguf(first.path, arenas, first.version, first.metadata, tensors);
    }

    private static int readVersion(GgufCursor in) {
        int magic = in.u32("magic");
        if (magic != MAGIC) {
            throw in.error("expected magic \"GGUF\" (bytes 47 47 55 46), found bytes "
                    + String.format("%08x", Integer.reverseBytes(magic)));
        }
        int version = in.u32("version");
        if (version != 2 && version != 3) {
            int swapped = Integer.reverseBytes(version);
            String hint = swapped > 0 && swapped <= 3 ? " (big-endian " + swapped + ")" : "";
            throw in.error(
                    "expected little-endian GGUF version 2 or 3, found " + Integer.toUnsignedString(version) + hint);
        }
        return version;
    }

    private static Map<String, Entry> readEntries(GgufCursor in, long count) {
        Map<String, Entry> entries = new LinkedHashMap<>();
        for (long i = 0; i < count; i++) {
            String name = in.name(MAX_NAME_BYTES, "name of tensor number " + i);
            if (entries.put(name, readEntry(in, name)) != null) {
                throw in.error("tensor " + name + ": expected once, found twice");
            }
        }
        return entries;
    }

    private static Entry readEntry(GgufCursor in, String name) {
        String what = "tensor " + name;
        int n = in.u32("number of dimensions of " + what);
        if (n < 0 || n > MAX_DIMS) {
            throw in.error(
                    what + ": expected at most " + MAX_DIMS + " dimensions, found " + Integer.toUnsignedString(n));
        }
        long[] dims = new long[n];
        for (int i = 0; i < n; i++) {
            dims[i] = in.u64("dimension " + i + " of " + what);
            if (dims[i] < 1) {
                throw in.error(what + ": expected dimension " + i + " from 1 to 2^63-1, found "
                        + Long.toUnsignedString(dims[i]));
            }
        }
        int code = in.u32("type of " + what);
        GgufType type = GgufType.ofCode(code)
                .orElseThrow(() ->
                        in.error(what + ": expected a known ggml type code, found " + Integer.toUnsignedString(code)));
        long offset = in.u64("offset of " + what);
        return new Entry(name, dims, type, offset, bytes(in, what, dims, type));
    }

    private static long bytes(GgufCursor in, String what, long[] dims, GgufType type) {
        long inner = dims.length == 0 ? 1 : dims[0];
        if (inner % type.blockSize() != 0) {
            throw in.error(what + ": expected an innermost dimension that is a multiple of " + type.blockSize()
                    + " for " + type + ", found " + inner);
        }
        try {
            long bytes = Math.multiplyExact(inner / type.blockSize(), (long) type.blockBytes());
            for (int i = 1; i < dims.length; i++) {
                bytes = Math.multiplyExact(bytes, dims[i]);
            }
            return bytes;
        } catch (ArithmeticException e) {
            throw in.error(what + ": expected a size that fits the file, found dimensions " + Arrays.toString(dims));
        }
    }

    private static long alignment(GgufMetadata metadata, GgufCursor in) {
        long alignment = metadata.integer("general.alignment").orElse(DEFAULT_ALIGNMENT);
        if (alignment < 1 || alignment > 1L << 30 || Long.bitCount(alignment) != 1) {
            throw in.error("key general.alignment: expected a power of two up to 2^30, found " + alignment);
        }
        return alignment;
    }

    /** Every tensor aligned, inside the data section, and apart from all others. */
    private static void checkPlaces(Collection<Entry> entries, long alignment, long available, GgufCursor in) {
        List<Entry> sorted = new ArrayList<>(entries);
        sorted.sort(Comparator.comparing(Entry::offset, Long::compareUnsigned));
        Entry before = null;
        for (Entry e : sorted) {
            if (Long.remainderUnsigned(e.offset, alignment) != 0) {
                throw in.error("tensor " + e.name + ": expected an offset that is a multiple of " + alignment
                        + ", found " + Long.toUnsignedString(e.offset));
            }
            if (e.bytes > available || e.offset < 0 || e.offset > available - e.bytes) {
                throw in.error("tensor " + e.name + ": expected its " + e.bytes + " bytes inside the data section of "
                        + available + " bytes, found offset " + Long.toUnsignedString(e.offset));
            }
            if (before != null && e.offset < before.offset + before.bytes) {
                throw in.error("tensor " + e.name + ": expected an offset behind tensor " + before.name
                        + ", which ends at " + (before.offset + before.bytes) + ", found " + e.offset);
            }
            before = e;
        }
    }

    /** The file. */
    public Path path() {
        return path;
    }

    /** Version of the container: 2 or 3. */
    public int version() {
        return version;
    }

    public GgufMetadata metadata() {
        return metadata;
    }

    /** All tensors in file order. */
    public Collection<GgufTensor> tensors() {
        return Collections.unmodifiableCollection(tensors.values());
    }

    /** The tensor of that name, empty if there is none. */
    public Optional<GgufTensor> tensor(String name) {
        return Optional.ofNullable(tensors.get(name));
    }

    @Override
    public void close() {
        for (Arena arena : arenas) {
            if (arena.scope().isAlive()) {
                arena.close();
            }
        }
    }
}
