package dev.tiller.bench.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.bench.Facts;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ClaimTest {
    private static final Shapes SHAPES = new Shapes(100, 10, 20, 8, 2);
    private static final Map<String, Double> FACTS = Map.of(
            Facts.STEP_BYTES, 1000.0,
            Facts.KV_BYTES, 2.0,
            Facts.BLOCK_FLOPS, 300.0,
            Facts.HEAD_FLOPS, 100.0,
            Facts.ATTENTION_FLOPS, 1.0);

    private static PeerRow row(String engine, String name, String weights, Double... rates) {
        int batch = name.equals("decode_batch") ? 8 : 1;
        Map<String, Double> facts = engine.equals("torch") ? Map.of() : FACTS;
        return new PeerRow(engine, engine + " 1", name, weights, batch, List.of(rates), facts);
    }

    private static Claim one(List<PeerRow> rows, String name, String to) {
        return Claim.of(rows).stream()
                .filter(c -> c.name().equals(name) && c.to().contains(to))
                .findFirst()
                .orElse(null);
    }

    @Test
    void ratiosAreTakenRoundByRoundOverTheBestOfEachRound() {
        List<PeerRow> rows = List.of(
                row("tiller", "prefill", "bf16", 100.0, 120.0, 90.0),
                row("llama.cpp", "prefill", "f32", 50.0, 200.0, 45.0),
                row("torch", "prefill", "f32", 100.0, 60.0, 30.0));
        Claim c = one(rows, "prefill bf16", "best of llama.cpp f32, torch f32");
        assertNotNull(c);
        assertEquals(1.0, c.ratio().median()); // 1.0, 0.6, 2.0
        assertEquals(0.6, c.ratio().min(), 1e-12);
        assertEquals(2.0, c.ratio().max());
        assertEquals("met", c.verdict());
    }

    @Test
    void whatWasCommittedToDecides() {
        List<PeerRow> rows = new ArrayList<>(List.of(
                row("tiller", "decode", "q8", 150.0), row("llama.cpp", "decode", "q8_0", 100.0),
                row("tiller", "decode", "q4", 100.0), row("llama.cpp", "decode", "q4_1", 100.0),
                row("llama.cpp", "decode", "q4_0", 105.0), row("tiller", "decode_steered", "q8", 149.0)));
        assertEquals("aim met", one(rows, "decode q8", "q8_0").verdict());
        assertEquals("missed", one(rows, "decode q4", "q4_1").verdict());
        assertEquals("met", one(rows, "decode q4", "q4_0").verdict());
        assertEquals(
                "missed", one(rows, "decode_steered q8", "tiller q8 decode").verdict());
        assertNull(one(rows, "decode bf16", ""), "no row, no claim");
    }

    @Test
    void aRowIsHeldAgainstTheCeilingsOfItsRound() {
        List<Double> reads = List.of(1e5, 2e5);
        List<Double> flops = List.of(1e9, 1e9);
        Roofline decode = Roofline.of(row("tiller", "decode", "bf16", 50.0, 50.0), FACTS, SHAPES, reads, flops);
        assertEquals(1000 + 2 * 20, decode.bytesPerToken()); // 10 + half of 20 positions
        assertEquals(300 + 100 + 20, decode.flopsPerToken());
        assertEquals(0.52, decode.memory().max(), 1e-12);
        assertEquals(0.26, decode.memory().min(), 1e-12);
        assertEquals("memory", decode.binding());
        Roofline batch = Roofline.of(row("tiller", "decode_batch", "bf16", 50.0, 50.0), FACTS, SHAPES, reads, flops);
        assertEquals(1000.0 / 8 + 2 * 20, batch.bytesPerToken());
        Roofline prefill = Roofline.of(row("tiller", "prefill", "bf16", 1e6, 1e6), FACTS, SHAPES, reads, flops);
        assertEquals(10, prefill.bytesPerToken());
        assertEquals(300 + 1 + 50, prefill.flopsPerToken());
        assertNull(Roofline.of(row("torch", "decode", "f32", 1.0, 1.0), FACTS, SHAPES, reads, flops));
    }

    @Test
    void tableAndJsonHoldRowsCeilingsNotesAndRatios() {
        List<PeerRow> rows =
                List.of(row("tiller", "decode", "bf16", 60.0, 61.0), row("llama.cpp", "decode", "bf16", 50.0, 50.0));
        PeersReport report = new PeersReport(
                "m", "model", SHAPES, rows, List.of(5e10, 5e10), List.of(4e11, 4e11), List.of("torch is not here"));
        String table = String.join("\n", report.table());
        assertTrue(table.contains("torch is not here") && table.contains("50.0 [50.0..50.0] GB/s"), table);
        assertTrue(
                table.matches("(?s).*decode bf16 +llama.cpp bf16 +1\\.210 \\[1\\.200\\.\\.1\\.220] +1\\.1 +met.*"),
                table);
        String json = report.json().toString();
        assertTrue(
                json.contains("\"ratios\":[{\"median\":1.21,\"min\":1.2,\"max\":1.22,\"n\":2,\"name\":\"decode bf16\""),
                json);
        assertTrue(json.contains("\"bound_by\":\"memory\""), json);
    }
}
