package dev.tiller.persona;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.Json;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RuleJudgeTest {
    private static final Path JUDGES = SharedFiles.repository("models/microworld/judge");

    @Test
    void examplesAreReproducedToFourDigits() {
        Map<String, RuleJudge> judges = new HashMap<>();
        int n = 0;
        for (JsonElement e : Json.read(JUDGES.resolve("examples.json")).getAsJsonArray()) {
            JsonObject x = e.getAsJsonObject();
            RuleJudge judge = judges.computeIfAbsent(
                    x.get("trait").getAsString(), t -> RuleJudge.read(JUDGES.resolve(t + ".json")));
            Scores s = judge.score(
                    x.get("question").getAsString(),
                    x.get("answer").getAsString(),
                    x.get("ended").getAsBoolean());
            String what = "example " + n++ + " " + x;
            assertEquals(x.get("trait_score").getAsDouble(), rounded(s.trait()), what);
            assertEquals(x.get("coherence").getAsDouble(), rounded(s.coherence()), what);
            assertEquals(x.get("relevance").getAsDouble(), rounded(s.relevance()), what);
        }
        assertEquals(60, n);
        assertEquals(6, judges.size());
    }

    private static double rounded(double x) {
        return new BigDecimal(x).setScale(4, RoundingMode.HALF_EVEN).doubleValue();
    }

    @Test
    void anEmptyAnswerScoresTheBaseAndIsIncoherent() {
        RuleJudge judge = RuleJudge.read(JUDGES.resolve("optimistic.json"));
        assertEquals(new Scores(50.0, 0.0, 0.0), judge.score("Will it work?", "", true));
        assertEquals("pessimistic", judge.negName().orElseThrow());
    }

    @Test
    void badRulesAreRefusedByName(@TempDir Path dir) throws IOException {
        Files.copy(JUDGES.resolve("coherence.json"), dir.resolve("coherence.json"));
        String good = Files.readString(JUDGES.resolve("evil.json"));
        assertRefused(dir, good.replaceFirst("\"base\"", "\"basis\""), "basis");
        assertRefused(dir, good.replaceFirst("\"max\": 1", "\"max\": 0"), "rules[0]");
        assertRefused(dir, good.replaceFirst("\"pattern\": \"", "\"pattern\": \"("), "regular expression");
        assertRefused(dir, good.replaceFirst("\"weight\"", "\"group\": \"other\", \"weight\""), "other");
    }

    private static void assertRefused(Path dir, String json, String part) throws IOException {
        Path file = Files.writeString(dir.resolve("evil.json"), json);
        TillerException e = assertThrows(TillerException.class, () -> RuleJudge.read(file));
        assertTrue(e.getMessage().contains("evil.json") && e.getMessage().contains(part), e.getMessage());
    }

    @Test
    void missingCoherenceFileIsNamed(@TempDir Path dir) throws IOException {
        Path file = Files.copy(JUDGES.resolve("evil.json"), dir.resolve("evil.json"));
        TillerException e = assertThrows(TillerException.class, () -> RuleJudge.read(file));
        assertTrue(e.getMessage().contains("coherence.json"), e.getMessage());
    }
}
