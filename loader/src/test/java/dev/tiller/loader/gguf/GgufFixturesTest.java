package dev.tiller.loader.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The container files of the reference fixtures: sound ones read number by number, broken ones refused. */
class GgufFixturesTest {
    @TestFactory
    Stream<DynamicTest> filesAreReadOrRefused() throws IOException {
        Path folder = SharedFiles.require("fixtures/formats/gguf");
        JsonObject files = JsonParser.parseString(Files.readString(folder.resolve("expected.json")))
                .getAsJsonObject()
                .getAsJsonObject("files");
        assertEquals(30, files.size());
        return files.entrySet().stream()
                .map(e -> DynamicTest.dynamicTest(
                        e.getKey(),
                        () -> check(folder.resolve(e.getKey()), e.getValue().getAsJsonObject())));
    }

    private static void check(Path path, JsonObject expected) {
        if (expected.has("verdict")) {
            TillerException error = assertThrows(TillerException.class, () -> Gguf.open(path));
            assertTrue(error.getMessage().startsWith(path + ": "), error.getMessage());
            assertFalse(error.getMessage().contains("\n"), error.getMessage());
            return;
        }
        try (Gguf file = Gguf.open(path)) {
            JsonObject tensors = expected.getAsJsonObject("tensors");
            assertEquals(tensors.size(), file.tensors().size());
            tensors.entrySet()
                    .forEach(e -> checkTensor(file, e.getKey(), e.getValue().getAsJsonObject()));
            JsonObject metadata = expected.getAsJsonObject("metadata");
            metadata.entrySet().forEach(e -> checkValue(file.metadata(), e));
        }
    }

    private static void checkTensor(Gguf file, String name, JsonObject expected) {
        GgufTensor tensor = file.tensor(name).orElseThrow();
        assertEquals(expected.get("type").getAsString(), tensor.type().name());
        assertArrayEquals(
                expected.getAsJsonArray("shape").asList().stream()
                        .mapToLong(JsonElement::getAsLong)
                        .toArray(),
                tensor.dims());
        float[] found = tensor.toFloats();
        var values = expected.getAsJsonArray("values");
        assertEquals(values.size(), found.length);
        for (int i = 0; i < found.length; i++) {
            assertEquals((float) values.get(i).getAsDouble(), found[i], name + " at " + i);
        }
    }

    private static void checkValue(GgufMetadata metadata, Map.Entry<String, JsonElement> expected) {
        String key = expected.getKey();
        if (expected.getValue().isJsonArray()) {
            int[] values = expected.getValue().getAsJsonArray().asList().stream()
                    .mapToInt(JsonElement::getAsInt)
                    .toArray();
            assertArrayEquals(values, metadata.ints(key).orElseThrow(), key);
            return;
        }
        var value = expected.getValue().getAsJsonPrimitive();
        if (value.isString()) {
            assertEquals(value.getAsString(), metadata.string(key).orElseThrow());
        } else if (value.isBoolean()) {
            assertEquals(value.getAsBoolean(), metadata.bool(key).orElseThrow());
        } else {
            assertEquals(value.getAsDouble(), metadata.number(key).orElseThrow(), key);
        }
    }
}
