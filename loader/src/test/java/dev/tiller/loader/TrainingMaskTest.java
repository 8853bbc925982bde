package dev.tiller.loader;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tiller.loader.template.AssistantSpans;
import dev.tiller.loader.template.ChatTemplate;
import dev.tiller.loader.template.Message;
import dev.tiller.loader.template.RenderedChat;
import dev.tiller.loader.template.RoleSpans;
import dev.tiller.loader.template.Span;
import dev.tiller.loader.template.ThinkingMarkers;
import dev.tiller.loader.tokenizer.Encoding;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What training learns of a conversation: the assistant's turns, as spans and as tokens. */
class TrainingMaskTest {
    private static final LocalDateTime NOW = LocalDateTime.of(2025, 1, 15, 12, 0);
    private static final List<Message> CHAT = List.of(
            new Message("user", "Yes? "),
            new Message("assistant", " <think>hm</think>Yes. "),
            new Message("user", "Go"),
            new Message("assistant", "<think>so</think>Gone"));

    private static List<String> turns(String template, ThinkingMarkers thinking, boolean generationPrompt) {
        ChatTemplate parsed = ChatTemplate.parse(template, "t");
        RoleSpans.Rendering rendering =
                new RoleSpans.Rendering(parsed, CHAT, null, generationPrompt, Map.of("eos_token", "</s>"), NOW);
        RenderedChat chat = parsed.render(CHAT, null, generationPrompt, Map.of("eos_token", "</s>"), NOW);
        return AssistantSpans.find(rendering, chat, thinking).stream()
                .map(s -> chat.text().substring(s.start(), s.end()))
                .toList();
    }

    @Test
    void aTurnReachesFromItsPromptToItsEnd() {
        String chatml = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
                + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
        List<String> expected = List.of(" <think>hm</think>Yes. <|im_end|>", "<think>so</think>Gone<|im_end|>");
        assertEquals(expected, turns(chatml, new ThinkingMarkers("<think>", "</think>"), false));
        assertEquals(expected, turns(chatml, null, true));
        String bare = "{% for m in messages %}{{ m.role }}: {{ m.content | trim }}\n{% endfor %}";
        assertEquals(
                List.of("assistant: <think>hm</think>Yes.", "assistant: <think>so</think>Gone"),
                turns(bare, null, false));
    }

    @Test
    void generationBlocksAreTheAnswerWhereThereAreSome() {
        String blocks =
                "{% for m in messages %}{% if m.role == 'assistant' %}A:{% generation %}{{ m.content }}{% endgeneration %}"
                        + "{% else %}{{ m.content }}{% endif %}{% endfor %}";
        assertEquals(List.of(" <think>hm</think>Yes. ", "<think>so</think>Gone"), turns(blocks, null, false));
    }

    /** A template that prints earlier turns without thoughts: their beginnings are not those of the prompts for them. */
    @Test
    void turnsThatArePrintedOtherwiseLaterReachFromTheirFirstTextToTheEndToken() {
        String drops = "{% for m in messages %}{{ m.role }} of {{ messages | length }}>"
                + "{% set c = m.content if loop.last else m.content.split('</think>')[-1] | trim %}{{ c }}</s> {% endfor %}"
                + "{% if add_generation_prompt %}assistant>{% endif %}";
        assertEquals(
                List.of("Yes.</s>", "<think>so</think>Gone</s>"),
                turns(drops, new ThinkingMarkers("<think>", "</think>"), false));
    }

    @Test
    void tokensThatReachIntoASpanAreLearned() {
        String text = "\uD83C\uDFF4ab cd"; // code points: flag 0, a 1, b 2, space 3, c 4, d 5
        Encoding tokens = new Encoding(new int[6], new int[] {0, 0, 1, 2, 3, 5}, new int[] {0, 1, 2, 4, 5, 6});
        assertArrayEquals(
                new boolean[] {false, false, false, true, true, false},
                TrainingMask.of(text, tokens, List.of(new Span(3, 4), new Span(5, 6))));
        assertArrayEquals(new boolean[6], TrainingMask.of(text, tokens, List.of()));
        assertArrayEquals(
                new boolean[] {false, true, true, true, true, true},
                TrainingMask.of(text, tokens, List.of(new Span(0, text.length()))));
    }
}
