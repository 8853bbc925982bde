package dev.tiller.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class ReportTest {
    private static final List<RateRow> OURS = RateRow.of(List.of(
            List.of(new Sample("decode", "bf16", 1, 100), new Sample("decode_steered", "bf16", 1, 99)),
            List.of(new Sample("decode", "bf16", 1, 50), new Sample("decode_steered", "bf16", 1, 50))));

    @Test
    void jsonIsOneObjectOfTheDocumentedShape() {
        String expected = "{\"machine\":\"m\",\"model\":\"a \\\"b\\\"\",\"rows\":["
                + "{\"name\":\"decode\",\"weights\":\"bf16\",\"batch\":1,"
                + "\"tokens_per_second\":{\"median\":75.0,\"min\":50.0,\"max\":100.0,\"n\":2}},"
                + "{\"name\":\"decode_steered\",\"weights\":\"bf16\",\"batch\":1,"
                + "\"tokens_per_second\":{\"median\":74.5,\"min\":50.0,\"max\":99.0,\"n\":2}}],"
                + "\"ratios\":[{\"median\":0.995,\"min\":0.99,\"max\":1.0,\"n\":2,"
                + "\"name\":\"decode_steered\",\"to\":\"decode\"}]}";
        assertEquals(
                expected,
                Report.endToEnd("m", "a \"b\"", new Rounds(OURS, List.of()), null)
                        .json()
                        .toString());
    }

    @Test
    void aPeerAddsItsRowsAndRatiosOfTheSameRound() {
        List<RateRow> theirs = RateRow.of(List.of(
                List.of(new Sample("decode", "f32", 1, 50), new Sample("decode", "bf16", 1, 80)),
                List.of(new Sample("decode", "f32", 1, 25), new Sample("decode", "bf16", 1, 40))));
        Report report = Report.endToEnd("m", "x", new Rounds(OURS, theirs), "other engine");
        String json = report.json().toString();
        assertTrue(
                json.contains("\"ratios\":[{\"median\":2.0,\"min\":2.0,\"max\":2.0,\"n\":2,"
                        + "\"name\":\"decode\",\"to\":\"peer decode f32\"}"),
                json);
        String table = String.join("\n", report.table());
        assertTrue(table.contains("other engine"), table);
        assertTrue(table.matches("(?s).*decode / peer decode bf16 +1\\.250 \\[1\\.250\\.\\.1\\.250].*"), table);
        assertTrue(table.matches("(?s).*decode_steered / decode +0\\.995 \\[0\\.990\\.\\.1\\.000].*"), table);
    }
}
