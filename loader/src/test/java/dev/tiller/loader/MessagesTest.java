package dev.tiller.loader;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

class MessagesTest {
    @Test
    void quotedTextsAreOneShortLine() {
        assertEquals("\"a\\u000ab\\u2028\\ud800é😀\"", Messages.quote("a\nb\u2028\ud800é😀"));
        assertEquals(
                "\"" + "x".repeat(40) + "..." + "y".repeat(40) + "\"", Messages.quote("x".repeat(99) + "y".repeat(99)));
    }

    @Test
    void closestNamesComeFirst() {
        List<String> names = List.of("model.norm.weight", "lm_head.weight", "model.layers.0.q", "model.layers.1.q");
        assertEquals(
                List.of("model.layers.0.q", "model.layers.1.q"),
                Messages.closest("model.layers.9.q", names).subList(0, 2));
        assertEquals("; it has none", Messages.closeNames("x", List.of()));
    }
}
