package dev.tiller.loader;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "{",
                "[1,]",
                "{\"a\":1,}",
                "{\"a\":1,\"a\":1}",
                "{\"a\":{\"b\":1,\"\\u0062\":2}}",
                "NaN",
                "[NaN]",
                "[Infinity]",
                "[-Infinity]",
                "[1e999]",
                "[01]",
                "[+1]",
                "[.5]",
                "[1.]",
                "{'a':1}",
                "{a:1}",
                "// x\n{}",
                "/* x */ {}",
                "# x\n{}",
                "{} {}",
                "{}x",
                "[\"\\ud800\"]",
                "{\"\\udc00\":1}",
                "[\"\\ud800x\"]",
                "[\"\\q\"]",
                "[\"\n\"]",
                "[\"\t\"]",
                "[True]",
                "[nUll]",
                "[1;2]",
                "{\"a\"=1}",
                "\ufeff{}",
                "{}\u0000",
                "[\"\\u12\"]",
                ")]}'\n{}"
            })
    void refuses(String text) {
        TillerException e = assertThrows(TillerException.class, () -> Json.parse(text, "x.json"));
        assertTrue(e.getMessage().startsWith("x.json: "), e.getMessage());
        assertFalse(e.getMessage().contains("\n"), e.getMessage());
    }

    @Test
    void depthIsLimited() {
        Json.parse("[".repeat(127) + "]".repeat(127), "x.json");
        assertThrows(TillerException.class, () -> Json.parse("[".repeat(128) + "]".repeat(128), "x.json"));
        assertThrows(TillerException.class, () -> Json.parse("[".repeat(1_000_000), "x.json"));
        assertThrows(TillerException.class, () -> Json.parse("{\"a\":".repeat(1_000_000), "x.json"));
    }

    @Test
    void numbersKeepTheirKind() {
        assertEquals(
                "[9007199254740993,1.0,18446744073709551616,-0.5,0]",
                Json.parse("[9007199254740993, 1.0, 18446744073709551616, -5e-1, -0]", "x.json")
                        .toString());
    }

    @Test
    void fileErrorsNameTheFile(@TempDir Path directory) throws IOException {
        Path file = directory.resolve("c.json");
        assertMessage(() -> Json.read(file), "c.json: no such file");
        assertMessage(() -> Json.read(directory), "not a file");
        Files.write(file, new byte[] {'"', (byte) 0xC0, (byte) 0x80, '"'});
        assertMessage(() -> Json.read(file), "c.json: not valid UTF-8");
        Files.writeString(file, "[1]");
        assertMessage(() -> Json.readObject(file), "expected a JSON object, found an array of 1");
        Files.write(file, "{\"ключ\": \"日本\"}".getBytes(StandardCharsets.UTF_8));
        assertEquals("日本", Json.string(Json.readObject(file), "ключ", "c.json"));
    }

    @Test
    void gettersNameFileKeyAndValue() {
        JsonObject o = Json.parseObject(
                "{\"s\":\"x\",\"i\":7,\"d\":1.5,\"b\":true,\"n\":null,\"a\":[1,2],\"t\":[\"u\"],\"o\":{},\"big\":3000000000}",
                "f");
        assertEquals("x", Json.string(o, "s", "f"));
        assertEquals(7, Json.integer(o, "i", "f"));
        assertEquals(7, Json.number(o, "i", "f"));
        assertEquals(9, Json.intOr(o, "n", 9, "f"));
        assertEquals(List.of(1, 2), Json.integers(o, "a", "f"));
        assertEquals(List.of(7), Json.integers(o, "i", "f"));
        assertEquals(List.of("u"), Json.strings(o, "t", "f"));
        assertMessage(() -> Json.string(o, "i", "f"), "f: key \"i\": expected a string, found 7");
        assertMessage(() -> Json.string(o, "zz", "f"), "f: key \"zz\": expected a string, found no such key");
        assertMessage(() -> Json.string(o, "n", "f"), "f: key \"n\": expected a string, found null");
        assertMessage(() -> Json.integer(o, "d", "f"), "expected a whole number within 32 bits, found 1.5");
        assertMessage(() -> Json.integer(o, "big", "f"), "found 3000000000");
        assertMessage(() -> Json.integer(o, "s", "f"), "expected a whole number, found \"x\"");
        assertMessage(() -> Json.number(o, "b", "f"), "expected a finite number, found true");
        assertMessage(() -> Json.boolOr(o, "s", true, "f"), "expected true or false, found \"x\"");
        assertMessage(() -> Json.object(o, "a", "f"), "expected an object, found an array of 2");
        assertMessage(() -> Json.array(o, "o", "f"), "expected an array, found an object");
        assertMessage(() -> Json.strings(o, "a", "f"), "expected an array of strings, found 1");
        assertMessage(() -> Json.onlyKeys(o, Set.of("s"), "f"), "f: unknown key \"i\", expected one of [s]");
    }

    private static void assertMessage(Runnable action, String part) {
        Consumer<Runnable> run = Runnable::run;
        TillerException e = assertThrows(TillerException.class, () -> run.accept(action));
        assertTrue(e.getMessage().contains(part), e.getMessage());
    }
}
