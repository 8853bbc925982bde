package dev.tiller.persona.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.SharedFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConvertCommandTest {
    @TempDir
    Path folder;

    /** Bit for bit the same logits and residuals, and the same tokens and texts. */
    @Test
    void theConvertedModelIsTheSame() throws IOException {
        Path gguf = SharedFiles.require("models/stories260k/stories260Ktok512.gguf");
        Path out = folder.resolve("stories");
        CliRun run = CliRun.of("convert", gguf.toString(), out.toString());
        assertEquals(out + ": 1 MB of weights in f32\n", run.ok());
        assertTrue(run.err().contains("writing weights (MB): 1 of 1"), run.err());
        assertArrayEquals(activations(gguf, "given"), activations(out, "made"));
        String text = "\"Once upon a time, a caf\\u00e9 \\u2581 in  Zürich\\n\\uD83D\\uDE80\"\n";
        assertEquals(
                CliRun.withInput(text, "tokenize", "--model", gguf.toString(), "--json")
                        .ok()
                        .replaceAll("\"offsets.*", ""),
                CliRun.withInput(text, "tokenize", "--model", out.toString(), "--json")
                        .ok()
                        .replaceAll("\"offsets.*", ""));
        CliRun.of("convert", gguf.toString(), out.toString()).failsWith("new or empty directory", "files in it");
        CliRun half = CliRun.of("convert", gguf.toString(), folder + "/half", "--dtype", "bf16");
        assertTrue(half.ok().endsWith("in bf16\n"), half.out());
        assertTrue(Files.size(folder.resolve("half/model.safetensors"))
                < 0.55 * Files.size(out.resolve("model.safetensors")));
    }

    private byte[] activations(Path model, String name) throws IOException {
        Path file = folder.resolve(name + ".safetensors");
        CliRun.of(
                        "activations",
                        "--model",
                        model.toString(),
                        "--ids",
                        "1,403,407,261,378,5,9,500",
                        "--weights",
                        "f32",
                        "--backend",
                        "scalar",
                        "--out",
                        file.toString())
                .ok();
        return Files.readAllBytes(file);
    }

    @Test
    void mistakesAreToldInOneLine() throws IOException {
        Path out = folder.resolve("out");
        CliRun.of("convert", folder + "/none.gguf", out.toString()).failsWith("none.gguf: no such file");
        CliRun.of("convert", folder.toString(), out.toString()).failsWith("expected a .gguf file, found a directory");
        Path broken = Files.writeString(folder.resolve("broken.gguf"), "GGUF");
        CliRun.of("convert", broken.toString(), out.toString()).failsWith("broken.gguf");
        CliRun.of("convert", broken.toString(), out.toString(), "--dtype", "q8").failsWith("--dtype", "q8", "BF16");
        CliRun.of("convert", broken.toString()).failsWith("OUTDIR");
        assertFalse(Files.exists(out));
    }
}
