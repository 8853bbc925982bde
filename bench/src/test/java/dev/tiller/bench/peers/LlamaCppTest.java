package dev.tiller.bench.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.tiller.bench.Facts;
import dev.tiller.bench.Sample;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Recorded outputs of llama.cpp's benchmark programs, and programs that replay them. */
class LlamaCppTest {
    private static final Shapes SHAPES = new Shapes(512, 16, 64, 8, 2);

    @TempDir
    Path folder;

    static String recorded(String name) {
        try (InputStream in = LlamaCppTest.class.getResourceAsStream("/peers/" + name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void readsWhatTheProgramsWrote() {
        JsonObject row = LlamaCpp.parseBench(recorded("llama-bench.json"));
        assertEquals(1.200733, row.get("avg_ts").getAsDouble());
        assertEquals(4.770176, LlamaCpp.parseBatched(recorded("llama-batched-bench.jsonl")));
    }

    @Test
    void anythingElseIsAnErrorThatShowsIt() {
        for (String wrong : List.of("", "no json", "[]", "{}", "[1, 2]", "[3]")) {
            String message = assertThrows(TillerException.class, () -> LlamaCpp.parseBench(wrong))
                    .getMessage();
            assertTrue(message.contains("llama-bench: expected") && message.contains(wrong), message);
        }
        TillerException e = assertThrows(TillerException.class, () -> LlamaCpp.parseBatched("| PP | TG |"));
        assertTrue(e.getMessage().contains("speed_tg") && e.getMessage().contains("| PP | TG |"), e.getMessage());
    }

    /** A program in a shell script that keeps its arguments and says something recorded. */
    static Path fake(Path folder, String name, String says, String help) throws IOException {
        Path answer = Files.writeString(folder.resolve(name + ".answer"), says);
        String script = "#!/bin/sh\n" + "if [ \"$1\" = --help ]; then echo '" + help + "'; exit 0; fi\n"
                + "echo \"$@\" >> '" + folder.resolve(name + ".log") + "'\ncat '" + answer + "'\n";
        Path program = Files.writeString(folder.resolve(name), script);
        assertTrue(program.toFile().setExecutable(true));
        return program;
    }

    @Test
    void aRoundAsksForThePromptForDecodingAfterAContextAndForABatch() throws IOException {
        fake(folder, "llama-bench", recorded("llama-bench.json"), "-d, --n-depth <n>");
        fake(folder, "llama-batched-bench", recorded("llama-batched-bench.jsonl"), "");
        LlamaCpp.Tools tools = LlamaCpp.Tools.find(folder, null);
        assertNotNull(tools);
        try (LlamaCpp llama = new LlamaCpp(tools, Path.of("m.gguf"), "q8_0", SHAPES, false)) {
            List<Sample> samples = llama.round();
            assertEquals(
                    List.of(
                            new Sample("prefill", "q8_0", 1, 1.200733),
                            new Sample("decode", "q8_0", 1, 1.200733),
                            new Sample("decode_batch", "q8_0", 8, 4.770176)),
                    samples);
            assertEquals(143025408.0, llama.facts().get(Facts.STEP_BYTES));
            assertEquals("llama.cpp (its build does not know its version)", llama.name());
        }
        assertEquals(
                List.of("-m m.gguf -p 512 -n 0 -r 1 -t 2 -o json", "-m m.gguf -p 0 -n 64 -d 16 -r 1 -t 2 -o json"),
                Files.readAllLines(folder.resolve("llama-bench.log")));
        assertEquals(
                List.of("-m m.gguf -c 768 -npp 16 -ntg 64 -npl 8 -t 2 -tb 2 --output-format jsonl"),
                Files.readAllLines(folder.resolve("llama-batched-bench.log")));
    }

    @Test
    void anOlderOneHasNoDepthAndPerhapsNoBatches() throws IOException {
        String known = recorded("llama-bench.json").replace("\"unknown\"", "\"4227c9b\"");
        fake(folder, "llama-bench", known, "-n, --n-gen <n>");
        LlamaCpp.Tools tools = LlamaCpp.Tools.find(folder, null);
        try (LlamaCpp llama = new LlamaCpp(tools, Path.of("m.gguf"), "bf16", SHAPES, false)) {
            assertEquals(
                    List.of("prefill", "decode"),
                    llama.round().stream().map(Sample::name).toList());
            assertEquals("llama.cpp 4227c9b", llama.name());
        }
        assertTrue(!Files.readString(folder.resolve("llama-bench.log")).contains("-d 16"));
    }

    @Test
    void aProgramThatFailsIsNamedWithWhatItSaid() throws IOException {
        Path program = fake(folder, "llama-bench", "", "");
        Files.writeString(program, "#!/bin/sh\n[ \"$1\" = --help ] || { echo cannot open the file >&2; exit 3; }\n");
        LlamaCpp.Tools tools = LlamaCpp.Tools.find(folder, "b1");
        try (LlamaCpp llama = new LlamaCpp(tools, Path.of("m.gguf"), "f32", SHAPES, true)) {
            String message = assertThrows(TillerException.class, llama::round).getMessage();
            assertTrue(message.contains("llama-bench: exit code 3"), message);
            assertTrue(message.contains("cannot open the file"), message);
        }
    }

    @Test
    void whereThereIsNoneNobodyTakesPart() {
        assertNull(LlamaCpp.Tools.find(folder, null));
    }
}
