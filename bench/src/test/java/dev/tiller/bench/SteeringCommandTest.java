package dev.tiller.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.Json;
import dev.tiller.loader.SharedFiles;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** {@code tiller bench steering}, on the bundled model and one or two rounds. */
class SteeringCommandTest {
    private static Outcome steering(String... options) {
        List<String> args = new ArrayList<>(List.of("bench", "steering", "--warm-up", "0", "--model"));
        args.add(SharedFiles.repository("models/microworld").toString());
        args.addAll(List.of(options));
        return Outcome.of(args);
    }

    @Test
    void everyRowHasARatioAndAnInterval() {
        Outcome o = steering("--rounds", "1", "--json");
        assertEquals(0, o.code(), o.err());
        JsonObject json = Json.parseObject(o.out(), "out");
        List<String> names = new ArrayList<>();
        for (JsonElement e : Json.array(json, "rows", "out")) {
            JsonObject row = e.getAsJsonObject();
            names.add(Json.string(row, "name", "out"));
            assertEquals(1, Json.integer(Json.object(row, "ratio", "out"), "n", "out"));
            JsonObject turns = Json.object(row, "turns", "out");
            double median = Json.number(turns, "median", "out");
            assertTrue(Json.number(turns, "low", "out") <= median && median > 0, o.out());
            assertTrue(Json.number(turns, "high", "out") >= median, o.out());
            boolean plans = names.getLast().startsWith("plans");
            assertEquals(plans ? 4 : 32, Json.integer(turns, "n", "out"));
            assertEquals(plans ? 256 : 1, Json.integer(row, "batch", "out"));
        }
        assertEquals(
                List.of(
                        "control",
                        "idle",
                        "add_one_block",
                        "add_all_blocks",
                        "add_3_vectors_all_blocks",
                        "ablate_all_blocks",
                        "clamp_all_blocks",
                        "rotate_all_blocks",
                        "add_norm_kept_all_blocks",
                        "projection_stream",
                        "capture_all_blocks",
                        "plans_256_vs_1"),
                names);
    }

    @Test
    void chosenRowsStandBesideThePeersOwn() {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        String classes = System.getProperty("java.class.path");
        String peer = java + " -cp " + classes + " " + StandInPeer.class.getName();
        Outcome o = steering("--rounds", "2", "--rows", "idle,capture_all_blocks", "--batch", "3", "--peer", peer);
        assertEquals(0, o.code(), o.err());
        assertTrue(o.out().contains("idle") && o.out().contains("capture_all_blocks"), o.out());
        assertTrue(o.out().contains("batch 3"), o.out());
        assertTrue(!o.out().contains("add_all_blocks"), o.out());
        assertTrue(o.out().contains("decode f32 "), o.out()); // the stand-in's row over its row "decode base"
        assertTrue(o.err().contains("round 2 of 2"), o.err());
    }

    @Test
    void anUnknownRowIsRefusedByName() {
        Outcome o = steering("--rows", "add_everywhere");
        assertEquals(1, o.code());
        assertTrue(o.err().contains("--rows add_everywhere: expected one of control, idle"), o.err());
    }

    @Test
    void aSiteTellsNanosecondsAndShares() {
        Outcome o = Outcome.of(List.of(
                "bench",
                "site",
                "--widths",
                "64",
                "--rows",
                "1,3",
                "--edits",
                "add4,ROTATE",
                "--rounds",
                "2",
                "--turn",
                "0.1",
                "--json"));
        assertEquals(0, o.code(), o.err());
        JsonObject json = Json.parseObject(o.out(), "out");
        List<String> names = new ArrayList<>();
        for (JsonElement e : Json.array(json, "rows", "out")) {
            JsonObject row = e.getAsJsonObject();
            names.add(Json.string(row, "edits", "out") + " " + Json.integer(row, "rows", "out"));
            int directions = Json.integer(row, "directions", "out");
            assertEquals(names.getLast().startsWith("add4") ? 4 : 2, directions);
            assertEquals(directions * 4.0 * 64 / (24.0 * 64 * 64), Json.number(row, "share_of_bytes", "out"), 1e-12);
            assertEquals(2, Json.integer(Json.object(row, "nanoseconds_added", "out"), "n", "out"));
            assertTrue(Json.number(Json.object(row, "nanoseconds_per_row", "out"), "min", "out") > 0, o.out());
        }
        assertEquals(List.of("add4 1", "rotate 1", "add4 3", "rotate 3"), names);
    }
}
