package dev.tiller.loader;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The verdict on every file of the reference collection, good and broken. */
class SafetensorsFixturesTest {
    private static final String FOLDER = "fixtures/formats/safetensors";

    /** What the library reads and we do not: a name that occurs twice, a tensor written as an array. */
    private static final Set<String> STRICTER =
            Set.of("duplicate_name_same_range.safetensors", "tensor_is_array.safetensors");

    @TempDir
    Path temporary;

    static Stream<String> names() {
        if (!SharedFiles.has(FOLDER)) {
            return Stream.of("none: no reference fixtures");
        }
        return expected().keySet().stream();
    }

    private static JsonObject expected() {
        return Json.readObject(SharedFiles.require(FOLDER + "/expected.json")).getAsJsonObject("files");
    }

    @Test
    void theCollectionIsComplete() {
        SharedFiles.require(FOLDER);
        assertEquals(124, expected().size());
    }

    @ParameterizedTest
    @MethodSource("names")
    void verdict(String name) throws IOException {
        SharedFiles.require(FOLDER);
        JsonObject want = expected().getAsJsonObject(name);
        Path file = plain(SharedFiles.require(FOLDER + "/" + name));
        if (want.get("verdict").getAsString().equals("refuse") || STRICTER.contains(name)) {
            TillerException e = assertThrows(
                    TillerException.class, () -> Safetensors.open(file).close());
            assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
            assertFalse(e.getMessage().contains("\n"), e.getMessage());
            assertTrue(e.getMessage().length() < 1000, e.getMessage());
            return;
        }
        try (Safetensors tensors = Safetensors.open(file)) {
            assertEquals(want.get("tensors").getAsInt(), tensors.tensors().size());
            checkMetadata(want.get("metadata"), tensors.metadata());
            checkShapes(want.getAsJsonObject("dtypes_and_shapes"), tensors);
            checkValues(want.getAsJsonObject("float32_values"), tensors);
        }
    }

    private Path plain(Path file) throws IOException {
        if (!file.toString().endsWith(".gz")) {
            return file;
        }
        Path out = temporary.resolve("plain.safetensors");
        try (InputStream in = new GZIPInputStream(Files.newInputStream(file))) {
            Files.copy(in, out);
        }
        return out;
    }

    private static void checkMetadata(JsonElement want, Map<String, String> found) {
        int count = want.isJsonNull() ? 0 : want.getAsJsonObject().size();
        assertEquals(count, found.size());
        if (count > 0) {
            want.getAsJsonObject().asMap().forEach((k, v) -> assertEquals(v.getAsString(), found.get(k)));
        }
    }

    private static void checkShapes(JsonObject want, Safetensors found) {
        if (want == null) {
            return;
        }
        assertEquals(want.keySet(), found.tensors().keySet());
        want.asMap().forEach((name, v) -> {
            JsonArray pair = v.getAsJsonArray();
            TensorView tensor = found.tensor(name);
            assertEquals(pair.get(0).getAsString(), tensor.dtype().name());
            long[] shape = pair.get(1).getAsJsonArray().asList().stream()
                    .mapToLong(JsonElement::getAsLong)
                    .toArray();
            assertArrayEquals(shape, tensor.shape());
        });
    }

    private static void checkValues(JsonObject want, Safetensors found) {
        if (want == null) {
            return;
        }
        want.asMap().forEach((name, v) -> {
            JsonArray values = v.getAsJsonArray();
            float[] read = found.tensor(name).toFloats();
            assertEquals(values.size(), read.length);
            for (int i = 0; i < read.length; i++) {
                assertEquals(values.get(i).getAsFloat(), read[i]);
            }
        });
    }
}
