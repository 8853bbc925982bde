package dev.tiller.persona.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tiller.loader.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Plans from files through the command line: what is applied is said, and what cannot be is refused. */
class SteeringPlansTest {
    private static final int WIDTH = 192;

    @TempDir
    private Path dir;

    @BeforeEach
    void files() throws IOException {
        SplittableRandom r = new SplittableRandom(3);
        float[] v = new float[4 * WIDTH];
        for (int i = 0; i < v.length; i++) {
            v[i] = (float) r.nextGaussian() * 0.4f;
        }
        new SafetensorsWriter()
                .add("v", new long[] {WIDTH}, Arrays.copyOf(v, WIDTH))
                .add("m", new long[] {4, WIDTH}, v)
                .write(dir.resolve("v.safetensors"));
        vectorFile("ablating", "ablate", Arrays.copyOf(v, WIDTH));
        vectorFile("adding", "add", Arrays.copyOf(v, WIDTH));
        Files.writeString(
                dir.resolve("chat.json"),
                "[{\"role\": \"system\", \"content\": \"Be brief.\"}, {\"role\": \"user\", \"content\": \"How do you"
                        + " see my garden?\"}]");
    }

    private void vectorFile(String name, String op, float[] v) {
        new SafetensorsWriter()
                .metadata("format_version", "1")
                .metadata("op", op)
                .metadata("site", "resid_post")
                .metadata("index_base", "0")
                .metadata("calibration", "{\"3\": {\"residual_norm\": 12.5, \"sd\": 2}}")
                .add("resid_post.3", new long[] {WIDTH}, v)
                .write(dir.resolve(name + ".safetensors"));
    }

    private Path plan(String edit) throws IOException {
        Path file = dir.resolve("plan.json");
        return Files.writeString(file, "{\"edits\": [" + edit + "]}");
    }

    private CliRun generate(String edit, String... more) throws IOException {
        List<String> args = new ArrayList<>(
                List.of("generate", "--quiet", "--json", "--max-tokens", "10", "--temperature", "0", "--ignore-eos"));
        if (edit != null) {
            args.addAll(List.of("--steering", plan(edit).toString()));
        }
        args.addAll(List.of(more));
        return CliRun.of(args.toArray(String[]::new));
    }

    private JsonObject chat(String edit) throws IOException {
        String line = generate(edit, "--messages", dir.resolve("chat.json").toString())
                .lines()
                .getFirst();
        return JsonParser.parseString(line).getAsJsonObject();
    }

    private static final String V = "\"vector\": {\"file\": \"v.safetensors\", \"tensor\": \"v\"}, \"blocks\": [2]";

    @Test
    void everyClauseActsAndIsReported() throws IOException {
        String plain = chat(null).get("ids").toString();
        for (String clause : List.of(
                "\"schedule\": {\"decay\": 0.9}",
                "\"schedule\": {\"first\": 5}",
                "\"span\": {\"role\": \"user\"}",
                "\"coefficient\": {\"norm\": 1.5}",
                "\"when\": {\"probe\": {\"file\": \"v.safetensors\", \"tensor\": \"v\"}, \"block\": 1, \"below\": 1e6}",
                "\"when\": {\"probe\": {\"file\": \"v.safetensors\", \"tensor\": \"v\"}, \"block\": 1, \"below\": 1e6,"
                        + " \"measure\": \"token\"}")) {
            String coefficient = clause.contains("coefficient") ? "" : ", \"coefficient\": 25";
            JsonObject o = chat("{\"op\": \"add\", " + V + coefficient + ", " + clause + "}");
            assertNotEquals(plain, o.get("ids").toString(), clause);
            JsonObject applied =
                    o.getAsJsonObject("steering").getAsJsonArray("edits").get(0).getAsJsonObject();
            String key = clause.substring(1, clause.indexOf('"', 1));
            assertTrue(applied.has(key), applied.toString());
            assertEquals("v.safetensors:v", applied.get("vector").getAsString());
            assertEquals(64, applied.get("sha256").getAsString().length());
            assertEquals("[2]", applied.get("blocks").toString());
        }
        JsonObject not = chat(
                "{\"op\": \"add\", " + V + ", \"coefficient\": 3, \"when\": {\"probe\": {\"file\":"
                        + " \"v.safetensors\", \"tensor\": \"v\"}, \"block\": 1, \"above\": 1e6, \"measure\": \"prompt_mean\"}}");
        assertEquals(plain, not.get("ids").toString());
        assertTrue(not.toString().contains("\"fired\":false"), not.toString());
    }

    /** An edit that meets no position of the text is not called applied: the result counts what each one acted on. */
    @Test
    void positionsAreCounted() throws IOException {
        String[][] cases = {
            {"\"coefficient\": 1", "10"},
            {"\"span\": {\"role\": \"tool\"}", "0"},
            {"\"span\": {\"from\": 900, \"to\": 901}", "0"},
            {"\"span\": {\"from\": 2, \"to\": 5}", "3"},
            {"\"schedule\": {\"after\": 500}", "0"},
            {"\"schedule\": {\"after\": 4}", "6"},
            {"\"schedule\": {\"first\": 3}", "3"},
            {"\"coefficient\": 0", "0"}
        };
        for (String[] c : cases) {
            JsonObject o = chat("{\"op\": \"add\", " + V + ", " + c[0] + "}");
            JsonObject applied =
                    o.getAsJsonObject("steering").getAsJsonArray("edits").get(0).getAsJsonObject();
            assertEquals(c[1], applied.get("positions").toString(), c[0]);
        }
        CliRun loud = CliRun.of(
                "generate",
                "--max-tokens",
                "3",
                "--steering",
                plan("{\"op\": \"add\", " + V + ", " + cases[1][0] + "}").toString(),
                "--messages",
                dir.resolve("chat.json").toString());
        assertTrue(loud.err().contains("did nothing here: no position of this text is in its span"), loud.err());
        generate("{\"op\": \"add\", " + V + ", \"span\": \"prompt\", \"schedule\": {\"after\": 2}}", "--prompt", "x")
                .failsWith("span prompt and schedule after", "contradict");
    }

    @Test
    void aMatrixActsFromItsPosition() throws IOException {
        String matrix =
                "{\"op\": \"add\", \"vector\": {\"file\": \"v.safetensors\", \"tensor\": \"m\"}, \"blocks\": [1],"
                        + " \"coefficient\": 25";
        assertNotEquals(chat(null).get("ids"), chat(matrix + ", \"at\": 4}").get("ids"));
        assertEquals(
                chat(matrix + ", \"span\": {\"from\": 4, \"to\": 8}}").toString(),
                chat(matrix + ", \"at\": 4}").toString());
        generate(matrix + "}", "--prompt", "x").failsWith("4 positions", "\"at\"");
        generate(matrix.replace("25", "{\"norm\": 0.5}") + ", \"at\": 4}", "--prompt", "x")
                .failsWith("{\"norm\": 0.5}", "a matrix of 4 positions", "a number");
    }

    @Test
    void whatAFileIsForAndSaysCounts() throws IOException {
        String add = "{\"op\": \"add\", \"vector\": {\"file\": \"%s.safetensors\"}, \"coefficient\": %s}";
        assertEquals(
                "[" + (float) (0.5 * 12.5 / length()) + "]",
                chat(add.formatted("adding", "{\"norm\": 0.5}"))
                        .getAsJsonObject("steering")
                        .getAsJsonArray("edits")
                        .get(0)
                        .getAsJsonObject()
                        .get("coefficients")
                        .toString());
        generate(add.formatted("adding", "{\"kl\": 0.5}"), "--prompt", "x")
                .failsWith("{\"kl\": 0.5}", "tiller calibrate");
        generate(add.formatted("ablating", "1"), "--prompt", "x").failsWith("ablate", "add", "--force");
        generate(add.formatted("ablating", "1"), "--prompt", "x", "--force").ok();
        String named =
                "{\"op\": \"add\", \"vector\": {\"file\": \"ablating.safetensors\", \"tensor\": \"resid_post.3\"},"
                        + " \"blocks\": [3]}";
        generate(named, "--prompt", "x").failsWith("ablate", "add", "--force");
        generate(named, "--prompt", "x", "--force").ok();
    }

    private double length() throws IOException {
        try (var open = dev.tiller.loader.Safetensors.open(dir.resolve("adding.safetensors"))) {
            return dev.tiller.engine.Vectors.norm(open.tensor("resid_post.3").toFloats());
        }
    }

    @Test
    void aTextHasNoRoles() throws IOException {
        String edit = "{\"op\": \"add\", " + V + ", \"span\": {\"role\": \"user\"}}";
        generate(edit, "--prompt", "x").failsWith("has no roles", "generation");
        generate(edit, "--ids", "1,2").failsWith("has no roles");
        generate(
                        edit.replace("user", "thinking"),
                        "--messages",
                        dir.resolve("chat.json").toString())
                .failsWith("no markers of thoughts");
    }

    /** In a conversation the plan holds for every answer. */
    @Test
    void chatIsSteeredTurnByTurn() throws IOException {
        String[] args = {"chat", "--quiet", "--temperature", "0", "--max-tokens", "8"};
        String input = "How do you see my garden?\nAnd my chair?\n";
        List<String> plain = CliRun.withInput(input, args).lines();
        String edit = "{\"op\": \"add\", " + V + ", \"coefficient\": 25, \"span\": {\"role\": \"assistant\"}}";
        List<String> more = new ArrayList<>(List.of(args));
        more.addAll(List.of("--steering", plan(edit).toString()));
        List<String> steered =
                CliRun.withInput(input, more.toArray(String[]::new)).lines();
        assertEquals(plain.size(), steered.size());
        for (int i = 0; i < plain.size(); i++) {
            assertNotEquals(plain.get(i), steered.get(i));
        }
    }
}
