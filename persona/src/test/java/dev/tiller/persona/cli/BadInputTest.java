package dev.tiller.persona.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.tiller.loader.SafetensorsWriter;
import dev.tiller.loader.SharedFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever is wrong with the input: one clear line, a non-zero exit code, nothing half written. */
class BadInputTest {
    @TempDir
    Path dir;

    private static CliRun generate(String... more) {
        String[] args = Stream.concat(Stream.of("generate", "--quiet", "--max-tokens", "2"), Arrays.stream(more))
                .toArray(String[]::new);
        return CliRun.of(args);
    }

    /** A copy of the bundled model without its weights. */
    private Path copyWithoutWeights() throws IOException {
        Path model = Files.createDirectory(dir.resolve("model"));
        for (String name :
                List.of("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")) {
            Files.copy(CliRun.microworld().resolve(name), model.resolve(name));
        }
        return model;
    }

    private Path weights(Path model, byte[] bytes) throws IOException {
        return Files.write(model.resolve("model.safetensors"), bytes);
    }

    private Path vector(int width) {
        Path file = dir.resolve("v.safetensors");
        new SafetensorsWriter().add("v", new long[] {width}, new float[width]).write(file);
        return file;
    }

    private String plan(String edit) throws IOException {
        return Files.writeString(dir.resolve("plan.json"), "{\"edits\": [" + edit + "]}")
                .toString();
    }

    @Test
    void truncatedWeights() throws IOException {
        byte[] whole = Files.readAllBytes(CliRun.microworld().resolve("model.safetensors"));
        Path model = copyWithoutWeights();
        weights(model, Arrays.copyOf(whole, 100_000));
        generate("--model", model.toString(), "--ids", "1,2").failsWith("model.safetensors", "7084416", "found");
        weights(model, Arrays.copyOf(whole, 5));
        generate("--model", model.toString(), "--ids", "1,2").failsWith("model.safetensors");
    }

    @Test
    void textsWithoutPerplexity() throws IOException {
        String text =
                Files.writeString(dir.resolve("text.txt"), "Will my plan work?").toString();
        String latin = Files.write(dir.resolve("latin.txt"), new byte[] {'a', (byte) 0xe9, 'b'})
                .toString();
        String empty = Files.writeString(dir.resolve("empty.txt"), "").toString();
        CliRun.of("perplexity", "-q", "--text", dir.resolve("none").toString()).failsWith("none", "no such file");
        CliRun.of("perplexity", "-q", "--text", latin).failsWith("latin.txt", "not valid UTF-8");
        CliRun.of("perplexity", "-q", "--text", empty).failsWith("empty.txt", "at least 2 tokens, found 0");
        CliRun.of("perplexity", "-q", "--text", text, "--window", "1").failsWith("window of 2 to", "found 1");
        CliRun.of("perplexity", "-q", "--text", text, "--window", "4", "--stride", "5")
                .failsWith("stride", "found 5");
        CliRun.of("perplexity", "-q", "--text", text, "--weights", "q5").failsWith("q5", "f32, bf16, f16, q8, q4");
    }

    @Test
    void weightsWhoseHeaderLies() throws IOException {
        byte[] whole = Files.readAllBytes(CliRun.microworld().resolve("model.safetensors"));
        Path model = copyWithoutWeights();
        byte[] lying = whole.clone();
        Arrays.fill(lying, 0, 7, (byte) 0xff); // header longer than the file
        weights(model, lying);
        generate("--model", model.toString(), "--ids", "1,2").failsWith("model.safetensors", "header");
    }

    @Test
    void keysAndValuesThatDoNotFit() {
        CliRun.of("generate", "--quiet", "--ids", "1,2,3", "--max-tokens", "900", "--kv-memory", "0.5m")
                .failsWith("request 1 of 1", "902 positions", "at most 0.52 MB", "--kv bf16", "--kv-memory");
        generate("--ids", "1,2,3", "--kv-memory", "900000g").failsWith("--kv-memory", "-Xmx");
    }

    @Test
    void missingWeightsAndMissingShard() throws IOException {
        Path model = copyWithoutWeights();
        generate("--model", model.toString(), "--ids", "1,2").failsWith("model");
        Path shards = SharedFiles.require("fixtures/architectures/llama");
        Path partial = Files.createDirectory(dir.resolve("partial"));
        try (Stream<Path> files = Files.list(shards)) {
            for (Path file :
                    files.filter(f -> !f.toString().contains("00003-of")).toList()) {
                Files.copy(file, partial.resolve(file.getFileName()));
            }
        }
        generate("--model", partial.toString(), "--ids", "1,2")
                .failsWith("model-00003-of-00004.safetensors", "missing");
    }

    @Test
    void tokenizerOfAnotherModel() throws IOException {
        Path other = SharedFiles.require("fixtures/tokenizers/minimind/tokenizer.json");
        Path model = copyWithoutWeights();
        Files.copy(CliRun.microworld().resolve("model.safetensors"), model.resolve("model.safetensors"));
        Files.delete(model.resolve("tokenizer.json"));
        Files.copy(other, model.resolve("tokenizer.json"));
        generate("--model", model.toString(), "--prompt", "Hello").failsWith("tokenizer", "6400", "2048");
    }

    @Test
    void modelThatIsNotThere() {
        generate("--model", dir.resolve("nowhere").toString(), "--prompt", "x").failsWith("nowhere", "no such file");
    }

    @Test
    void vectorOfAnotherWidth() throws IOException {
        vector(7);
        String edit =
                "{\"op\": \"add\", \"vector\": {\"file\": \"v.safetensors\", \"tensor\": \"v\"}, \"blocks\": [1]}";
        generate("--steering", plan(edit), "--prompt", "x").failsWith("width 7", "192");
    }

    @Test
    void vectorOfAnotherModel() throws IOException {
        Path file = dir.resolve("w.safetensors");
        new SafetensorsWriter()
                .metadata("format_version", "1")
                .metadata("op", "add")
                .metadata("site", "resid_post")
                .metadata("index_base", "0")
                .metadata(
                        "model", "{\"fingerprint\": \"" + "ab".repeat(32) + "\", \"hidden_size\": 192, \"blocks\": 8}")
                .add("resid_post.2", new long[] {192}, new float[192])
                .write(file);
        generate("--steer", file + ":1@2", "--prompt", "x").failsWith("another model", "abababababab");
    }

    @Test
    void blocksOutOfRange() throws IOException {
        Path file = vector(192);
        String vector = "\"vector\": {\"file\": \"v.safetensors\", \"tensor\": \"v\"}";
        generate("--steering", plan("{\"op\": \"add\", " + vector + ", \"blocks\": [8]}"), "--prompt", "x")
                .failsWith("block 8", "0..7");
        generate("--steering", plan("{\"op\": \"add\", " + vector + ", \"blocks\": [-1]}"), "--prompt", "x")
                .failsWith("block -1", "0..7");
        generate("--steer", file + ":1@8", "--prompt", "x").failsWith("block 8", "0..7");
        generate("--steer", file + ":1@-9", "--prompt", "x").failsWith("block -9");
        CliRun.of("demo", "--quiet", "--block", "8").failsWith("--block", "0..7");
    }

    @Test
    void plansThatAreNotUnderstood() throws IOException {
        vector(192);
        String edit =
                "{\"op\": \"add\", \"vector\": {\"file\": \"v.safetensors\", \"tensor\": \"v\"}, \"blocks\": [1], \"coeficient\": 1}";
        generate("--steering", plan(edit), "--prompt", "x")
                .failsWith("edits[0]", "coeficient", "accepted", "coefficient");
        generate("--steering", dir.resolve("none.json").toString(), "--prompt", "x")
                .failsWith("none.json", "no such file");
        generate("--steering", dir.toString(), "--prompt", "x").failsWith(dir.toString());
        generate("--steer", "v", "--prompt", "x").failsWith("VECTOR:COEF@BLOCK");
        generate("--steer", "v.safetensors:much@1", "--prompt", "x").failsWith("much", "not a number");
        generate("--steer", "unheard-of:1@1", "--prompt", "x").failsWith("unheard-of");
    }

    @Test
    void promptsThatCannotBeContinued() throws IOException {
        generate("--prompt", "").failsWith("empty");
        generate("--ids", "").failsWith("empty");
        generate("--ids", "1,two").failsWith("two");
        generate("--ids", "1,2048").failsWith("2048", "vocabulary");
        generate("--prompt", "word ".repeat(2000)).failsWith("1024", "context");
        Path messages = Files.writeString(dir.resolve("messages.json"), "[]");
        generate("--messages", messages.toString()).failsWith("messages.json", "at least one");
        Files.writeString(messages, "[{\"role\": \"user\"}]");
        generate("--messages", messages.toString()).failsWith("messages.json", "content");
    }

    @Test
    void samplingThatMakesNoSense() {
        generate("--prompt", "x", "--temperature", "-1").failsWith("temperature", "-1");
        generate("--prompt", "x", "--top-p", "1.5").failsWith("top-p");
        generate("--prompt", "x", "--temperature", "NaN").failsWith("temperature");
        CliRun.of("demo", "--quiet", "--coefficient", "0").failsWith("--coefficient");
    }

    @Test
    void unknownTraits() throws IOException {
        String out = dir.resolve("v.safetensors").toString();
        CliRun.of("demo", "--quiet", "--trait", "gloomy").failsWith("gloomy", "optimistic", "evil");
        CliRun.of("extract", "--quiet", "--trait", "gloomy", "--out", out).failsWith("gloomy", "optimistic");
        CliRun.of("extract", "--quiet", "--trait", dir.resolve("no.json").toString(), "--out", out)
                .failsWith("no.json", "no such file");
        Path broken = Files.writeString(dir.resolve("broken.json"), "{\"instruction\": []}");
        CliRun.of("extract", "--quiet", "--trait", broken.toString(), "--out", out)
                .failsWith("broken.json");
        assertFalse(Files.exists(dir.resolve("v.safetensors")));
    }

    @Test
    void resultsThatCouldNotBeWrittenAreRefusedBeforeTheWork() {
        String nowhere = dir.resolve("missing/v.safetensors").toString();
        CliRun.of("extract", "--quiet", "--trait", "optimistic", "--out", nowhere)
                .failsWith("--out", "does not exist");
        CliRun.of("activations", "--quiet", "--ids", "1", "--out", nowhere).failsWith("--out", "does not exist");
        CliRun.of("activations", "--quiet", "--ids", "1", "--out", dir.toString())
                .failsWith("--out", "is a directory");
    }

    @Test
    void aFailedRunLeavesNothingBehind() throws IOException {
        Path out = dir.resolve("a.safetensors");
        CliRun.of("activations", "--quiet", "--ids", "1,2", "--prompt-length", "3", "--out", out.toString())
                .failsWith("prompt of 3");
        CliRun.of("activations", "--quiet", "--ids", "1,99999", "--out", out.toString())
                .failsWith("99999");
        try (Stream<Path> files = Files.list(dir)) {
            assertEquals(List.of(), files.toList());
        }
    }

    @Test
    void theCommandLineItself() {
        assertEquals(2, CliRun.of("generat").code());
        CliRun.of("generat").failsWith("generat", "generate");
        CliRun.of("generate").failsWith("--ids", "--prompt", "--messages");
        CliRun.of("generate", "--ids", "1", "--prompt", "x").failsWith("mutually exclusive");
        CliRun.of("generate", "--prompt", "x", "--weights", "q5").failsWith("q5", "f32, bf16, f16");
        CliRun.of("generate", "--prompt", "x", "--backend", "gpu").failsWith("gpu", "auto, scalar, simd");
        CliRun.of("generate", "--prompt", "x", "--threads", "0").failsWith("--threads", "at least 1");
        CliRun.of("generate", "--prompt", "x", "--kv", "q8").failsWith("q8", "f32, bf16, f16");
        for (String size : new String[] {"0", "-1", "4x", "g", "1e3"}) {
            CliRun.of("generate", "--prompt", "x", "--kv-memory", size).failsWith("500m", size);
        }
        CliRun.of("extract", "--trait", "x", "--pos", "p.csv", "--out", "v.safetensors")
                .failsWith("--neg");
        CliRun.of("render").failsWith("--json", "--messages");
        CliRun.of("render", "--json", "--now", "today").failsWith("2025-01-15T12:00:00", "today");
        assertEquals(2, CliRun.of().code());
    }

    @Test
    void linesThatAreNotJsonStrings() {
        CliRun.withInput("plain\n", "tokenize", "--json").failsWith("line 1");
        CliRun.withInput("{}\n", "tokenize", "--json").failsWith("line 1", "JSON string");
        CliRun.withInput(new byte[] {'"', (byte) 0xff, '"', '\n'}, "tokenize", "--json")
                .failsWith("line 1", "UTF-8");
    }
}
