package dev.tiller.loader.gguf;

import dev.tiller.loader.TillerException;
import dev.tiller.loader.Utf8Texts;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Reads a GGUF header from front to back; every step is checked against the end of the file. */
final class GgufCursor {
    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Most bytes of all strings of an array that is turned into Java values. */
    private static final int MOST_STRING_BYTES = 1 << 30;

    private static final char MALFORMED = '\ufffd';

    private final MemorySegment file;
    private final String source;
    private long at;

    GgufCursor(MemorySegment file, String source) {
        this.file = file;
        this.source = source;
    }

    long position() {
        return at;
    }

    long remaining() {
        return file.byteSize() - at;
    }

    int u32(String what) {
        return take(Integer.BYTES, what).get(INT, 0);
    }

    /** A u64; values from 2^63 on come out negative, which no caller accepts. */
    long u64(String what) {
        return take(Long.BYTES, what).get(LONG, 0);
    }

    /** How many items follow, each of at least {@code minBytes}; more than the file can hold is refused. */
    long count(long minBytes, String what) {
        long n = u64(what);
        if (n < 0 || n > remaining() / minBytes) {
            throw error(what + ": expected at most " + remaining() / minBytes
                    + " (what the rest of the file can hold), found " + Long.toUnsignedString(n));
        }
        return n;
    }

    /** The bytes of a string: a length and as many bytes. */
    MemorySegment string(String what) {
        return take(count(1, "length of " + what), what);
    }

    /** Goes past strings. There may be 100,000 of them while Java is still cold, hence no slice and no text for each. */
    void skipStrings(long count, String what) {
        for (long i = 0; i < count; i++) {
            long bytes = remaining() < Long.BYTES ? -1 : file.get(LONG, at);
            if (bytes < 0 || bytes > remaining() - Long.BYTES) {
                string(what); // says what is wrong
            }
            at += Long.BYTES + bytes;
        }
    }

    /** A key or a tensor name: short and strictly UTF-8. */
    String name(int maxBytes, String what) {
        MemorySegment bytes = string(what);
        if (bytes.byteSize() == 0 || bytes.byteSize() > maxBytes) {
            throw error(what + ": expected 1 to " + maxBytes + " bytes, found " + bytes.byteSize());
        }
        return utf8(bytes, source, what);
    }

    MemorySegment take(long bytes, String what) {
        if (bytes > remaining()) {
            throw error("truncated: " + what + " needs " + bytes + " bytes at offset " + at + ", found " + remaining());
        }
        MemorySegment slice = file.asSlice(at, bytes);
        at += bytes;
        return slice;
    }

    /** The bytes from {@code start} up to here. */
    MemorySegment since(long start) {
        return file.asSlice(start, at - start);
    }

    TillerException error(String message) {
        return new TillerException(source + ": " + message);
    }

    /** Strings one after the other, each a length and as many bytes, all within {@code data}; checked strictly. */
    static Utf8Texts strings(MemorySegment data, int count, String source, String what) {
        if (data.byteSize() > MOST_STRING_BYTES) {
            throw new TillerException(source + ": " + what + ": expected strings of at most " + MOST_STRING_BYTES
                    + " bytes together, found " + data.byteSize());
        }
        byte[] bytes = data.toArray(ValueLayout.JAVA_BYTE);
        int[] starts = new int[count];
        int[] ends = new int[count];
        int at = 0;
        for (int i = 0; i < count; i++) {
            int length =
                    bytes[at] & 255 | (bytes[at + 1] & 255) << 8 | (bytes[at + 2] & 255) << 16 | bytes[at + 3] << 24;
            starts[i] = at + Long.BYTES;
            at = starts[i] + length;
            ends[i] = at;
            if (!plain(bytes, starts[i], at)) {
                utf8(bytes, starts[i], length, source, what);
            }
        }
        return new Utf8Texts(bytes, starts, ends);
    }

    /** True for UTF-8 of the simple kinds: one or two bytes a character. Others need a decoder to be told from errors. */
    private static boolean plain(byte[] bytes, int from, int to) {
        for (int i = from; i < to; i++) {
            if (bytes[i] < 0) {
                boolean pair = bytes[i] >= (byte) 0xC2 && bytes[i] <= (byte) 0xDF;
                i++;
                if (!pair || i == to || bytes[i] >= (byte) 0xC0) {
                    return false;
                }
            }
        }
        return true;
    }

    /** Strict decoding: a malformed string is an error that names the file and the place. */
    static String utf8(MemorySegment bytes, String source, String what) {
        return utf8(bytes.toArray(ValueLayout.JAVA_BYTE), 0, (int) bytes.byteSize(), source, what);
    }

    private static String utf8(byte[] bytes, int from, int length, String source, String what) {
        String text = new String(bytes, from, length, StandardCharsets.UTF_8);
        // Java puts this character for what is malformed; then only a strict decoder knows whether it was there.
        if (text.indexOf(MALFORMED) < 0) {
            return text;
        }
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes, from, length))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new TillerException(source + ": " + what + ": expected UTF-8, found malformed bytes", e);
        }
    }
}
