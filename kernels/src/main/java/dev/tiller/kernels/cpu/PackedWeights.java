package dev.tiller.kernels.cpu;

import dev.tiller.kernels.WeightFormat;
import dev.tiller.loader.AtomicFile;
import dev.tiller.loader.TillerException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.zip.CRC32C;

/**
 * Weights as {@link SimdBackend} keeps them, in a file: mapped, they need neither be packed nor copied, and processes share
 * them. A head of fixed size (magic number, version, length and checksum of the table, length of the file), the table of
 * matrices, then their panels at multiples of a page.
 *
 * <p>Nothing is used of a file whose head, table, key, length or panels are not what they should be: the table holds a
 * checksum of each matrix.
 */
public final class PackedWeights {
    private static final long MAGIC = 0x4b4341505f4c4c54L; // "TLL_PACK"
    private static final int VERSION = 2;

    /**
     * Raised whenever the same weights are packed to other bytes, be it by the quantiser or by a layout; a test knows the
     * bytes of each version.
     */
    public static final int PACKING = 3;

    private static final int HEAD = 40;
    private static final int MOST_TABLE = 1 << 26;
    private static final long PAGE = 4096;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** A matrix of the table. */
    private record Entry(int rows, int columns, String format, String layout, long at, long bytes, long sum) {}

    private final Path file;
    private final MemorySegment data;
    private final Map<String, Entry> entries;

    private PackedWeights(Path file, MemorySegment data, Map<String, Entry> entries) {
        this.file = file;
        this.data = data;
        this.entries = entries;
    }

    /**
     * Maps a file for as long as the arena lives; one that is not whole or has another key is refused.
     *
     * @param key what the weights were made of
     */
    public static PackedWeights open(Path file, String key, Arena arena) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            long size = channel.size();
            if (size < HEAD) {
                throw unusable(file, "expected at least " + HEAD + " bytes, found " + size);
            }
            MemorySegment data = channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
            long length = data.get(LONG, 16);
            if (data.get(LONG, 0) != MAGIC || data.get(LONG, 8) != VERSION) {
                throw unusable(file, "expected packed weights of version " + VERSION + ", found something else");
            }
            if (data.get(LONG, 32) != size || length < 0 || length > Math.min(MOST_TABLE, size - HEAD)) {
                throw unusable(file, "expected " + data.get(LONG, 32) + " bytes, found " + size);
            }
            byte[] table = data.asSlice(HEAD, length).toArray(ValueLayout.JAVA_BYTE);
            if (data.get(LONG, 24) != checksum(table)) {
                throw unusable(file, "the checksum of its table is wrong");
            }
            Map<String, Entry> entries = read(file, key, table, size);
            Optional<String> damaged = entries.entrySet().parallelStream()
                    .filter(e -> checksum(data.asSlice(e.getValue().at, e.getValue().bytes)) != e.getValue().sum)
                    .map(Map.Entry::getKey)
                    .findAny();
            if (damaged.isPresent()) {
                throw unusable(file, "the checksum of " + damaged.get() + " is wrong");
            }
            return new PackedWeights(file, plain(data, arena), entries);
        } catch (IOException e) {
            throw unusable(file, e.toString());
        }
    }

    /**
     * The same memory, but of the class that allocated memory has: kernels that were compiled for the one would have to
     * be compiled again for the other.
     */
    @SuppressWarnings("restricted")
    private static MemorySegment plain(MemorySegment mapped, Arena arena) {
        return MemorySegment.ofAddress(mapped.address()).reinterpret(mapped.byteSize(), arena, null);
    }

    private static Map<String, Entry> read(Path file, String key, byte[] table, long size) throws IOException {
        DataInputStream in = new DataInputStream(new ByteArrayInputStream(table));
        String found = in.readUTF();
        if (!found.equals(key)) {
            throw unusable(file, "expected weights of " + key + ", found those of " + found);
        }
        int count = in.readInt();
        Map<String, Entry> entries = new LinkedHashMap<>();
        for (int i = 0; i < count; i++) {
            String name = in.readUTF();
            Entry e = new Entry(
                    in.readInt(),
                    in.readInt(),
                    in.readUTF(),
                    in.readUTF(),
                    in.readLong(),
                    in.readLong(),
                    in.readLong());
            if (e.at < HEAD || e.at % PAGE != 0 || e.bytes < 0 || e.bytes > size - e.at) {
                throw unusable(file, "matrix " + name + ": expected a place within " + size + " bytes, found " + e);
            }
            entries.put(name, e);
        }
        return entries;
    }

    /** Writes the file, complete or not at all. */
    static void write(Path file, String key, Map<String, PanelMatrix> matrices) {
        try {
            // The places stand in the table, whose length does not depend on them.
            Map<String, Long> sums = new HashMap<>();
            matrices.forEach((name, m) -> sums.put(name, checksum(m.data)));
            byte[] draft = table(key, matrices, sums, 0);
            long start = Math.ceilDiv(HEAD + draft.length, PAGE) * PAGE;
            byte[] table = table(key, matrices, sums, start);
            long end = start;
            for (PanelMatrix m : matrices.values()) {
                end = next(end, m);
            }
            ByteBuffer head = ByteBuffer.allocate((int) start).order(ByteOrder.LITTLE_ENDIAN);
            head.putLong(MAGIC)
                    .putLong(VERSION)
                    .putLong(table.length)
                    .putLong(checksum(table))
                    .putLong(end)
                    .put(table);
            long size = end;
            AtomicFile.write(file, channel -> {
                AtomicFile.writeFully(channel, head.clear());
                for (PanelMatrix m : matrices.values()) {
                    for (long at = 0; at < m.bytes(); at += PIECE) {
                        long n = Math.min(PIECE, m.bytes() - at);
                        AtomicFile.writeFully(channel, m.data.asSlice(at, n).asByteBuffer());
                    }
                    int padding = (int) (Math.ceilDiv(m.bytes(), PAGE) * PAGE - m.bytes());
                    AtomicFile.writeFully(channel, ByteBuffer.allocate(padding));
                }
                if (channel.position() != size) {
                    throw new IOException("expected to write " + size + " bytes, wrote " + channel.position());
                }
            });
        } catch (IOException e) {
            throw unusable(file, e.toString());
        }
    }

    /** Bytes written at a time. */
    private static final long PIECE = 1L << 26;

    private static long next(long at, PanelMatrix m) {
        return Math.ceilDiv(at + m.bytes(), PAGE) * PAGE;
    }

    private static byte[] table(String key, Map<String, PanelMatrix> matrices, Map<String, Long> sums, long start)
            throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes);
        out.writeUTF(key);
        out.writeInt(matrices.size());
        long at = start;
        for (Map.Entry<String, PanelMatrix> e : matrices.entrySet()) {
            PanelMatrix m = e.getValue();
            out.writeUTF(e.getKey());
            out.writeInt(m.rows());
            out.writeInt(m.columns());
            out.writeUTF(m.format().name());
            out.writeUTF(m.panels.layout());
            out.writeLong(at);
            out.writeLong(m.bytes());
            out.writeLong(sums.get(e.getKey()));
            at = next(at, m);
        }
        return bytes.toByteArray();
    }

    private static long checksum(MemorySegment data) {
        CRC32C sum = new CRC32C();
        for (long at = 0; at < data.byteSize(); at += PIECE) {
            sum.update(data.asSlice(at, Math.min(PIECE, data.byteSize() - at)).asByteBuffer());
        }
        return sum.getValue();
    }

    private static long checksum(byte[] table) {
        CRC32C sum = new CRC32C();
        sum.update(table);
        return sum.getValue();
    }

    /** The matrix of that name if it is there in a layout that this backend has now, else null. */
    PanelMatrix find(SimdBackend owner, String name, int rows, int columns, WeightFormat format) {
        Entry e = entries.get(name);
        if (e == null || e.rows != rows || e.columns != columns || !e.format.equals(format.name())) {
            return null;
        }
        for (WeightFormat storage : WeightFormat.values()) { // a weight may be kept in another format than it has
            Panels panels = Panels.of(storage, columns);
            if (panels.layout().equals(e.layout) && PanelMatrix.bytes(panels, rows) == e.bytes) {
                return new PanelMatrix(owner, rows, format, panels, data.asSlice(e.at, e.bytes));
            }
        }
        return null;
    }

    private static TillerException unusable(Path file, String what) {
        return new TillerException(file + ": not usable as packed weights: " + what);
    }

    @Override
    public String toString() {
        return "packed weights in " + file;
    }
}
