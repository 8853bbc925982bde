package dev.tiller.loader.template;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RoleSpansTest {
    private static final String CHATML =
            "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
                    + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
    private static final LocalDateTime NOW = LocalDateTime.of(2025, 1, 15, 12, 0);

    private static List<String> words(String template, List<Message> messages, ThinkingMarkers thinking) {
        ChatTemplate parsed = ChatTemplate.parse(template, "t");
        String text = parsed.render(messages, null, true, Map.of(), NOW).text();
        List<String> out = new ArrayList<>();
        for (RoleSpan s : RoleSpans.find(parsed, messages, true, Map.of(), NOW, text, thinking)) {
            assertEquals(messages.get(s.message()).role(), s.role());
            out.add(s.message() + ":"
                    + text.substring(s.span().start(), s.span().end()));
        }
        return out;
    }

    private static Message m(String role, String content) {
        return new Message(role, content);
    }

    @Test
    void wordsOfMessagesAreFoundThoughTheyStandElsewhereToo() {
        List<Message> chat =
                List.of(m("system", "user"), m("user", "assistant"), m("assistant", "user"), m("user", "a"));
        assertEquals(List.of("0:user", "1:assistant", "2:user", "3:a"), words(CHATML, chat, null));
        assertEquals(List.of("1:x"), words(CHATML, List.of(m("system", ""), m("user", "  x\n")), null));
    }

    @Test
    void trimmingAndLeavingOutAreSeenThrough() {
        String trims = "{% for m in messages %}[{{ m.content | trim }}]{% endfor %}";
        assertEquals(List.of("0:a b", "1:c"), words(trims, List.of(m("user", " a b "), m("assistant", "c\n")), null));
        String onlyLast = "{{ messages[-1].content }}";
        assertEquals(List.of("1:two"), words(onlyLast, List.of(m("user", "one"), m("user", "two")), null));
        String systemLast = "{{ messages[1].content }} ({{ messages[0].content }})";
        assertEquals(List.of("1:two", "0:one"), words(systemLast, List.of(m("system", "one"), m("user", "two")), null));
    }

    @Test
    void thoughtsAreNotWords() {
        ThinkingMarkers think = new ThinkingMarkers("<think>", "</think>");
        String drops = "{% for m in messages %}{{ m.content.split('</think>')[-1].lstrip('\n') }};{% endfor %}";
        List<Message> chat = List.of(m("assistant", "<think>\nhm\n</think>\n\nyes"), m("user", "no"));
        assertEquals(List.of("0:yes", "1:no"), words(drops, chat, think));
    }

    @Test
    void aTemplateThatChangesTheWordsIsRefused() {
        for (String template : List.of(
                "{{ messages[0].content | upper }}{{ messages[0].content | length }}",
                "{{ messages[0].content[:2] }}",
                "{% if messages[0].content == 'abc' %}yes{% else %}no{% endif %}",
                "{{ messages[0].content | tojson }}",
                "{% if messages[0].content != 'abc' %}{{ raise_exception('odd') }}{% endif %}abc")) {
            List<Message> chat = List.of(m("user", "abc"));
            String message = null;
            List<String> found = null;
            try {
                found = words(template, chat, null);
            } catch (TillerException e) {
                message = e.getMessage();
            }
            if (template.contains("tojson")) {
                assertEquals(List.of("0:abc"), found);
            } else {
                assertTrue(message != null && message.contains("places"), template + ": " + message + found);
            }
        }
        List<Message> odd = List.of(m("user", Character.toString(0xF0003)));
        assertThrows(TillerException.class, () -> words(CHATML, odd, null));
    }

    /** Every conversation of plain texts through every real template: what is found are the words, and little is refused. */
    @Test
    void realTemplates() throws IOException {
        Path folder = SharedFiles.require("fixtures/templates");
        JsonObject goldens = JsonParser.parseString(Files.readString(folder.resolve("goldens.json")))
                .getAsJsonObject();
        Map<String, Object> constants = new HashMap<>();
        goldens.getAsJsonObject("constants").asMap().forEach((k, v) -> constants.put(k, v.getAsString()));
        int found = 0;
        List<String> refused = new ArrayList<>();
        for (JsonElement e : goldens.getAsJsonArray("cases")) {
            JsonObject c = e.getAsJsonObject();
            List<Message> chat = plain(goldens.getAsJsonObject("conversations")
                    .getAsJsonArray(c.get("conversation").getAsString()));
            boolean generation = c.get("add_generation_prompt").getAsBoolean();
            if (chat == null || c.has("error") || c.has("tools") || c.has("variables")) {
                continue;
            }
            String file = c.get("template").getAsString();
            String source = Files.readString(folder.resolve(file));
            ChatTemplate template = ChatTemplate.parse(source, file);
            String text =
                    template.render(chat, null, generation, constants, NOW).text();
            Optional<ThinkingMarkers> thinking = ThinkingMarkers.of(source);
            try {
                for (RoleSpan s :
                        RoleSpans.find(template, chat, generation, constants, NOW, text, thinking.orElse(null))) {
                    String words = text.substring(s.span().start(), s.span().end());
                    String said = chat.get(s.message()).content();
                    assertTrue(!words.isBlank() && said.contains(words), file + ": " + words + " in " + said);
                    assertTrue(
                            said.endsWith(words)
                                    || Text.strip(said, null, true, true).endsWith(words),
                            file + ": " + words + " in " + said);
                }
                found++;
            } catch (TillerException x) {
                refused.add(file + " " + c.get("conversation").getAsString() + ": " + x.getMessage());
            }
        }
        assertTrue(found > 600 && refused.size() < 5, found + " found, refused: " + refused);
    }

    private static List<Message> plain(Iterable<JsonElement> conversation) {
        List<Message> out = new ArrayList<>();
        for (JsonElement e : conversation) {
            JsonObject o = e.getAsJsonObject();
            if (o.size() != 2 || !o.get("content").isJsonPrimitive()) {
                return null;
            }
            out.add(m(o.get("role").getAsString(), o.get("content").getAsString()));
        }
        return out;
    }
}
