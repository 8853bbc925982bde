package dev.tiller.loader.tokenizer;

import dev.tiller.loader.TillerException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Reads the fields of one message in the protobuf wire format: a key of ({@code number << 3 | kind}), then a varint (kind 0),
 * 8 bytes (1), a length and that many bytes (2), or 4 bytes (5). Whatever does not fit is refused.
 */
final class ProtobufReader {
    private static final int VARINT = 0;
    private static final int FIXED64 = 1;
    private static final int BYTES = 2;
    private static final int FIXED32 = 5;

    private final String source;
    private final byte[] bytes;
    private final int end;
    private int at;
    private int field;
    private int kind;

    ProtobufReader(String source, byte[] bytes) {
        this(source, bytes, 0, bytes.length);
    }

    private ProtobufReader(String source, byte[] bytes, int from, int end) {
        this.source = source;
        this.bytes = bytes;
        this.at = from;
        this.end = end;
    }

    /** Goes to the next field and returns its number, or 0 at the end of the message. */
    int next() {
        if (at == end) {
            return 0;
        }
        long key = rawVarint();
        if (key >>> 3 == 0 || key >>> 3 > 0x1FFFFFFF) {
            throw damaged("a field number from 1 to 536870911", String.valueOf(key >>> 3));
        }
        field = (int) (key >>> 3);
        kind = (int) (key & 7);
        return field;
    }

    /** Leaves the value of the field aside. */
    void skip() {
        switch (kind) {
            case VARINT -> rawVarint();
            case FIXED64 -> advance(8);
            case BYTES -> advance(length());
            case FIXED32 -> advance(4);
            default -> throw damaged("a value of kind 0, 1, 2 or 5", "kind " + kind);
        }
    }

    /** A whole number that fits 32 bits. */
    int number() {
        expect(VARINT, "a number");
        long value = rawVarint();
        if (value != (int) value) {
            throw damaged("a number of 32 bits", String.valueOf(value));
        }
        return (int) value;
    }

    boolean flag() {
        return number() != 0;
    }

    float float32() {
        expect(FIXED32, "a float");
        int from = advance(4);
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getFloat(from);
    }

    byte[] bytes() {
        expect(BYTES, "bytes");
        int length = length();
        int from = advance(length);
        return Arrays.copyOfRange(bytes, from, from + length);
    }

    String text() {
        expect(BYTES, "a text");
        int length = length();
        int from = advance(length);
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes, from, length))
                    .toString();
        } catch (CharacterCodingException e) {
            throw damaged("a text in UTF-8", "other bytes");
        }
    }

    ProtobufReader message() {
        expect(BYTES, "a message");
        int length = length();
        int from = advance(length);
        return new ProtobufReader(source, bytes, from, from + length);
    }

    private void expect(int wanted, String name) {
        if (kind != wanted) {
            throw damaged(name + " in field " + field, "a value of kind " + kind);
        }
    }

    private int length() {
        long length = rawVarint();
        if (length < 0 || length > end - at) {
            throw damaged("at most " + (end - at) + " bytes in field " + field, String.valueOf(length));
        }
        return (int) length;
    }

    private int advance(int count) {
        if (count > end - at) {
            throw damaged(count + " bytes in field " + field, (end - at) + " before the end");
        }
        int from = at;
        at += count;
        return from;
    }

    private long rawVarint() {
        long value = 0;
        for (int shift = 0; shift < 70; shift += 7) {
            if (at == end) {
                throw damaged("a whole number", "the end of the message");
            }
            byte b = bytes[at++];
            value |= (long) (b & 0x7F) << shift;
            if (b >= 0) {
                return value;
            }
        }
        throw damaged("a number of at most 10 bytes", "more");
    }

    TillerException damaged(String expected, String found) {
        return new TillerException(source + ": not a readable SentencePiece model: at byte " + at + " expected "
                + expected + ", found " + found);
    }
}
