package dev.tiller.loader.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Environment variables, tokens, and names that a user gives. */
class HubSettingsTest {
    private static final String SECRET = Pulling.SECRET;

    @TempDir
    Path dir;

    private static String error(org.junit.jupiter.api.function.Executable action) {
        String message = assertThrows(TillerException.class, action).getMessage();
        assertFalse(message.contains(SECRET) || message.contains("\n"), message);
        return message;
    }

    @Test
    void foldersAreThoseOfThePythonTools() {
        assertEquals(Path.of("/h/.cache/huggingface/hub"), HubSettings.cache(Map.of("HOME", "/h")));
        assertEquals(Path.of("/x/huggingface/hub"), HubSettings.cache(Map.of("HOME", "/h", "XDG_CACHE_HOME", "/x")));
        assertEquals(Path.of("/f/hub"), HubSettings.cache(Map.of("HF_HOME", "/f", "XDG_CACHE_HOME", "/x")));
        assertEquals(Path.of("/c"), HubSettings.cache(Map.of("HF_HOME", "/f", "HF_HUB_CACHE", "/c")));
        assertEquals(Path.of("/d"), HubSettings.cache(Map.of("HUGGINGFACE_HUB_CACHE", "/d")));
        assertEquals(Path.of("/h/m"), HubSettings.cache(Map.of("HOME", "/h", "HF_HUB_CACHE", "~/m")));
        assertEquals(Path.of("x/m").toAbsolutePath(), HubSettings.cache(Map.of("HF_HUB_CACHE", "x/m")));
        assertEquals(Path.of("h/hub").toAbsolutePath(), HubSettings.cache(Map.of("HF_HOME", "h")));
        for (String bad : List.of("~other/x", "a\0b")) {
            assertTrue(error(() -> HubSettings.cache(Map.of("HF_HOME", bad))).contains("HF_HOME: expected a path"));
        }
        assertEquals(Path.of("/disk/m/$Y"), HubSettings.cache(Map.of("X", "/disk", "HF_HUB_CACHE", "${X}/m/$Y")));
    }

    @Test
    void theRest() {
        HubSettings plain = Pulling.settings(Map.of("HOME", dir.toString()));
        assertEquals(URI.create("https://huggingface.co"), plain.endpoint());
        assertTrue(plain.token().isEmpty() && !plain.offline() && plain.links());
        HubSettings other = Pulling.settings(Map.of(
                "HOME",
                dir.toString(),
                "HF_ENDPOINT",
                "https://mirror.example/hf/",
                "HF_HUB_OFFLINE",
                "yes",
                "HF_HUB_DISABLE_SYMLINKS",
                "1"));
        assertEquals(URI.create("https://mirror.example/hf"), other.endpoint());
        assertTrue(other.offline() && !other.links());
        for (String bad :
                List.of("mirror.example", "ftp://x", "https://", "https://a b", "https://x/?y=1", "file:///x")) {
            assertTrue(error(() -> Pulling.settings(Map.of("HF_ENDPOINT", bad))).contains("expected an address like"));
        }
        String message = error(() -> Pulling.settings(Map.of("HF_ENDPOINT", "https://user:" + SECRET + "@x")));
        assertTrue(message.contains("with an @"), message);
    }

    @Test
    void whereTokensComeFrom() throws IOException {
        String home = dir.toString();
        Path stored = Files.createDirectories(dir.resolve(".cache/huggingface")).resolve("token");
        Files.writeString(stored, "  " + SECRET + "\n");
        assertEquals("Bearer " + SECRET, header(Map.of("HOME", home)));
        assertEquals("Bearer other", header(Map.of("HOME", home, "HF_TOKEN", " other\n")));
        assertEquals("Bearer old", header(Map.of("HOME", home, "HUGGING_FACE_HUB_TOKEN", "old")));
        assertEquals("Bearer " + SECRET, header(Map.of("HOME", home, "HF_TOKEN", " ")));
        Path file = Files.writeString(dir.resolve("mine"), "third");
        assertEquals("Bearer third", header(Map.of("HOME", home, "HF_TOKEN_PATH", file.toString())));
        assertTrue(Pulling.settings(Map.of("HOME", home, "HF_TOKEN", "x", "HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"))
                .token()
                .isEmpty());
        assertEquals(
                "Bearer third",
                HubSettings.of(Map.of("HOME", home, "HF_TOKEN", "x"), file)
                        .token()
                        .orElseThrow()
                        .header());
        String message = error(() -> HubSettings.of(Map.of(), dir.resolve("none")));
        assertTrue(message.contains("none: expected an access token, found none"), message);
        Files.writeString(stored, "");
        assertTrue(Pulling.settings(Map.of("HOME", home)).token().isEmpty());
    }

    private static String header(Map<String, String> environment) {
        return Pulling.settings(environment).token().orElseThrow().header();
    }

    @Test
    void tokensAreNotShownAndNotSentInTheClear() throws IOException {
        HubSettings settings = Pulling.settings(Map.of("HOME", dir.toString(), "HF_TOKEN", SECRET));
        assertFalse(settings.toString().contains(SECRET), settings::toString);
        for (String bad : List.of(SECRET + "\nX-Evil: 1", SECRET + " x", SECRET + "\u00e9", SECRET.repeat(200))) {
            assertTrue(error(() -> Pulling.settings(Map.of("HF_TOKEN", bad)))
                    .contains("HF_TOKEN: expected an access token"));
        }
        Path file = Files.write(dir.resolve("t"), (SECRET + "\u00ff").getBytes(StandardCharsets.ISO_8859_1));
        assertTrue(error(() -> HubSettings.of(Map.of(), file)).contains(file.toString()));
        for (String endpoint :
                List.of("http://mirror.example", "http://192.168.1.2", "http://127.0.0.1.example", "http://[::2]")) {
            Map<String, String> e = Map.of("HOME", dir.toString(), "HF_TOKEN", SECRET, "HF_ENDPOINT", endpoint);
            assertTrue(error(() -> Pulling.settings(e)).contains("expected https"));
            Pulling.settings(Map.of("HOME", dir.toString(), "HF_ENDPOINT", endpoint));
        }
        for (String endpoint : List.of("http://127.0.0.1:80", "http://localhost:80", "http://[::1]:80", "https://x")) {
            Pulling.settings(Map.of("HF_TOKEN", SECRET, "HF_ENDPOINT", endpoint));
        }
    }

    @Test
    void namesOfModels() {
        assertEquals(new HubId("org/name", null, null), HubId.parse("org/name"));
        assertEquals(new HubId("gpt2", null, "main"), HubId.parse("gpt2@main"));
        assertEquals(new HubId("o_1/n.a-me", null, "refs/pr/1"), HubId.parse("o_1/n.a-me@refs/pr/1"));
        assertEquals(new HubId("org/name", "a/b.gguf", "v1"), HubId.parse("org/name/a/b.gguf@v1"));
        assertEquals("org/name/a/b.gguf@v1", HubId.parse("org/name/a/b.gguf@v1").toString());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "/",
                "org/",
                "/name",
                "./name",
                "../name",
                "org/..",
                "org//name",
                "org/name@",
                "org/name@../x",
                "org/name@a//b",
                "org/name/x.bin",
                "org/name/../x.gguf",
                "org/na me",
                "org/na--me",
                "org/na..me",
                "org/name.git",
                "-org/name",
                "org/n\\a",
                "org/name@x\ny",
                "C:/name",
                "https://huggingface.co/org/name"
            })
    void whatCannotBeAModel(String text) {
        assertTrue(HubId.find(text).isEmpty());
        assertTrue(error(() -> HubId.parse(text)).contains("expected a model as org/name"));
    }

    @Test
    void checksumsOfGitAndSha256() throws IOException {
        // git hash-object of "hello\n", and sha256sum of it
        byte[] hello = "hello\n".getBytes(StandardCharsets.US_ASCII);
        for (String known : List.of(
                "ce013625030ba8dba906f756967f9e9ca394464a",
                "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03")) {
            assertEquals(known, Checksum.of(new ByteArrayInputStream(hello), hello.length, known));
            assertTrue(Checksum.isChecksum(known));
        }
        assertEquals("ab", Checksum.normalise("W/\"ab\""));
        assertFalse(Checksum.isChecksum("5891b5b522d5df086d0ff0b110fbd9d2"));
    }
}
