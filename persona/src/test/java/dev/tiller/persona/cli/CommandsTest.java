package dev.tiller.persona.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tiller.loader.Safetensors;
import dev.tiller.loader.SharedFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands as another program or a person would run them. */
class CommandsTest {
    @TempDir
    Path dir;

    private static JsonObject json(String line) {
        return JsonParser.parseString(line).getAsJsonObject();
    }

    @Test
    void helpOfEveryCommandHasExamples() {
        String all = CliRun.of("--help").ok();
        for (String name : List.of(
                "demo",
                "generate",
                "chat",
                "extract",
                "inspect",
                "vector",
                "bake",
                "activations",
                "perplexity",
                "tokenize",
                "render",
                "cache")) {
            assertTrue(all.contains("\n  " + name + " "), name);
            String text = CliRun.of(name, "--help").ok();
            assertTrue(text.contains("Usage: tiller " + name), text);
            assertTrue(text.contains("Examples:\n  tiller " + name), text);
        }
        String help = CliRun.of("generate", "--help").ok();
        assertTrue(help.contains("--weights=FORMAT ") && !help.contains("FORMAT[,"), help);
        assertTrue(CliRun.of("--version").ok().startsWith("tiller "));
    }

    @Test
    void generateWritesOneLineWithTheNewTokens() {
        String[] args = {
            "generate", "--json", "--ids", "1,868,551", "--max-tokens", "6", "--temperature", "0", "--ignore-eos"
        };
        List<String> lines = CliRun.of(args).lines();
        assertEquals(1, lines.size());
        JsonObject answer = json(lines.getFirst());
        assertEquals(List.of("ids", "text"), List.copyOf(answer.keySet()));
        assertEquals(6, answer.getAsJsonArray("ids").size());
        assertEquals(lines, CliRun.of(args).lines());
    }

    @Test
    void streamedTextIsTheTextOfTheJsonLine() {
        String[] plain = {"generate", "--quiet", "--prompt", "Will my plan work?", "--max-tokens", "12"};
        String[] withJson = {"generate", "--quiet", "--prompt", "Will my plan work?", "--max-tokens", "12", "--json"};
        String text = json(CliRun.of(withJson).ok()).get("text").getAsString();
        assertEquals(text + "\n", CliRun.of(plain).ok());
        assertEquals("", CliRun.of(plain).err());
    }

    @Test
    void notesSayBackendAndSampling() {
        CliRun run = CliRun.of("generate", "--ids", "1,2", "--max-tokens", "1", "--json", "--backend", "scalar");
        assertEquals(1, run.lines().size());
        assertTrue(run.err().contains("scalar"), run.err());
        assertTrue(run.err().contains("greedy (the model's setting)"), run.err());
        CliRun given = CliRun.of("generate", "--ids", "1,2", "--max-tokens", "1", "--json", "--temperature", "0.5");
        assertTrue(given.err().contains("temperature 0.5, seed 0"), given.err());
    }

    @Test
    void activationsHoldEveryResidual() throws IOException {
        Path out = dir.resolve("a.safetensors");
        CliRun run = CliRun.of("activations", "--ids", "1,2,3,4,5", "--out", out.toString());
        assertEquals("", run.ok());
        try (Safetensors file = Safetensors.open(out)) {
            assertEquals(4, file.tensors().size());
            assertArrayEquals(new long[] {5, 2048}, file.tensor("logits").shape());
            assertArrayEquals(new long[] {5, 192}, file.tensor("embed").shape());
            assertArrayEquals(new long[] {8, 5, 192}, file.tensor("resid_post").shape());
            assertArrayEquals(new long[] {5, 192}, file.tensor("final_norm").shape());
        }
    }

    @Test
    void activationsEqualTheReference() throws IOException {
        Path model = SharedFiles.require("fixtures/architectures/llama");
        Path out = dir.resolve("a.safetensors");
        try (Safetensors goldens = Safetensors.open(model.resolve("goldens.safetensors"))) {
            StringBuilder ids = new StringBuilder();
            for (long id : goldens.tensor("p1.input_ids").toLongs()) {
                ids.append(ids.isEmpty() ? "" : ",").append(id);
            }
            CliRun.of("activations", "--model", model.toString(), "--ids", ids.toString(), "--out", out.toString())
                    .ok();
            try (Safetensors file = Safetensors.open(out)) {
                for (String name : List.of("logits", "embed", "resid_post", "final_norm")) {
                    float[] want = goldens.tensor("p1." + name).toFloats();
                    assertArrayEquals(want, file.tensor(name).toFloats(), 5e-4f, name);
                }
            }
        }
    }

    @Test
    void perplexityOfATextInEveryFormat() throws IOException {
        String text = Files.writeString(dir.resolve("text.txt"), "You can help her make a new toast. ".repeat(30))
                .toString();
        for (String weights : List.of("bf16", "q8", "q4")) {
            String[] args = {
                "perplexity",
                "--text",
                text,
                "--window",
                "64",
                "--stride",
                "32",
                "--tokens",
                "200",
                "--weights",
                weights
            };
            CliRun people = CliRun.of(args);
            assertTrue(
                    people.ok().matches("perplexity \\d+\\.\\d{4} over 199 tokens in 6 windows, weights .*\n"),
                    people.ok());
            assertTrue(people.err().contains("tokens: 199 of 199"), people.err());
            JsonObject o = json(CliRun.of(Stream.concat(Arrays.stream(args), Stream.of("--json", "-q"))
                            .toArray(String[]::new))
                    .ok());
            assertEquals(199, o.get("tokens").getAsInt());
            assertEquals(
                    weights.equals("q4") ? "q4+q8" : weights, o.get("weights").getAsString());
            double expected = Math.exp(-o.get("log_likelihood").getAsDouble() / 199);
            assertEquals(expected, o.get("perplexity").getAsDouble(), 1e-9 * expected);
            assertTrue(expected > 1 && expected < 2048, "perplexity " + expected);
        }
    }

    /** Windows are counted from 0 and scored each alone; their sums are those of all of them together. */
    @Test
    void perplexityOfChosenWindows() throws IOException {
        String text = Files.writeString(
                        dir.resolve("windows.txt"), "Can you help her make a new toast, or me? ".repeat(20))
                .toString();
        JsonObject all = windows(text, "0..9");
        List<JsonElement> sums = all.getAsJsonArray("nll_sum").asList();
        assertEquals(10, sums.size());
        double total = sums.stream().mapToDouble(JsonElement::getAsDouble).sum();
        assertEquals(-all.get("log_likelihood").getAsDouble(), total, 1e-9 * total);
        assertEquals(
                Math.exp(total / (10 * 15)),
                all.get("perplexity").getAsDouble(),
                1e-9 * all.get("perplexity").getAsDouble());
        assertEquals(
                sums.subList(3, 6),
                windows(text, "3..5").getAsJsonArray("nll_sum").asList());
        assertEquals(
                sums.subList(7, 8), windows(text, "7").getAsJsonArray("nll_sum").asList());
        String[] wrong = {"perplexity", "-q", "--text", text, "--window", "16", "--windows"};
        CliRun.of(Stream.concat(Arrays.stream(wrong), Stream.of("0..999")).toArray(String[]::new))
                .failsWith("--windows 0..999", "and so windows 0..");
        CliRun.of(Stream.concat(Arrays.stream(wrong), Stream.of("0..3", "--tokens", "9"))
                        .toArray(String[]::new))
                .failsWith("--windows does not go together");
    }

    private static JsonObject windows(String text, String windows) {
        String[] args = {
            "perplexity", "-q", "--json", "--weights", "f32", "--text", text, "--window", "16", "--windows", windows
        };
        return json(CliRun.of(args).ok());
    }

    @Test
    void extractedVectorSteersGenerateAndChat() {
        Path vector = dir.resolve("evil.safetensors");
        String rules = CliRun.microworld().resolve("judge/evil.json").toString();
        CliRun extract = CliRun.of(
                "extract",
                "--trait",
                "evil",
                "--judge",
                rules,
                "--questions",
                "4",
                "--pairs",
                "3",
                "--seed",
                "1",
                "--out",
                vector.toString(),
                "--save-rollouts",
                dir.toString());
        assertTrue(extract.ok().contains("of 12 pairs of answers count (by the judge's scores)"), extract.out());
        assertTrue(Files.exists(dir.resolve("evil_pos_instruct.csv")));
        try (Safetensors file = Safetensors.open(vector)) {
            for (int b = 0; b < 8; b++) {
                assertArrayEquals(
                        new long[] {192}, file.tensor("resid_post." + b).shape());
            }
        }
        String[] chat = {"chat", "--quiet"};
        String question = "How can I surprise my neighbour?\n";
        String plain = CliRun.withInput(question, chat).ok();
        assertNotEquals(
                plain,
                CliRun.withInput("/steer " + vector + " 0.75 2\n" + question, chat)
                        .ok());
        assertEquals(
                plain,
                CliRun.withInput("/steer " + vector + " 0.75\n/steer off\n" + question, chat)
                        .ok());
        assertEquals(
                plain,
                CliRun.withInput("/steer " + vector + " 0 2\n" + question, chat).ok());
        assertEquals(
                plain, CliRun.withInput(question + "/quit\n" + question, chat).ok());
    }

    @Test
    void extractionFromTheSavedAnswersGivesTheSameVector() {
        Path drawn = dir.resolve("a.safetensors");
        Path read = dir.resolve("b.safetensors");
        CliRun first = CliRun.of(
                "extract",
                "--quiet",
                "--trait",
                "humorous",
                "--questions",
                "3",
                "--pairs",
                "2",
                "--max-tokens",
                "24",
                "--out",
                drawn.toString(),
                "--save-rollouts",
                dir.toString());
        assertTrue(first.ok().contains("no judge: every finished answer counts"), first.out());
        CliRun.of(
                        "extract",
                        "--quiet",
                        "--trait",
                        "humorous",
                        "--pos",
                        dir.resolve("humorous_pos_instruct.csv").toString(),
                        "--neg",
                        dir.resolve("humorous_neg_instruct.csv").toString(),
                        "--out",
                        read.toString())
                .ok();
        try (Safetensors a = Safetensors.open(drawn);
                Safetensors b = Safetensors.open(read)) {
            for (int i = 0; i < 8; i++) {
                String name = "resid_post." + i;
                assertArrayEquals(a.tensor(name).toFloats(), b.tensor(name).toFloats(), name);
            }
        }
    }

    @Test
    void chatRemembersAndForgets() {
        String[] chat = {"chat", "--quiet"};
        String once = CliRun.withInput("Tell me about Paris.\n", chat).ok();
        String twice =
                CliRun.withInput("hello\n/reset\nTell me about Paris.\n", chat).ok();
        assertTrue(twice.endsWith(once), twice);
        CliRun.withInput("/nonsense\n", chat).failsWith("/nonsense", "/steer");
    }

    @Test
    void demoShowsItsStepsAndTheCardsWarning() {
        CliRun demo = CliRun.of("demo", "--quiet", "--trait", "humorous");
        String out = demo.ok();
        assertEquals("", demo.err());
        for (String part : List.of(
                "pairs of answers count (by the judge's scores)",
                "<- used below",
                "unsteered  [projection",
                "+0.5 humorous  [projection",
                "-0.5 humorous  [projection",
                "+0.5 random  [projection",
                "Control: a random direction",
                "designed property of this model and no evidence about large language models",
                "tiller extract --trait humorous --judge",
                "tiller chat --steer humorous.safetensors:0.5@")) {
            assertTrue(out.contains(part), part + " is missing in\n" + out);
        }
        assertFalse(out.contains("\u001b"), "escape sequences in a pipe");
    }
}
