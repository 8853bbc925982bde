package dev.tiller.loader.gguf;

import static dev.tiller.loader.gguf.GgufBytes.ARRAY;
import static dev.tiller.loader.gguf.GgufBytes.BOOL;
import static dev.tiller.loader.gguf.GgufBytes.STRING;
import static dev.tiller.loader.gguf.GgufBytes.U32;
import static dev.tiller.loader.gguf.GgufBytes.U64;
import static dev.tiller.loader.gguf.GgufBytes.floats;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import dev.tiller.loader.gguf.GgufBytes.Buffer;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GgufTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(ints = {2, 3})
    void readsBothVersions(int version) {
        byte[] bytes = new GgufBytes()
                .string("general.name", "α")
                .tensor("t", 0, floats(1, 2, 3, 4, 5, 6), 3, 2)
                .build(version);
        try (Gguf file = Gguf.open(GgufBytes.write(folder, bytes))) {
            assertEquals(version, file.version());
            assertEquals("α", file.metadata().string("general.name").orElseThrow());
            GgufTensor t = file.tensor("t").orElseThrow();
            assertArrayEquals(new long[] {3, 2}, t.dims());
            assertArrayEquals(new float[] {1, 2, 3, 4, 5, 6}, t.toFloats());
        }
    }

    @Test
    void metadataIsTyped() {
        Buffer nested = new Buffer().u32(ARRAY).u64(1).u32(STRING).u64(1).string("deep");
        GgufBytes bytes = new GgufBytes()
                .u32("n", -1)
                .f32("x", 0.5f)
                .bool("yes", true)
                .pair("odd", BOOL, new Buffer().u8(7))
                .pair("huge", U64, new Buffer().u64(-1))
                .strings("words", List.of("a", "", "ß"))
                .pair("bytes", ARRAY, new Buffer().u32(1).u64(2).u8(255).u8(1))
                .pair("nested", ARRAY, nested);
        try (Gguf file = Gguf.open(bytes.write(folder))) {
            GgufMetadata m = file.metadata();
            assertEquals(4294967295L, m.integer("n").orElseThrow());
            assertEquals(0.5, m.number("x").orElseThrow());
            assertEquals(true, m.bool("yes").orElseThrow());
            assertEquals(List.of("a", "", "ß"), m.strings("words").orElseThrow());
            assertArrayEquals(new int[] {-1, 1}, m.ints("bytes").orElseThrow());
            assertEquals("array of 1 ARRAY", m.describe("nested"));
            assertTrue(m.string("absent").isEmpty());
            fails("key n: expected STRING, found U32", () -> m.string("n"));
            fails("key odd: expected BOOL 0 or 1, found 7", () -> m.bool("odd"));
            fails("key huge: expected at most 2^63-1, found 18446744073709551615", () -> m.integer("huge"));
            fails("key words: expected an array of integers", () -> m.ints("words"));
        }
    }

    @Test
    void refusesUnsoundMetadata() {
        refuses("key a: expected once, found twice", new GgufBytes().u32("a", 1).u32("a", 1));
        refuses("key a: expected a value type", new GgufBytes().pair("a", 13, new Buffer().u32(0)));
        refuses(
                "array length of key a",
                new GgufBytes().pair("a", ARRAY, new Buffer().u32(U64).u64(1L << 60)));
        refuses(
                "length of string of key a",
                new GgufBytes().pair("a", ARRAY, new Buffer().u32(STRING).u64(1).u64(-1)));
        refuses("general.alignment: expected a power of two", new GgufBytes().u32("general.alignment", 0));
        refuses("general.alignment: expected a power of two", new GgufBytes().u32("general.alignment", 48));
        Buffer deep = new Buffer();
        for (int i = 0; i < 10000; i++) {
            deep.u32(ARRAY).u64(1);
        }
        refuses(
                "key a: expected arrays nested at most",
                new GgufBytes().pair("a", ARRAY, deep.u32(U32).u64(0)));
    }

    @Test
    void refusesMalformedUtf8() {
        byte[] bytes = new GgufBytes().u32("a~", 1).string("b", "~").build();
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = bytes[i] == '~' ? (byte) 0xFF : bytes[i];
        }
        Path path = GgufBytes.write(folder, bytes);
        fails("key number 0: expected UTF-8", () -> Gguf.open(path));
        byte[] value = new GgufBytes().string("b", "~").build();
        value[value.length - 1 - trailingZeros(value)] = (byte) 0xFF;
        try (Gguf file = Gguf.open(GgufBytes.write(folder, value))) {
            fails("key b: expected UTF-8", () -> file.metadata().string("b"));
        }
    }

    private static int trailingZeros(byte[] bytes) {
        int n = 0;
        while (bytes[bytes.length - 1 - n] == 0) {
            n++;
        }
        return n;
    }

    @Test
    void refusesUnsoundTensors() {
        byte[] two = floats(1, 2);
        refuses(
                "tensor t: expected once",
                new GgufBytes().tensor("t", 0, two, 2).tensor("t", 0, two, 2));
        refuses("tensor t: expected at most 4 dimensions", new GgufBytes().tensor("t", 0, two, 2, 1, 1, 1, 1));
        refuses("tensor t: expected dimension 1 from 1", new GgufBytes().tensor("t", 0, two, 2, 0));
        refuses("tensor t: expected dimension 0 from 1", new GgufBytes().tensor("t", 0, two, -2));
        refuses("tensor t: expected a known ggml type code, found 4", new GgufBytes().tensor("t", 4, two, 2));
        refuses("multiple of 32 for Q8_0, found 33", new GgufBytes().tensor("t", 8, new byte[68], 33));
        refuses("tensor t: expected a size that fits", new GgufBytes().tensor("t", 0, two, 1L << 32, 1L << 32));
        refuses("tensor t: expected an offset that is a multiple of 32", new GgufBytes().entry("t", 0, 4, 1));
        refuses("tensor t: expected its 4 bytes inside", new GgufBytes().entry("t", 0, -32, 1));
        refuses("tensor t: expected its 4 bytes inside", new GgufBytes().entry("t", 0, 1 << 20, 1));
        refuses(
                "tensor b: expected an offset behind",
                new GgufBytes().tensor("a", 0, two, 2).entry("b", 0, 0, 1));
    }

    @Test
    void everyTruncationIsRefused() {
        byte[] bytes = new GgufBytes()
                .strings("words", List.of("a", "b"))
                .tensor("t", 0, new byte[32], 8)
                .build();
        for (int n = 0; n < bytes.length; n++) {
            Path path = GgufBytes.write(folder, java.util.Arrays.copyOf(bytes, n));
            assertThrows(TillerException.class, () -> Gguf.open(path), "of " + n + " bytes");
        }
    }

    @Test
    void missingFileAndDirectoryAreUserErrors() {
        fails("expected a readable GGUF file", () -> Gguf.open(folder.resolve("none.gguf")));
        fails("expected a readable GGUF file", () -> Gguf.open(folder));
    }

    private void refuses(String message, GgufBytes bytes) {
        Path path = bytes.write(folder);
        fails(message, () -> Gguf.open(path));
    }

    private static void fails(String message, org.junit.jupiter.api.function.Executable action) {
        TillerException error = assertThrows(TillerException.class, action);
        assertTrue(error.getMessage().contains(message), error.getMessage());
    }
}
