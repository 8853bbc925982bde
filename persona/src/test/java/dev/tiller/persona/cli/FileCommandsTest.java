package dev.tiller.persona.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tiller.loader.SharedFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands that judge and show files, beside the verdicts and texts of other programs. */
class FileCommandsTest {
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

    /** Places count characters; the flag is one, and two chars of Java. */
    @Test
    void renderShowsWhoSaysWhat() throws IOException {
        String messages =
                "[{\"role\": \"user\", \"content\": \"\uD83C\uDFF4 Hi\"}, {\"role\": \"assistant\", \"content\": \"Yes.\"},"
                        + " {\"role\": \"user\", \"content\": \"So\"}]";
        String line = "{\"messages\": " + messages + ", \"add_generation_prompt\": true}\n";
        JsonObject answer =
                json(CliRun.withInput(line, "render", "--json", "--spans").ok());
        String text = answer.get("output").getAsString();
        assertEquals(
                List.of("user \uD83C\uDFF4 Hi", "assistant Yes.", "user So"),
                answer.getAsJsonArray("spans").asList().stream()
                        .map(JsonElement::getAsJsonObject)
                        .map(o -> o.get("role").getAsString() + " "
                                + part(
                                        text,
                                        o.get("start").getAsInt(),
                                        o.get("end").getAsInt()))
                        .toList());
        assertEquals(1, answer.getAsJsonArray("assistant").size());
        var turn = answer.getAsJsonArray("assistant").get(0).getAsJsonArray();
        assertEquals(
                "Yes.<|im_end|>", part(text, turn.get(0).getAsInt(), turn.get(1).getAsInt()));
        Path file = Files.writeString(dir.resolve("chat.json"), messages);
        assertEquals(
                answer,
                json(CliRun.of("render", "--messages", file.toString(), "--spans")
                        .ok()));
    }

    private static String part(String text, int start, int end) {
        int from = text.offsetByCodePoints(0, start);
        return text.substring(from, text.offsetByCodePoints(from, end - start));
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
}
