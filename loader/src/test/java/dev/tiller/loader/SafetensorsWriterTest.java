package dev.tiller.loader;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsWriterTest {
    @TempDir
    Path directory;

    private List<String> files() throws IOException {
        try (Stream<Path> list = Files.list(directory)) {
            return list.map(p -> p.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void roundTrip() throws IOException {
        float[] big = new float[700_001]; // more than two chunks
        for (int i = 0; i < big.length; i++) {
            big[i] = Float.intBitsToFloat(i * 6151);
        }
        Path file = directory.resolve("v.safetensors");
        TensorView bytes =
                new TensorView("b", DType.U8, new long[] {3}, MemorySegment.ofArray(new byte[] {1, 2, 3}), "t");
        new SafetensorsWriter()
                .metadata("op", "add")
                .metadata("odd", "\" \\ \n \u0000 é 日 😀 </script>")
                .add(bytes)
                .add(new TensorView("f", DType.F32, new long[] {2}, MemorySegment.ofArray(new float[] {5, 6}), "t"))
                .add("z", new long[] {}, new float[] {4})
                .add("a", new long[] {7, 100_000, 1}, Arrays.copyOf(big, 700_000))
                .add("empty", new long[] {0, 5}, new float[0])
                .add("日\"\n", new long[] {big.length}, big)
                .write(file);
        try (Safetensors read = Safetensors.open(file)) {
            assertEquals(Map.of("op", "add", "odd", "\" \\ \n \u0000 é 日 😀 </script>"), read.metadata());
            assertEquals(
                    List.of("a", "empty", "f", "z", "日\"\n", "b"),
                    List.copyOf(read.tensors().keySet()));
            assertArrayEquals(new long[] {7, 100_000, 1}, read.tensor("a").shape());
            assertArrayEquals(new float[] {4}, read.tensor("z").toFloats());
            assertArrayEquals(new float[] {5, 6}, read.tensor("f").toFloats());
            assertArrayEquals(new long[] {1, 2, 3}, read.tensor("b").toLongs());
            float[] back = read.tensor("日\"\n").toFloats();
            for (int i = 0; i < big.length; i++) {
                assertEquals(Float.floatToRawIntBits(big[i]), Float.floatToRawIntBits(back[i]));
            }
            // A copy of mapped tensors, written over the very file they come from.
            SafetensorsWriter copy = new SafetensorsWriter();
            read.metadata().forEach(copy::metadata);
            read.tensors().values().forEach(copy::add);
            byte[] before = Files.readAllBytes(file);
            copy.write(file);
            assertArrayEquals(before, Files.readAllBytes(file));
            assertEquals(
                    0, ByteBuffer.wrap(before).order(ByteOrder.LITTLE_ENDIAN).getLong() % 8);
        }
        assertEquals(List.of("v.safetensors"), files());
    }

    @Test
    void theSameContentGivesTheSameBytes() throws IOException {
        Path one = directory.resolve("1");
        Path two = directory.resolve("2");
        float[] values = {1, 2};
        new SafetensorsWriter()
                .add("x", new long[] {2}, values)
                .add("y", new long[] {1, 2}, values)
                .write(one);
        new SafetensorsWriter()
                .add("y", new long[] {1, 2}, values)
                .add("x", new long[] {2}, values)
                .write(two);
        assertEquals(-1, Files.mismatch(one, two));
    }

    @Test
    void refusesWhatCannotBeWritten() {
        float[] two = {1, 2};
        SafetensorsWriter writer = new SafetensorsWriter().metadata("k", "v").add("x", new long[] {2}, two);
        assertThrows(TillerException.class, () -> writer.metadata("k", "w"));
        assertThrows(TillerException.class, () -> writer.add("x", new long[] {2}, two));
        assertThrows(TillerException.class, () -> writer.add("y", new long[] {3}, two));
        assertThrows(TillerException.class, () -> writer.add("y", new long[] {-1, -2}, two));
        assertThrows(TillerException.class, () -> writer.add("__metadata__", new long[] {2}, two));
        assertThrows(TillerException.class, () -> writer.add("\ud800", new long[] {2}, two));
        Path missing = directory.resolve("no/such/v.safetensors");
        TillerException e = assertThrows(TillerException.class, () -> writer.write(missing));
        assertTrue(e.getMessage().contains(missing.getParent().toString()), e.getMessage());
        assertFalse(Files.exists(directory.resolve("no")));
        assertThrows(TillerException.class, () -> writer.write(directory));
    }

    @Test
    void aFailedWriteLeavesTheOldFileAndNothingElse() throws IOException {
        Path file = directory.resolve("f");
        AtomicFile.writeString(file, "old");
        TillerException e = assertThrows(
                TillerException.class,
                () -> AtomicFile.write(file, channel -> {
                    AtomicFile.writeFully(channel, ByteBuffer.wrap("half".getBytes(StandardCharsets.UTF_8)));
                    assertEquals("old", Files.readString(file)); // the target is untouched meanwhile
                    throw new IOException("disk full");
                }));
        assertTrue(e.getMessage().contains("disk full"), e.getMessage());
        assertEquals("old", Files.readString(file));
        assertThrows(
                IllegalStateException.class,
                () -> AtomicFile.write(file, channel -> {
                    throw new IllegalStateException("bug");
                }));
        assertEquals(List.of("f"), files());
        AtomicFile.writeString(file, "new");
        assertEquals("new", Files.readString(file));
        assertEquals(List.of("f"), files());
    }

    /** A sparse file: takes no space, but offsets beyond 2^31 and 2^32 are real. */
    @Test
    void tensorsBeyondFourGibibytes() throws IOException {
        long big = (1L << 32) + 5;
        String json = "{\"big\":{\"dtype\":\"U8\",\"shape\":[" + big + "],\"data_offsets\":[0," + big + "]},"
                + "\"tail\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[" + big + "," + (big + 8) + "]}}";
        byte[] header = json.getBytes(StandardCharsets.UTF_8);
        Path file = directory.resolve("sparse.safetensors");
        try (FileChannel channel = FileChannel.open(
                file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE, StandardOpenOption.SPARSE)) {
            ByteBuffer start = ByteBuffer.allocate(8 + header.length).order(ByteOrder.LITTLE_ENDIAN);
            AtomicFile.writeFully(
                    channel, start.putLong(header.length).put(header).flip());
            channel.position(8 + header.length + big);
            ByteBuffer tail = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
            AtomicFile.writeFully(channel, tail.putFloat(1.5f).putFloat(-2).flip());
        }
        try (Safetensors read = Safetensors.open(file)) {
            assertEquals(big, read.tensor("big").elements());
            assertArrayEquals(new float[] {1.5f, -2}, read.tensor("tail").toFloats());
        }
    }

    @Test
    void missingNamesListCloseOnes() {
        Path file = directory.resolve("v.safetensors");
        new SafetensorsWriter()
                .add("resid_post.12", new long[] {1}, new float[1])
                .write(file);
        try (Safetensors read = Safetensors.open(file)) {
            TillerException e = assertThrows(TillerException.class, () -> read.tensor("resid_post.13"));
            assertTrue(e.getMessage().contains("v.safetensors"), e.getMessage());
            assertTrue(e.getMessage().contains("\"resid_post.12\""), e.getMessage());
            assertTrue(read.find("resid_post.13").isEmpty());
        }
    }
}
