package dev.tiller.persona.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.SharedFiles;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** What inspect says of the types in which weights are stored. */
class StoredWeightsTest {
    private static final Pattern LINE =
            Pattern.compile("weights +([A-Z0-9_]+) +([0-9.]+)% of [0-9.]+ MB, kept as (.*)");

    @Test
    void typesOfAGgufFileWithTheirShares() {
        String file = SharedFiles.require("models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf")
                .toString();
        double sum = 0;
        List<String> lines = CliRun.of("inspect", file)
                .ok()
                .lines()
                .filter(line -> line.startsWith("weights"))
                .toList();
        StringBuilder kept = new StringBuilder();
        for (String line : lines) {
            Matcher m = LINE.matcher(line);
            assertTrue(m.matches(), line);
            sum += Double.parseDouble(m.group(2));
            kept.append(m.group(1)).append(" as ").append(m.group(3)).append("; ");
        }
        assertEquals(100, sum, 0.2);
        assertTrue(kept.toString().startsWith("Q4_1 as q4, no loss; "), kept.toString());
        assertTrue(kept.toString().contains("F32 as f32; "), kept.toString());
    }
}
