package dev.tiller.loader.gguf;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Builds GGUF files for tests, sound by default; what goes in is written as it is, sound or not. */
final class GgufBytes {
    static final int U32 = 4;
    static final int F32 = 6;
    static final int BOOL = 7;
    static final int STRING = 8;
    static final int ARRAY = 9;
    static final int U64 = 10;

    private final Buffer pairs = new Buffer();
    private final Buffer entries = new Buffer();
    private final Buffer data = new Buffer();
    private long pairCount;
    private long tensorCount;

    /** Little-endian output. */
    static final class Buffer {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        Buffer u8(int value) {
            bytes.write(value);
            return this;
        }

        Buffer u32(int value) {
            return raw(little(4).putInt(value).array());
        }

        Buffer u64(long value) {
            return raw(little(8).putLong(value).array());
        }

        Buffer f32(float value) {
            return u32(Float.floatToRawIntBits(value));
        }

        Buffer string(String value) {
            byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
            return u64(utf8.length).raw(utf8);
        }

        Buffer raw(byte[] value) {
            bytes.writeBytes(value);
            return this;
        }

        Buffer pad(int alignment) {
            while (bytes.size() % alignment != 0) {
                bytes.write(0);
            }
            return this;
        }

        byte[] toBytes() {
            return bytes.toByteArray();
        }

        private static ByteBuffer little(int size) {
            return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        }
    }

    static byte[] floats(float... values) {
        Buffer out = new Buffer();
        for (float v : values) {
            out.f32(v);
        }
        return out.toBytes();
    }

    GgufBytes pair(String key, int type, Buffer value) {
        pairs.string(key).u32(type).raw(value.toBytes());
        pairCount++;
        return this;
    }

    GgufBytes u32(String key, int value) {
        return pair(key, U32, new Buffer().u32(value));
    }

    GgufBytes f32(String key, float value) {
        return pair(key, F32, new Buffer().f32(value));
    }

    GgufBytes bool(String key, boolean value) {
        return pair(key, BOOL, new Buffer().u8(value ? 1 : 0));
    }

    GgufBytes string(String key, String value) {
        return pair(key, STRING, new Buffer().string(value));
    }

    GgufBytes strings(String key, List<String> values) {
        Buffer out = new Buffer().u32(STRING).u64(values.size());
        values.forEach(out::string);
        return pair(key, ARRAY, out);
    }

    /** A tensor at the next free aligned place. */
    GgufBytes tensor(String name, int type, byte[] bytes, long... dims) {
        data.pad(32);
        long offset = data.toBytes().length;
        data.raw(bytes);
        return entry(name, type, offset, dims);
    }

    /** A tensor entry without data of its own. */
    GgufBytes entry(String name, int type, long offset, long... dims) {
        entries.string(name).u32(dims.length);
        for (long d : dims) {
            entries.u64(d);
        }
        entries.u32(type).u64(offset);
        tensorCount++;
        return this;
    }

    byte[] build() {
        return build(3);
    }

    byte[] build(int version) {
        return new Buffer()
                .u32(0x46554747)
                .u32(version)
                .u64(tensorCount)
                .u64(pairCount)
                .raw(pairs.toBytes())
                .raw(entries.toBytes())
                .pad(32)
                .raw(data.toBytes())
                .pad(32)
                .toBytes();
    }

    Path write(Path directory) {
        return write(directory, build());
    }

    static Path write(Path directory, byte[] bytes) {
        try {
            return Files.write(directory.resolve("test.gguf"), bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
