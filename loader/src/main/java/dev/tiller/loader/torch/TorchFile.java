package dev.tiller.loader.torch;

import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A file of torch.save (the zip form of torch 1.6 and later), memory-mapped. Nothing in it is executed: it is read as data
 * or refused with the reason. The content is a tree of {@code null}, Boolean, Long, Double, String, {@code List<Object>}
 * (lists and tuples), {@code Map<Object, Object>} (dicts in their order, keys text or number) and {@link TorchTensor}.
 * Closing it invalidates the tensors.
 */
public final class TorchFile implements AutoCloseable {
    static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final String PICKLE = "/data.pkl";
    private static final int MAX_DEPTH = 64;

    /** Most values of the tree: a small pickle can describe a huge one by using the same part over and over. */
    private static final int MAX_VALUES = 1_000_000;

    private final Arena arena;
    private final String source;
    private final Object root;
    private int values;

    private TorchFile(Path file, Arena arena, MemorySegment bytes) {
        this.arena = arena;
        this.source = file.toString();
        checkKind(bytes);
        StoredZip zip = new StoredZip(bytes, source);
        String folder = folder(zip);
        checkByteOrder(zip.find(folder + "byteorder"));
        MemorySegment pickle = zip.find(folder + PICKLE.substring(1));
        this.root = tree(Unpickler.run(pickle, source, new TorchGlobals(zip, folder, source)), 0);
    }

    /** Maps and reads the file; whatever is not plain data with tensors is an error that names it. */
    public static TorchFile open(Path file) {
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            MemorySegment bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            return new TorchFile(file, arena, bytes);
        } catch (IOException e) {
            arena.close();
            throw new TillerException(file + ": expected a readable torch file, found " + e, e);
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    /** Says what a file without zip is, where that can be told. */
    private void checkKind(MemorySegment bytes) {
        boolean pickle = bytes.byteSize() > 1
                && (bytes.get(ValueLayout.JAVA_BYTE, 0) & 0xFF) == 0x80
                && bytes.get(ValueLayout.JAVA_BYTE, 1) <= 5;
        if (pickle) {
            throw new TillerException(source
                    + ": is a bare pickle or a file of torch before 1.6, which can be code; load it with torch if you"
                    + " trust it and save it again");
        }
    }

    private String folder(StoredZip zip) {
        List<String> found =
                zip.names().stream().filter(n -> n.endsWith(PICKLE)).toList();
        if (found.size() != 1) {
            throw new TillerException(source + ": expected one entry FOLDER/data.pkl as torch.save writes it, found "
                    + (found.isEmpty() ? "none" : found.size()));
        }
        String name = found.getFirst();
        return name.substring(0, name.length() - PICKLE.length() + 1);
    }

    private void checkByteOrder(MemorySegment entry) {
        if (entry == null) {
            return; // older files have none: little-endian
        }
        String order = new String(
                entry.asSlice(0, Math.min(entry.byteSize(), 20)).toArray(ValueLayout.JAVA_BYTE),
                StandardCharsets.ISO_8859_1);
        if (!order.equals("little")) {
            throw new TillerException(source + ": expected byte order \"little\", found " + Messages.quote(order));
        }
    }

    /** The same value as a tree, without shared and circular containers. */
    private Object tree(Object value, int depth) {
        if (++values > MAX_VALUES) {
            throw new TillerException(source + ": expected at most " + MAX_VALUES + " values, found more");
        }
        if (depth > MAX_DEPTH) {
            throw new TillerException(source + ": expected values nested at most " + MAX_DEPTH + " deep, found more");
        }
        switch (value) {
            case List<?> list -> {
                List<Object> out = new ArrayList<>();
                for (Object item : list) {
                    out.add(tree(item, depth + 1));
                }
                return Collections.unmodifiableList(out);
            }
            case Map<?, ?> map -> {
                Map<Object, Object> out = new LinkedHashMap<>();
                for (Map.Entry<?, ?> e : map.entrySet()) {
                    out.put(e.getKey(), tree(e.getValue(), depth + 1));
                }
                return Collections.unmodifiableMap(out);
            }
            case null -> {
                return null;
            }
            default -> {
                if (value instanceof TorchTensor
                        || value instanceof String
                        || value instanceof Number
                        || value instanceof Boolean) {
                    return value;
                }
                throw new TillerException(
                        source + ": expected tensors and plain values, found " + Unpickler.kind(value));
            }
        }
    }

    /** The content. */
    public Object root() {
        return root;
    }

    /** All tensors by their place: keys and positions joined by dots, "" for a file that is one tensor. */
    public Map<String, TorchTensor> tensors() {
        Map<String, TorchTensor> out = new LinkedHashMap<>();
        collect("", root, out);
        return out;
    }

    private static void collect(String place, Object value, Map<String, TorchTensor> out) {
        String prefix = place.isEmpty() ? "" : place + ".";
        if (value instanceof TorchTensor tensor) {
            out.put(place, tensor);
        } else if (value instanceof List<?> list) {
            for (int i = 0; i < list.size(); i++) {
                collect(prefix + i, list.get(i), out);
            }
        } else if (value instanceof Map<?, ?> map) {
            map.forEach((k, v) -> collect(prefix + k, v, out));
        }
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
