package dev.tiller.persona.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.Json;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.hub.FakeHub;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** The bundled model from a hub on this machine, through the command line, and found again. */
class PullCommandTest {
    @TempDir
    Path dir;

    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private Map<String, String> environment(FakeHub hub) {
        return Map.of("HOME", dir.toString(), "HF_ENDPOINT", hub.endpoint(), "HF_TOKEN", "secret");
    }

    private String pull(Map<String, String> environment, String... args) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        Console console = Console.of(new ByteArrayInputStream(new byte[0]), out, err);
        CommandLine line = new CommandLine(new PullCommand(console, environment));
        line.setExecutionExceptionHandler((e, command, parsed) -> {
            throw e;
        });
        assertEquals(0, line.execute(args));
        console.flush();
        return out.toString(StandardCharsets.UTF_8);
    }

    private static FakeHub microworld() throws IOException {
        FakeHub hub = new FakeHub();
        for (String name :
                List.of("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")) {
            hub.file(name, Files.readAllBytes(CliRun.microworld().resolve(name)));
        }
        return hub.largeFile(
                "model.safetensors", Files.readAllBytes(CliRun.microworld().resolve("model.safetensors")));
    }

    @Test
    void aModelIsPulledAndFound() throws IOException {
        try (FakeHub hub = microworld()) {
            Map<String, String> environment = environment(hub);
            String plan = pull(environment, FakeHub.REPO, "--dry-run");
            assertTrue(plan.contains("7.1 MB  to come          model.safetensors\n"), plan);
            String none = assertThrows(
                            TillerException.class, () -> ModelPath.find("--model ", Path.of(FakeHub.REPO), environment))
                    .getMessage();
            assertTrue(none.contains("not in the cache") && none.endsWith("tiller pull " + FakeHub.REPO), none);

            Path path = Path.of(pull(environment, FakeHub.REPO).strip());
            assertEquals(path, ModelPath.find("", Path.of(FakeHub.REPO), environment));
            assertEquals(path, ModelPath.find("", Path.of(FakeHub.REPO + "@main"), environment));
            assertEquals("tiny", ModelPath.name(path));
            try (Checkpoint pulled = Checkpoint.open(path);
                    Checkpoint bundled = Checkpoint.open(CliRun.microworld())) {
                assertEquals("tiny", pulled.name());
                assertEquals(bundled.fingerprint(), pulled.fingerprint());
                assertEquals(bundled.tokenizer().vocabSize(), pulled.tokenizer().vocabSize());
            }
            String said = err.toString(StandardCharsets.UTF_8);
            assertTrue(said.contains("commit " + FakeHub.COMMIT + ", 5 files, "), said);
            assertTrue(said.contains(FakeHub.REPO + ": 7."), said);
            assertTrue(!said.contains("secret"), said);

            JsonObject json = Json.parseObject(pull(environment, FakeHub.REPO, "--json", "-q"), "answer");
            assertEquals(path.toString(), Json.string(json, "path", "answer"));
            assertEquals(0, Json.integer(json, "missing", "answer"));
            assertEquals(5, Json.array(json, "files", "answer").size());
        }
        // without network
        Map<String, String> offline = Map.of("HOME", dir.toString(), "HF_HUB_OFFLINE", "1");
        assertTrue(pull(offline, FakeHub.REPO).strip().endsWith(FakeHub.COMMIT));
    }

    @Test
    void whatCannotBeFound() {
        CliRun.of("tokenize", "--model", "no-org/no-model@x", "text")
                .failsWith("no such file or directory", "tiller pull no-org/no-model@x");
        for (String path : List.of("./no/where", "nowhere", "no/where.safetensors", "/no/where")) {
            CliRun run = CliRun.of("tokenize", "--model", path, "text");
            run.failsWith("--model " + path + ": no such file or directory");
            assertTrue(!run.err().contains("pull"), run.err());
        }
        CliRun.of("pull", "not a model").failsWith("expected a model as org/name");
    }

    @Test
    void bytesForPeople() {
        assertEquals("0 B", ByteCount.text(0));
        assertEquals("999 B", ByteCount.text(999));
        assertEquals("1.0 kB", ByteCount.text(1000));
        assertEquals("1.0 MB", ByteCount.text(999_999));
        assertEquals("270.4 MB", ByteCount.text(270_400_000));
        assertEquals("1234.5 TB", ByteCount.text(1_234_500_000_000_000L));
    }
}
