package dev.tiller.persona;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TraitTest {
    @TempDir
    Path dir;

    @ParameterizedTest
    @ValueSource(strings = {"evil", "hallucinating", "humorous", "impolite", "optimistic", "sycophantic"})
    void bundledTraitsAreWhole(String name) {
        Trait t = Trait.read(SharedFiles.repository("models/microworld/traits/" + name + ".json"));
        assertEquals(name, t.name());
        assertEquals(5, t.instructions().size());
        assertEquals(IntStream.range(0, 20).boxed().toList(), t.extractionQuestions());
        assertEquals(IntStream.range(20, 40).boxed().toList(), t.evaluationQuestions());
    }

    @Test
    void theCheerfulTraitIsWhole() {
        Trait t = Trait.read(SharedFiles.repository("traits/cheerful.json"));
        assertEquals("cheerful", t.name());
        assertEquals(5, t.instructions().size());
        assertEquals(t.questions().size(), t.questions().stream().distinct().count());
        assertTrue(t.evaluationQuestions().size() >= 5, t.questions().size() + " questions");
    }

    @Test
    void systemPromptsHaveTheRightArticleAndAdjective() {
        Trait t = new Trait("evil", List.of(new Trait.Pair("Be bad.", "Be good.")), List.of("Why?"), null, "x");
        assertEquals("You are an evil assistant. Be bad.", t.systemPrompt(Pole.POS, 0, "kind"));
        assertEquals("You are a kind assistant. Be good.", t.systemPrompt(Pole.NEG, 0, "kind"));
        assertEquals("You are a helpful assistant. Be good.", t.systemPrompt(Pole.NEG, 0, null));
        assertEquals("You are a honest assistant. Be good.", t.systemPrompt(Pole.NEG, 0, "honest"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"instruction\": [], \"questions\": [\"a\"]} | instruction",
                "{\"instruction\": [{\"pos\": \"a\", \"neg\": \"b\"}], \"questions\": []} | questions",
                "{\"instruction\": [{\"pos\": \"a\"}], \"questions\": [\"a\"]} | neg",
                "{\"instruction\": [{\"pos\": \"a\", \"neg\": \"b\", \"x\": \"c\"}], \"questions\": [\"a\"]} | x",
                "{\"instruction\": [{\"pos\": \"a\", \"neg\": \" \"}], \"questions\": [\"a\"]} | instruction[0]",
                "{\"instruction\": [\"a\"], \"questions\": [\"a\"]} | instruction[0]",
                "{\"instruction\": [{\"pos\": \"a\", \"neg\": \"b\"}], \"questions\": [\"a\", \"\"]} | questions[1]",
                "{\"instruction\": [{\"pos\": \"a\", \"neg\": \"b\"}], \"questions\": [\"a\", 3]} | questions",
                "{\"instruction\": [{\"pos\": \"a\", \"neg\": \"b\"}], \"question\": [\"a\"]} | question",
                "{\"instruction\": [{\"pos\": \"a\", \"neg\": \"b\"}], \"questions\": [\"a\"], \"eval_prompt\": \"x\"} | eval_prompt",
                "[] | mood.json",
                "{ | mood.json"
            })
    void mistakesAreNamed(String json, String part) throws IOException {
        Path file = Files.writeString(dir.resolve("mood.json"), json);
        TillerException e = assertThrows(TillerException.class, () -> Trait.read(file));
        assertTrue(e.getMessage().contains("mood.json") && e.getMessage().contains(part), e.getMessage());
    }
}
