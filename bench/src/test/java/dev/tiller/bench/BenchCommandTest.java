package dev.tiller.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.Json;
import dev.tiller.loader.SharedFiles;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** {@code tiller bench} from the command line, on the bundled model and very short runs. */
class BenchCommandTest {
    private static final List<String> SHORT =
            List.of("--prompt", "24", "--decode", "4", "--batch", "2", "--rounds", "2", "--warm-up", "0");

    /** A short run with further options. */
    private static Outcome runShort(String... options) {
        List<String> all = new ArrayList<>(SHORT);
        all.addAll(List.of(options));
        return run(all);
    }

    private static Outcome run(List<String> options) {
        List<String> args = new ArrayList<>(List.of("bench", "--model"));
        args.add(SharedFiles.repository("models/microworld").toString());
        args.addAll(options);
        return Outcome.of(args);
    }

    @Test
    void jsonHoldsTheFourRows() {
        Outcome o = runShort("--json", "--weights", "f32");
        assertEquals(0, o.code(), o.err());
        JsonObject json = Json.parseObject(o.out(), "standard output");
        assertEquals(Set.of("machine", "model", "rows", "ratios"), json.keySet());
        assertEquals("microworld", Json.string(json, "model", "out"));
        JsonArray rows = json.getAsJsonArray("rows");
        List<String> names = new ArrayList<>();
        for (JsonElement row : rows) {
            JsonObject r = row.getAsJsonObject();
            names.add(Json.string(r, "name", "out") + " " + Json.integer(r, "batch", "out"));
            assertEquals("f32", Json.string(r, "weights", "out"));
            JsonObject rate = Json.object(r, "tokens_per_second", "out");
            assertEquals(2, Json.integer(rate, "n", "out"));
            double median = Json.number(rate, "median", "out");
            assertTrue(Json.number(rate, "min", "out") > 0 && Json.number(rate, "min", "out") <= median, o.out());
            assertTrue(Json.number(rate, "max", "out") >= median, o.out());
        }
        assertEquals(List.of("prefill 1", "decode 1", "decode_steered 1", "decode_batch 2"), names);
    }

    @Test
    void tableShowsRatiosAndProgressGoesToStandardError() {
        Outcome o = runShort();
        assertEquals(0, o.code(), o.err());
        assertTrue(o.out().contains("decode_steered / decode"), o.out());
        assertTrue(o.err().contains("round 2 of 2"), o.err());
        assertTrue(!o.out().contains("round 2"), o.out());
    }

    @Test
    void aPeerTakesPartWithTheSameShapes() {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        String classes = System.getProperty("java.class.path");
        Outcome o = runShort("--threads", "3", "--peer", java + " -cp " + classes + " " + StandInPeer.class.getName());
        assertEquals(0, o.code(), o.err());
        assertTrue(o.out().contains("--prompt 24 --context 16 --decode 4 --batch 2 --threads 3"), o.out());
        assertTrue(o.out().contains("decode / peer decode f32"), o.out());
    }

    @Test
    void aPeerThatEndsIsAnErrorThatNamesIt() {
        Outcome o = runShort("--peer", "false");
        assertEquals(1, o.code());
        assertTrue(o.err().contains("--peer false"), o.err());
        assertTrue(o.err().contains("ended before it answered"), o.err());
        assertEquals("", o.out());
    }

    @Test
    void aPromptLongerThanTheContextIsRefused() {
        Outcome o = run(List.of("--prompt", "100000"));
        assertEquals(1, o.code());
        assertTrue(o.err().contains("--prompt 100000") && o.err().contains("context"), o.err());
        assertEquals("", o.out());
    }

    @Test
    void everyCommandHasHelp() {
        Outcome o = run(List.of("--help"));
        assertEquals(0, o.code());
        assertTrue(o.out().contains("--rounds"), o.out());
    }
}
