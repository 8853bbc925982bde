package dev.tiller.loader.torch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tiller.loader.DType;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The torch files of the reference fixtures: sound ones read number by number, bad and evil ones refused. */
class TorchFixturesTest {
    private static final Map<String, DType> TYPES = Map.of(
            "float32", DType.F32,
            "float64", DType.F64,
            "float16", DType.F16,
            "bfloat16", DType.BF16,
            "int64", DType.I64);

    @TestFactory
    Stream<DynamicTest> filesAreReadOrRefused() throws IOException {
        Path folder = SharedFiles.require("fixtures/formats/torch");
        JsonObject files = JsonParser.parseString(Files.readString(folder.resolve("expected.json")))
                .getAsJsonObject()
                .getAsJsonObject("files");
        assertEquals(62, files.size());
        return files.entrySet().stream()
                .map(e -> DynamicTest.dynamicTest(
                        e.getKey(),
                        () -> check(folder.resolve(e.getKey()), e.getValue().getAsJsonObject())));
    }

    private static void check(Path path, JsonObject expected) {
        String verdict = expected.get("verdict").getAsString();
        if (verdict.equals("refuse")) {
            assertRefused(path);
        } else if (verdict.equals("accept")) {
            checkTensors(path, expected.getAsJsonObject("tensors"));
        } else {
            boolean read = true;
            try (TorchFile file = TorchFile.open(path)) {
                assertFalse(file.tensors().isEmpty());
            } catch (TillerException e) {
                read = false;
                assertRefused(path);
            }
            if (read) {
                checkTensors(path, expected.getAsJsonObject("tensors"));
            }
        }
        assertFalse(Files.exists(Path.of("PICKLE_CODE_WAS_EXECUTED")));
    }

    private static void assertRefused(Path path) {
        TillerException error = assertThrows(TillerException.class, () -> TorchFile.open(path));
        assertTrue(error.getMessage().startsWith(path + ": "), error.getMessage());
        assertFalse(error.getMessage().contains("\n"), error.getMessage());
    }

    private static void checkTensors(Path path, JsonObject tensors) {
        try (TorchFile file = TorchFile.open(path)) {
            assertEquals(tensors.keySet(), file.tensors().keySet());
            tensors.entrySet()
                    .forEach(e -> checkTensor(
                            file.tensors().get(e.getKey()), e.getValue().getAsJsonObject()));
        }
    }

    private static void checkTensor(TorchTensor tensor, JsonObject expected) {
        assertEquals(TYPES.get(expected.get("dtype").getAsString()), tensor.dtype());
        assertArrayEquals(longs(expected.getAsJsonArray("shape")), tensor.shape());
        assertArrayEquals(longs(expected.getAsJsonArray("stride")), tensor.stride());
        JsonArray values = expected.getAsJsonArray("values");
        assertEquals(values.size(), tensor.elements());
        if (!tensor.dtype().isFloat()) {
            assertArrayEquals(longs(values), tensor.toLongs());
            return;
        }
        assertTrue(tensor.isExact());
        float[] found = tensor.toFloats();
        for (int i = 0; i < found.length; i++) {
            assertEquals(values.get(i).getAsDouble(), found[i], "at " + i);
        }
    }

    private static long[] longs(JsonArray values) {
        return values.asList().stream().mapToLong(JsonElement::getAsLong).toArray();
    }
}
