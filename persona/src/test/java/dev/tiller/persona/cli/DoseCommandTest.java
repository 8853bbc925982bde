package dev.tiller.persona.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tiller.engine.LoadOptions;
import dev.tiller.engine.Model;
import dev.tiller.engine.Site;
import dev.tiller.persona.VectorContent;
import dev.tiller.persona.VectorFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands calibrate and dose on the bundled model. */
class DoseCommandTest {
    @TempDir
    private static Path folder;

    private static Path prompts;

    @BeforeAll
    static void files() throws Exception {
        prompts = Files.writeString(folder.resolve("prompts.txt"), "How will my plan go?\nWill the boat be ready?\n");
        try (Model model = Model.load(CliRun.microworld(), LoadOptions.DEFAULT)) {
            write("noise", model, "add", Map.of("trait", "optimistic", "suggested_block", "3"), 1, 2, 3);
            write("unknown", model, "add", Map.of("trait", "unheard of"), 1, 2, 3);
            write("ablation", model, "ablate", Map.of("trait", "optimistic"), 1, 3);
            write("several", model, "add", Map.of("trait", "optimistic"), 2, 3);
        }
    }

    private static void write(
            String name, Model model, String op, Map<String, String> metadata, int rank, int... blocks) {
        Random random = new Random(name.hashCode());
        TreeMap<Integer, float[][]> directions = new TreeMap<>();
        for (int b : blocks) {
            float[][] rows = new float[rank][model.spec().width()];
            for (float[] row : rows) {
                for (int i = 0; i < row.length; i++) {
                    row[i] = (float) random.nextGaussian() / 4;
                }
            }
            directions.put(b, rows);
        }
        Map<String, String> all = new LinkedHashMap<>(VectorFile.modelMetadata(model));
        all.putAll(metadata);
        VectorFile.write(file(name), new VectorContent(op, Site.RESID_POST, directions, Map.of(), all));
    }

    private static Path file(String name) {
        return folder.resolve(name + ".safetensors");
    }

    private static CliRun run(String command, String vector, String... more) {
        String[] args = new String[more.length + 7];
        args[0] = command;
        args[1] = file(vector).toString();
        args[2] = "--model";
        args[3] = CliRun.microworld().toString();
        args[4] = "--prompts";
        args[5] = prompts.toString();
        args[6] = "-q";
        System.arraycopy(more, 0, args, 7, more.length);
        return CliRun.of(args);
    }

    @Test
    void calibrationMakesUnitsUsable() {
        Path out = file("calibrated");
        String text = run("calibrate", "noise", "--kl", "0.1,0.4", "--max-tokens", "16", "--out", out.toString())
                .ok();
        assertTrue(text.contains("{kl: -0.4") && text.contains("{sd: 1}") && text.contains("wrote " + out), text);
        JsonObject again = JsonParser.parseString(
                        run("calibrate", "calibrated", "--kl", "0.1,0.4", "--max-tokens", "16", "--json")
                                .ok())
                .getAsJsonObject();
        assertEquals(2, again.getAsJsonArray("blocks").size());
        JsonObject block = again.getAsJsonArray("blocks").get(1).getAsJsonObject();
        assertEquals(3, block.get("block").getAsInt());
        assertTrue(block.getAsJsonArray("kl").size() > 4);
        assertEquals(0, block.getAsJsonArray("not_reached").size());
        for (String unit : new String[] {"norm", "sd", "kl"}) {
            run("dose", "calibrated", "--unit", unit, "--coefficients", "0.1", "--random", "1", "--max-tokens", "8")
                    .ok();
        }
        run("dose", "calibrated", "--unit", "kl", "--coefficients", "5", "--max-tokens", "8")
                .failsWith("5.0", "calibrated range", "tiller calibrate");
    }

    @Test
    void aDoseResponseHasItsBaselines() throws Exception {
        Path page = folder.resolve("report.html");
        String[] args = {
            "--coefficients", "-2,0.5", "--random", "2", "--max-tokens", "16", "--out", page.toString(), "--json"
        };
        String first = run("dose", "noise", args).ok();
        assertEquals(first, run("dose", "noise", args).ok(), "the same again");
        JsonObject o = JsonParser.parseString(first).getAsJsonObject();
        assertEquals(3, o.get("block").getAsInt());
        JsonArray rows = o.getAsJsonArray("rows");
        assertEquals(2 + 2 + 4, rows.size());
        Map<String, Integer> arms = new TreeMap<>();
        for (JsonElement e : rows) {
            JsonObject row = e.getAsJsonObject();
            arms.merge(row.get("arm").getAsString(), 1, Integer::sum);
            for (String key : new String[] {"trait", "coherence", "kl", "kl_worst", "perplexity", "repetition"}) {
                assertTrue(row.get(key).isJsonPrimitive(), key + " in " + row);
            }
        }
        assertEquals(Map.of("unsteered", 1, "prompt", 1, "vector", 2, "random", 4), arms);
        assertEquals(2, o.getAsJsonArray("advice").size());
        String html = Files.readString(page);
        assertEquals(5, html.split("<svg ", -1).length - 1);
        assertFalse(
                html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "").contains("http"), "nothing from elsewhere");
        assertFalse(html.contains("<script") || html.contains("src=") || html.contains("NaN"), html);
        String table = run("dose", "noise", "--coefficients", "0.5", "--random", "1", "--max-tokens", "8")
                .ok();
        for (String line : new String[] {"unsteered", "prompt only", "random 0.5", "positive: "}) {
            assertTrue(table.contains("\n" + line), table);
        }
    }

    @Test
    void wrongThingsAreRefused() {
        run("dose", "noise", "--unit", "cm").failsWith("--unit cm", "raw, norm, sd, kl");
        run("dose", "noise", "--unit", "sd").failsWith("tiller calibrate", "block 3");
        run("dose", "noise", "--coefficients", "1..2").failsWith("--coefficients 1..2", "-2..2:9");
        run("dose", "noise", "--coefficients", "0").failsWith("coefficients other than 0");
        run("dose", "noise", "--block", "5").failsWith("block", "[2, 3]");
        run("dose", "noise", "--block", "9").failsWith("out of range", "0..7");
        run("dose", "unknown", "--block", "3").failsWith("unheard of", "--instruction");
        run("dose", "unknown", "--instruction", "be so").failsWith("--block", "[2, 3]");
        run("dose", "ablation").failsWith("ablate", "expected add");
        run("dose", "several").failsWith("2 directions per block");
        run("dose", "noise", "--out", folder.resolve("no/r.html").toString()).failsWith("--out", "does not exist");
        run("calibrate", "several").failsWith("2 directions per block");
        run("calibrate", "noise", "--kl", "0").failsWith("--kl 0", "above 0");
        run("calibrate", "noise", "--kl", "x").failsWith("--kl x", "not a number");
        run("calibrate", "noise", "--blocks", "5").failsWith("--blocks 5", "[2, 3]");
        run("calibrate", "noise", "--blocks", "3..3").failsWith("--blocks 3..3", "empty");
        run("calibrate", "noise", "--out", folder.resolve("no/v.safetensors").toString())
                .failsWith("--out", "does not exist");
    }
}
