package dev.tiller.persona.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tiller.loader.Safetensors;
import dev.tiller.loader.SharedFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
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

    private static List<String> reference(Path jsonl) throws IOException {
        List<String> lines = new ArrayList<>(List.of(Files.readString(jsonl).split("\n", -1)));
        lines.removeIf(String::isEmpty);
        return lines;
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
                "activations",
                "perplexity",
                "tokenize",
                "render",
                "cache")) {
            assertTrue(all.contains("\n  " + name + " "), name);
            String help = CliRun.of(name, "--help").ok();
            assertTrue(help.contains("Usage: tiller " + name), help);
            assertTrue(help.contains("Examples:\n  tiller " + name), help);
        }
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

    @Test
    void tokenizeEqualsTheReference() throws IOException {
        Path tokenizer = SharedFiles.require("fixtures/tokenizers/smollm2");
        StringBuilder input = new StringBuilder();
        List<String> wanted = reference(tokenizer.resolve("goldens.jsonl"));
        for (String line : wanted) {
            input.append(json(line).get("text")).append('\n');
        }
        List<String> found = CliRun.withInput(input.toString(), "tokenize", "--model", tokenizer.toString(), "--json")
                .lines();
        assertEquals(wanted.size(), found.size());
        for (int i = 0; i < found.size(); i++) {
            JsonObject want = json(wanted.get(i));
            for (Map.Entry<String, JsonElement> e : json(found.get(i)).entrySet()) {
                assertEquals(want.get(e.getKey()), e.getValue(), e.getKey() + " of " + want.get("text"));
            }
            assertEquals(5, json(found.get(i)).size());
        }
    }

    @Test
    void renderEqualsTheReference() throws IOException {
        Path folder = SharedFiles.require("fixtures/templates");
        JsonObject goldens = json(Files.readString(folder.resolve("goldens.json")));
        String template = "meta-llama-Llama-3.1-8B-Instruct.jinja";
        List<JsonObject> cases = new ArrayList<>();
        StringBuilder input = new StringBuilder();
        for (JsonElement e : goldens.getAsJsonArray("cases")) {
            JsonObject c = e.getAsJsonObject();
            if (!c.get("template").getAsString().equals(template) || c.has("vars")) {
                continue;
            }
            JsonObject request = new JsonObject();
            request.add(
                    "messages",
                    goldens.getAsJsonObject("conversations")
                            .get(c.get("conversation").getAsString()));
            if (c.has("tools") && c.get("tools").getAsBoolean()) {
                request.add("tools", goldens.get("tools"));
            }
            request.add("add_generation_prompt", c.get("add_generation_prompt"));
            request.add("vars", goldens.get("constants"));
            cases.add(c);
            input.append(request).append('\n');
        }
        assertTrue(cases.size() > 10, "cases of " + template);
        List<String> found = CliRun.withInput(
                        input.toString(),
                        "render",
                        "--template",
                        folder.resolve(template).toString(),
                        "--json",
                        "--now",
                        goldens.get("clock").getAsString())
                .lines();
        assertEquals(cases.size(), found.size());
        for (int i = 0; i < found.size(); i++) {
            assertEquals(
                    cases.get(i).get("output"),
                    json(found.get(i)).get("output"),
                    cases.get(i).toString());
        }
    }

    @Test
    void renderAnswersEveryLine() {
        String input = "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}], \"add_generation_prompt\": true}\n"
                + "{\"messages\": 3}\n{\"unknown\": 1}\nnot json\n";
        List<String> lines = CliRun.withInput(input, "render", "--json").lines();
        assertEquals(4, lines.size());
        assertEquals(
                "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
                json(lines.get(0)).get("output").getAsString());
        for (String line : lines.subList(1, 4)) {
            assertEquals(java.util.Set.of("error"), json(line).keySet(), line);
        }
    }

    @Test
    void inspectJudgesEveryFile() throws IOException {
        Path good = dir.resolve("good.safetensors");
        CliRun.of("activations", "--quiet", "--ids", "1", "--out", good.toString())
                .ok();
        Path bad = Files.write(dir.resolve("bad.safetensors"), new byte[] {1, 2, 3});
        CliRun run = CliRun.of("inspect", "--json", bad.toString(), good.toString());
        assertEquals(1, run.code());
        List<String> lines = run.out().lines().toList();
        assertEquals(2, lines.size());
        assertFalse(json(lines.get(0)).get("ok").getAsBoolean());
        assertTrue(json(lines.get(0)).get("error").getAsString().contains("bad.safetensors"));
        assertTrue(json(lines.get(1)).get("ok").getAsBoolean());
        assertTrue(json(lines.get(1)).get("error").isJsonNull());
        assertTrue(CliRun.of("inspect", good.toString()).ok().contains("resid_post"));
        assertTrue(CliRun.of("inspect", CliRun.microworld().toString()).ok().contains("8 (0..7)"));
    }

    @Test
    void inspectVerdictsEqualTheLibrarys() throws IOException {
        Path folder = SharedFiles.require("fixtures/formats/safetensors");
        JsonObject expected = json(Files.readString(folder.resolve("expected.json")));
        JsonArray stricter = expected.getAsJsonArray("strict_ok");
        List<String> names = new ArrayList<>();
        List<String> args = new ArrayList<>(List.of("inspect", "--json"));
        for (String name : expected.getAsJsonObject("files").keySet()) {
            if (name.endsWith(".safetensors") && Files.exists(folder.resolve(name))) {
                names.add(name);
                args.add(folder.resolve(name).toString());
            }
        }
        List<String> lines =
                CliRun.of(args.toArray(String[]::new)).out().lines().toList();
        assertEquals(names.size(), lines.size());
        for (int i = 0; i < names.size(); i++) {
            String verdict = expected.getAsJsonObject("files")
                    .getAsJsonObject(names.get(i))
                    .get("verdict")
                    .getAsString();
            boolean ok = json(lines.get(i)).get("ok").getAsBoolean();
            String stem = names.get(i).replace(".safetensors", "");
            boolean mayRefuse = stricter.contains(new com.google.gson.JsonPrimitive(stem));
            assertTrue(ok == verdict.equals("accept") || !ok && mayRefuse, names.get(i) + ": " + lines.get(i));
        }
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
