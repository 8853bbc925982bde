package dev.tiller.loader.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.tiller.loader.TillerException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GgufWriterTest {
    @TempDir
    Path folder;

    @Test
    void whatIsWrittenIsReadBack() {
        Path path = folder.resolve("v.gguf");
        new GgufWriter()
                .key("general.architecture", "controlvector")
                .key("controlvector.layer_count", 2)
                .key("x.alpha", 0.1f)
                .key("x.flag", true)
                .tensor("direction.1", new float[] {1, -0f, Float.MIN_VALUE})
                .tensor("direction.10", new float[] {4, 5, 6})
                .write(path);
        try (Gguf file = Gguf.open(path)) {
            assertEquals(3, file.version());
            assertEquals(
                    List.of("general.architecture", "controlvector.layer_count", "x.alpha", "x.flag"),
                    List.copyOf(file.metadata().keys()));
            assertEquals(2, file.metadata().integer("controlvector.layer_count").orElseThrow());
            assertEquals(0.1f, (float) file.metadata().number("x.alpha").orElseThrow());
            assertEquals(true, file.metadata().bool("x.flag").orElseThrow());
            assertEquals(
                    List.of("direction.1", "direction.10"),
                    file.tensors().stream().map(GgufTensor::name).toList());
            assertArrayEquals(
                    new float[] {1, -0f, Float.MIN_VALUE},
                    file.tensor("direction.1").orElseThrow().toFloats());
            assertArrayEquals(
                    new float[] {4, 5, 6},
                    file.tensor("direction.10").orElseThrow().toFloats());
        }
    }

    @Test
    void namesAreGivenOnce() {
        GgufWriter writer = new GgufWriter().key("a", 1).tensor("t", new float[1]);
        assertThrows(TillerException.class, () -> writer.key("a", 2));
        assertThrows(TillerException.class, () -> writer.tensor("t", new float[1]));
        assertThrows(TillerException.class, () -> writer.tensor("u", new float[0]));
    }
}
