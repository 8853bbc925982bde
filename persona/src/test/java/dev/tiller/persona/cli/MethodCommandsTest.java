package dev.tiller.persona.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.tiller.engine.Site;
import dev.tiller.loader.Json;
import dev.tiller.loader.SharedFiles;
import dev.tiller.persona.VectorFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code tiller extract --method}. */
class MethodCommandsTest {
    private static final String JUDGE =
            CliRun.microworld().resolve("judge/optimistic.json").toString();

    @TempDir
    Path folder;

    private CliRun extract(String... more) {
        List<String> args = new ArrayList<>(List.of(
                "extract",
                "--model",
                CliRun.microworld().toString(),
                "--quiet",
                "--trait",
                "optimistic",
                "--out",
                folder.resolve("v.safetensors").toString()));
        args.addAll(Arrays.asList(more));
        return CliRun.of(args.toArray(String[]::new));
    }

    private JsonObject method(String file) {
        return VectorFile.read(folder.resolve(file)).metadataJson("method").getAsJsonObject();
    }

    @Test
    void allMethodsAreComparedOnTheSameAnswers() throws IOException {
        String questions =
                SharedFiles.repository("docs/extraction/optimistic-ab.jsonl").toString();
        String[] answers = {"--judge", JUDGE, "--questions", "4", "--pairs", "2", "--max-tokens", "40"};
        List<String> args = new ArrayList<>(List.of(answers));
        args.addAll(List.of("--method", "all", "--ab-questions", questions));
        args.addAll(List.of("--prompt-pair", "It will be a success.", " "));
        Path prompts = folder.resolve("prompts.json");
        Files.writeString(
                prompts,
                "{\"positive\": [\"I love it\", \"How good\", \"Fine\", \"Great\", \"Well done\"],"
                        + " \"negative\": [\"I hate it\", \"How bad\", \"Sad\", \"Poor\", \"Badly done\"]}");
        args.addAll(List.of("--targets", "This,It", "--prompts", prompts.toString()));
        CliRun run = extract(args.toArray(String[]::new));
        for (String name :
                List.of("unsteered", "random", "mean", "pca_diff", "pca_center", "logistic", "lda", "caa", "actadd")) {
            assertTrue(run.ok().lines().anyMatch(l -> l.startsWith(name + " ")), name + " in " + run.out());
            if (!name.equals("unsteered") && !name.equals("random")) {
                JsonObject m = method("v." + name + ".safetensors");
                assertEquals(!name.equals("mean"), m.has("key"), m.toString());
            }
        }
        assertTrue(run.lines().stream().anyMatch(l -> l.startsWith("mean ") && l.contains(" 1.000 ")), run.out());
        assertEquals(
                Site.RESID_PRE,
                VectorFile.read(folder.resolve("v.actadd.safetensors"))
                        .content()
                        .site());
        assertFalse(Files.exists(folder.resolve("v.safetensors")));

        // One method alone finds the same as in the comparison.
        List<String> alone = new ArrayList<>(List.of(answers));
        alone.addAll(List.of("--method", "lda"));
        extract(alone.toArray(String[]::new)).ok();
        float[] one = VectorFile.read(folder.resolve("v.safetensors")).content().at(3);
        float[] other =
                VectorFile.read(folder.resolve("v.lda.safetensors")).content().at(3);
        assertArrayEquals(other, one, 0);
        assertTrue(method("v.safetensors").has("shrinkage"));
    }

    @Test
    void candidatesArePrintedAndWritten() {
        Path json = folder.resolve("candidates.json");
        CliRun run = extract(
                "--method",
                "refusal",
                "--targets",
                "This,The",
                "--candidates",
                json.toString(),
                "--prompts",
                prompts().toString());
        // Whether one of them is left is the model's business; the table is there all the same.
        JsonObject table = Json.readObject(json);
        assertTrue(table.getAsJsonArray("candidates").size() >= 8 * 5, table.toString());
        assertEquals(table.get("chosen").isJsonNull(), run.code() != 0, run.err());
    }

    private Path prompts() {
        try {
            StringBuilder pos = new StringBuilder();
            StringBuilder neg = new StringBuilder();
            for (String thing : List.of("soap", "cats", "a bridge", "a lake", "a game", "a shop")) {
                pos.append(pos.isEmpty() ? "" : ", ")
                        .append("\"Is ")
                        .append(thing)
                        .append(" good?\"");
                neg.append(neg.isEmpty() ? "" : ", ")
                        .append("\"Tell me about ")
                        .append(thing)
                        .append(".\"");
            }
            return Files.writeString(
                    folder.resolve("asked.json"), "{\"positive\": [" + pos + "], \"negative\": [" + neg + "]}");
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--method pca | --method: unknown method \"pca\"; accepted: mean, pca_diff",
                "--method caa | --method caa: needs --ab-questions",
                "--method actadd | --method actadd: needs --prompt-pair",
                "--method refusal | needs --judge RULES or --targets",
                "--method lda --shrinkage 2 | shrinkage: expected 0 to 1, found 2",
                "--method logistic --c 0 | c: expected a number above 0",
                "--method mean --shrinkage 0.5 | --shrinkage: goes with --method lda",
                "--method lda --pad 3 | --pad: goes with --method actadd",
                "--method caa --ab-questions none.json --pos a --neg b | draws no answers",
                "--method caa --ab-questions none.json | none.json",
                "--method all --displacement 0 | --displacement: expected a number above 0",
                "--method mean --c 3 | --c: goes with --method logistic or all, found --method mean",
                "--method lda --displacement 1 | --displacement: goes with --method all, found --method lda",
                "--method pca | accepted: mean, pca_diff, pca_center, logistic, lda, caa, actadd, refusal, all",
                "--method actadd --prompt-pair a a | the prompts are the same",
                "--method actadd --prompt-pair a b --pad 99999 | the model has tokens 0..2047"
            })
    void wrongUseIsRefused(String args, String message) {
        extract(args.split(" ")).failsWith(message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "[] | has no questions",
                "[{\"question\": \"q\"}] | answer_matching_behavior",
                "{\"question\": \"q\", \"answer_matching_behavior\": \"(A)\", \"answer_not_matching_behavior\": \"(A)\"} | both answers",
                "{\"question\": \"q\", \"answer_matching_behavior\": \"yes\", \"answer_not_matching_behavior\": \"(A)\"} | expected one letter",
                "{\"question\": \"q\", \"answer\": \"yes\"} | answer"
            })
    void wrongQuestionsAreRefused(String json, String message) throws IOException {
        Path file = Files.writeString(folder.resolve("ab.json"), json);
        extract("--method", "caa", "--ab-questions", file.toString()).failsWith(message);
    }
}
