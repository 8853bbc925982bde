package dev.tiller.loader.torch;

import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32;

/**
 * The entries of a zip archive whose entries are stored, not compressed, which is how torch writes them: slices of the
 * mapped file. Only the directory at the end is believed, and that only as far as it lies within the file; the check
 * sum of an entry is compared when it is read.
 */
final class StoredZip {
    private static final int LOCAL = 0x04034b50;
    private static final int CENTRAL = 0x02014b50;
    private static final int END = 0x06054b50;
    private static final int END_BYTES = 22;
    private static final int CENTRAL_BYTES = 46;
    private static final int LOCAL_BYTES = 30;
    private static final int MAX_COMMENT = 0xFFFF;
    private static final int ENCRYPTED = 1;

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private record Entry(MemorySegment data, int crc) {}

    private final String source;
    private final MemorySegment file;
    private final Map<String, Entry> entries = new LinkedHashMap<>();

    StoredZip(MemorySegment file, String source) {
        this.file = file;
        this.source = source;
        long end = findEnd();
        int count = u16(end + 10);
        long bytes = u32(end + 12);
        long start = u32(end + 16);
        if (u16(end + 4) != 0 || u16(end + 8) != count) {
            throw error("expected a zip archive in one part, found parts");
        }
        if (count == 0xFFFF || start == 0xFFFFFFFFL) {
            throw error("expected a zip archive below 4 GiB, found one of the 64-bit kind");
        }
        if (start + bytes > end) {
            throw error("expected the zip directory before its end at " + end + ", found it at " + start + " with "
                    + bytes + " bytes");
        }
        readDirectory(start, start + bytes, count);
    }

    private long findEnd() {
        long size = file.byteSize();
        for (long at = size - END_BYTES; at >= 0 && at >= size - END_BYTES - MAX_COMMENT; at--) {
            if (file.get(INT, at) == END && at + END_BYTES + u16(at + 20) == size) {
                return at;
            }
        }
        throw error("expected a zip archive as torch.save writes it, found none (" + size
                + " bytes; cut off, or not such a file)");
    }

    private void readDirectory(long start, long end, int count) {
        long at = start;
        for (int i = 0; i < count; i++) {
            need(at, CENTRAL_BYTES, end, "zip directory");
            if (file.get(INT, at) != CENTRAL) {
                throw error("expected entry " + i + " of the zip directory at " + at + ", found something else");
            }
            int nameBytes = u16(at + 28);
            long next = at + CENTRAL_BYTES + nameBytes + u16(at + 30) + u16(at + 32);
            need(at, next - at, end, "zip directory");
            String name = text(at + CENTRAL_BYTES, nameBytes);
            if (entries.put(name, entry(at, name)) != null) {
                throw error("entry " + Messages.quote(name) + ": expected once, found twice");
            }
            at = next;
        }
    }

    private Entry entry(long at, String name) {
        String what = "entry " + Messages.quote(name) + ": ";
        if ((u16(at + 8) & ENCRYPTED) != 0) {
            throw error(what + "expected no encryption, found it encrypted");
        }
        if (u16(at + 10) != 0) {
            throw error(
                    what + "expected it stored as torch writes it, found it compressed (method " + u16(at + 10) + ")");
        }
        long bytes = u32(at + 24);
        long local = u32(at + 42);
        if (bytes == 0xFFFFFFFFL || local == 0xFFFFFFFFL) {
            throw error(what + "expected a zip archive below 4 GiB, found one of the 64-bit kind");
        }
        if (bytes != u32(at + 20)) {
            throw error(what + "expected stored bytes, found " + u32(at + 20) + " for " + bytes);
        }
        need(local, LOCAL_BYTES, file.byteSize(), what + "its header");
        if (file.get(INT, local) != LOCAL) {
            throw error(what + "expected its header at " + local + ", found something else");
        }
        long data = local + LOCAL_BYTES + u16(local + 26) + u16(local + 28);
        need(data, bytes, file.byteSize(), what + "its data");
        return new Entry(file.asSlice(data, bytes), file.get(INT, at + 16));
    }

    private void need(long at, long bytes, long end, String what) {
        if (at > end || bytes > end - at) {
            throw error(what + " ends beyond the file: " + bytes + " bytes at " + at + ", there are "
                    + Math.max(0, end - at));
        }
    }

    /** Names of all entries, in the order of the directory. */
    Set<String> names() {
        return entries.keySet();
    }

    /** The bytes of an entry, null if there is none; a wrong check sum is refused. */
    MemorySegment find(String name) {
        Entry e = entries.get(name);
        if (e == null) {
            return null;
        }
        CRC32 crc = new CRC32();
        crc.update(e.data.asByteBuffer());
        if ((int) crc.getValue() != e.crc) {
            throw error("entry " + Messages.quote(name) + ": its check sum is wrong, the file is damaged");
        }
        return e.data;
    }

    private int u16(long at) {
        return file.get(SHORT, at) & 0xFFFF;
    }

    private long u32(long at) {
        return file.get(INT, at) & 0xFFFFFFFFL;
    }

    private String text(long at, int bytes) {
        return new String(file.asSlice(at, bytes).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
    }

    private TillerException error(String message) {
        return new TillerException(source + ": " + message);
    }
}
