package dev.tiller.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.Json;
import dev.tiller.loader.SharedFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The further bench commands from the command line, on the bundled model and very short runs. */
class PeersCommandTest {
    @TempDir
    Path folder;

    private static Outcome bench(String... options) {
        List<String> args = new ArrayList<>(List.of("bench"));
        args.addAll(List.of(options));
        return Outcome.of(args);
    }

    private static String microworld() {
        return SharedFiles.repository("models/microworld").toString();
    }

    @Test
    void weTakePartInProcessesOfOurOwnAndMissingPeersAreNotes() throws IOException {
        Outcome o = bench(
                "--peers",
                "--model",
                microworld(),
                "--weights",
                "bf16,f32",
                "--llama-cpp",
                folder.toString(),
                "--python",
                "false",
                "--prompt",
                "24",
                "--decode",
                "4",
                "--batch",
                "2",
                "--rounds",
                "2",
                "--warm-up",
                "0",
                "--threads",
                "2",
                "--json");
        assertEquals(0, o.code(), o.err());
        JsonObject json = Json.parseObject(o.out(), "out");
        List<String> rows = new ArrayList<>();
        for (JsonElement e : Json.array(json, "rows", "out")) {
            JsonObject r = e.getAsJsonObject();
            rows.add(Json.string(r, "engine", "out") + " " + Json.string(r, "name", "out") + " "
                    + Json.string(r, "weights", "out"));
            JsonObject roof = Json.object(r, "roofline", "out");
            assertTrue(Json.number(roof, "bytes_per_token", "out") > 0, o.out());
            assertTrue(Json.number(Json.object(roof, "of_read", "out"), "median", "out") > 0, o.out());
        }
        assertEquals(8, rows.size());
        assertTrue(rows.contains("tiller decode_steered bf16") && rows.contains("tiller prefill f32"), o.out());
        String notes = Json.strings(json, "notes", "out").toString();
        assertTrue(notes.contains("no llama-bench in " + folder), notes);
        assertTrue(notes.contains("false has no torch"), notes);
        assertTrue(notes.contains("Jlama is not here"), notes);
        assertTrue(o.out().contains("\"name\":\"decode_steered bf16\",\"to\":\"tiller bf16 decode\""), o.out());

        Files.writeString(folder.resolve("peers-x.json"), o.out());
        Files.writeString(folder.resolve("limits.md"), "decode bf16: it is small\nmicroworld prefill bf16: other\n");
        Outcome page = bench("page", folder.toString());
        assertEquals(0, page.code(), page.err());
        String text = Files.readString(folder.resolve("README.md"));
        assertTrue(text.contains("| it is small |") && text.contains("| other |"), text);
        assertTrue(text.contains("](peers-x-decode_batch.svg)"), text);
        String chart = Files.readString(folder.resolve("peers-x-decode.svg"));
        assertTrue(chart.startsWith("<svg ") && chart.contains(">tiller f32</text>"), chart);
    }

    @Test
    void severalFormatsAreForPeersOnly() {
        Outcome o = bench("--model", microworld(), "--weights", "bf16,f32");
        assertEquals(1, o.code());
        assertTrue(o.err().contains("--weights: expected one format, found bf16,f32"), o.err());
        Outcome both = bench("--peers", "--peer", "x", "--model", microworld());
        assertTrue(both.err().contains("expected one of them"), both.err());
    }

    @Test
    void startupTimesFreshProcessesAndTheirMemory() {
        Outcome o = bench(
                "startup",
                "--without-script",
                "--model",
                microworld(),
                "--rounds",
                "2",
                "--prompt",
                "8",
                "--decode",
                "3",
                "--json");
        assertEquals(0, o.code(), o.err());
        JsonObject json = Json.parseObject(o.out(), "out");
        assertEquals(2, Json.integer(Json.object(json, "first_token_seconds", "out"), "n", "out"));
        double peak = Json.number(Json.object(json, "peak_resident_mb", "out"), "median", "out");
        assertTrue(peak > 20 && peak < 20_000, o.out()); // a Java machine at least
        assertTrue(Json.number(json, "weights_mb", "out") > 0.1, o.out());
        assertTrue(Json.number(json, "kv_mb", "out") > 0, o.out());
    }

    @Test
    void rolloutsCountWhatWasGenerated() {
        Outcome o = bench(
                "rollouts",
                "--model",
                microworld(),
                "--batch",
                "5",
                "--tokens",
                "4",
                "--rounds",
                "2",
                "--warm-up",
                "0",
                "--json");
        assertEquals(0, o.code(), o.err());
        JsonObject row = Json.array(Json.parseObject(o.out(), "out"), "rows", "out")
                .get(0)
                .getAsJsonObject();
        assertEquals("rollouts", Json.string(row, "name", "out"));
        assertEquals(5, Json.integer(row, "batch", "out"));
        assertTrue(Json.number(Json.object(row, "tokens_per_second", "out"), "min", "out") > 0, o.out());
    }

    @Test
    void anIntervalHoldsTheMedianAndNarrowsWithMoreValues() {
        for (long seed = 1; seed <= 5; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            Interval few = Interval.of(random.doubles(25).toArray(), seed);
            Interval many = Interval.of(random.doubles(2500).toArray(), seed);
            assertTrue(few.low() <= few.median() && few.median() <= few.high());
            assertTrue(many.low() < 0.53 && many.high() > 0.47, many.toString());
            assertTrue(many.high() - many.low() < (few.high() - few.low()) / 2, few + " " + many);
        }
        assertEquals(new Interval(2, 2, 2, 4), Interval.of(new double[] {2, 2, 2, 2}, 1));
    }
}
