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

/** {@code tiller bench gpu} on the bundled model, on a backend that every machine has. */
class GpuCommandTest {
    private static Outcome runShort(String... options) {
        String model = SharedFiles.repository("models/microworld").toString();
        List<String> args = new ArrayList<>(List.of("bench", "gpu", "--model", model, "--backend", "simd"));
        args.addAll(List.of("--batch", "1,3", "--prefill", "24", "--context", "4", "--decode", "3"));
        args.addAll(List.of("--rounds", "2", "--warm-up", "0"));
        args.addAll(List.of(options));
        return Outcome.of(args);
    }

    private static List<String> strings(JsonObject json, String array, String... keys) {
        List<String> out = new ArrayList<>();
        for (JsonElement e : json.getAsJsonArray(array)) {
            List<String> values = new ArrayList<>();
            for (String key : keys) {
                values.add(e.getAsJsonObject().get(key).getAsString());
            }
            out.add(String.join(" ", values));
        }
        return out;
    }

    @Test
    void everyWayOfSteeringIsMeasuredAtEveryBatchAndComparedWithUnsteered() {
        Outcome o = runShort("--json", "--also", "graph=off", "--bandwidth", "40");
        assertEquals(0, o.code(), o.err());
        JsonObject json = Json.parseObject(o.out(), "standard output");
        List<String> decode = List.of(
                "decode",
                "decode_one_block",
                "decode_all_blocks",
                "decode_3_vectors",
                "decode_own_plans",
                "decode_8_probes",
                "decode graph=off");
        List<String> rows = new ArrayList<>(List.of("prefill_24 1"));
        decode.forEach(name -> rows.add(name + " 1"));
        decode.forEach(name -> rows.add(name + " 3"));
        assertEquals(rows, strings(json, "rows", "name", "batch"));
        List<String> ratios = strings(json, "ratios", "name", "to");
        for (String name : decode.subList(1, decode.size())) {
            assertTrue(ratios.contains(name + " x1 decode x1"), ratios.toString());
            assertTrue(ratios.contains(name + " x3 decode x3"), ratios.toString());
        }
        JsonObject facts = Json.object(json, "facts", "out");
        double step = Json.number(facts, "weights GB/step", "out");
        assertTrue(step > 0 && step <= Json.number(facts, "weights GB", "out"), o.out());
        assertTrue(Json.number(facts, "load s", "out") > 0, o.out());
        for (JsonElement e : json.getAsJsonArray("rows")) {
            JsonObject rate = Json.object(e.getAsJsonObject(), "tokens_per_second", "out");
            assertEquals(2, Json.integer(rate, "n", "out"));
            assertTrue(Json.number(rate, "min", "out") > 0, o.out());
        }
    }

    @Test
    void theLimitIsStepsTimesBatch() {
        RateRow decode = new RateRow("decode", "bf16", 8, List.of(40.0, 80.0));
        List<Ratio> ratios = GpuRatios.of(new Rounds(List.of(decode), List.of()), 10);
        assertEquals(
                List.of(new Ratio("decode x8", "weights' limit, 10.0 steps/s", new Spread(0.75, 0.5, 1, 2))), ratios);
    }

    @Test
    void aPeerGetsTheShapesAndItsBandwidthIsTheLimit() {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        String classes = System.getProperty("java.class.path");
        Outcome o = runShort("--peer", java + " -cp " + classes + " " + StandInPeer.class.getName());
        assertEquals(0, o.code(), o.err());
        assertTrue(o.out().contains("--batch 1,3 --prefill 24 --context 4 --decode 3"), o.out());
        assertTrue(o.out().contains("peer read GB/s"), o.out());
        assertTrue(o.out().contains("decode x1 / weights' limit"), o.out());
        assertTrue(o.out().contains("decode x1 / peer decode f32"), o.out());
        assertTrue(!o.out().contains("decode x3 / peer"), o.out());
        assertTrue(o.out().contains("prefill_24 / peer prefill_24 f32"), o.out());
        assertTrue(o.out().contains("prefill_24 / peer matmuls_24 f32"), o.out());
    }

    @Test
    void whenTimeIsUpOneRoundIsMeasured() {
        Outcome o = runShort("--at-most", "0", "--json");
        assertEquals(0, o.code(), o.err());
        assertTrue(o.err().contains("time is up after 1 of 2 rounds"), o.err());
        JsonObject json = Json.parseObject(o.out(), "standard output");
        assertEquals(
                "1",
                json.getAsJsonArray("rows")
                        .get(0)
                        .getAsJsonObject()
                        .getAsJsonObject("tokens_per_second")
                        .get("n")
                        .getAsString());
    }

    @Test
    void theBackendIsCudaUnlessAnotherIsNamed() {
        String model = SharedFiles.repository("models/microworld").toString();
        Outcome o = Outcome.of(List.of("bench", "gpu", "--model", model, "--rounds", "1", "--prefill", "100000"));
        assertEquals(1, o.code(), o.out());
        boolean cannot = o.err().contains("cuda"); // this machine has none
        assertTrue(cannot || o.err().contains("--prefill 100000"), o.err());
    }

    @Test
    void whatIsNotASettingIsRefused() {
        assertTrue(runShort("--also", "graph").err().contains("--also graph: expected KEY=VALUE"));
        assertTrue(runShort("--bandwidth", "0").err().contains("--bandwidth 0.0: expected"));
        Outcome o = runShort("--prefill", "100000");
        assertEquals(1, o.code());
        assertTrue(o.err().contains("--prefill 100000") && o.err().contains("context"), o.err());
    }
}
