package dev.tiller.loader.template;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
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

    private static List<String> all(String template, String messages, ThinkingMarkers thinking) {
        ChatTemplate parsed = ChatTemplate.parse(template, "t");
        List<JsonElement> said = JsonParser.parseString(messages.replace('\'', '"'))
                .getAsJsonArray()
                .asList();
        RoleSpans.Rendering rendering = new RoleSpans.Rendering(parsed, said, null, true, Map.of(), NOW);
        String text = rendering.chat().text();
        return RoleSpans.all(rendering, text, thinking).stream()
                .map(s -> s.message() + " " + s.role() + ":"
                        + text.substring(s.span().start(), s.span().end()))
                .toList();
    }

    @Test
    void thoughtsPartsAndToolCallsHavePlacesToo() {
        ThinkingMarkers think = new ThinkingMarkers("<think>", "</think>");
        String plain = "{% for m in messages %}{{ m.content }};{% endfor %}";
        assertEquals(
                List.of("0 user:a", "1 thinking:hm", "1 thinking:more", "1 assistant:yes", "2 user:</think> b"),
                all(
                        plain,
                        "[{'role':'user','content':'a'},"
                                + "{'role':'assistant','content':'<think> hm </think><think>more</think> yes '},"
                                + "{'role':'user','content':'</think> b'}]",
                        think));
        String parts = "{% for m in messages %}{% for p in m.content %}{{ p.text | trim }}|{% endfor %}{% endfor %}";
        assertEquals(
                List.of("0 user:one", "0 user:two", "1 tool:three"),
                all(
                        parts,
                        "[{'role':'user','content':[{'type':'text','text':' one'},{'type':'text','text':'two'}]},"
                                + "{'role':'tool','content':[{'type':'text','text':'three'}]}]",
                        null));
        String calls = "{% for m in messages %}{{ m.reasoning_content }}{{ m.content }}{% for c in m.tool_calls %}"
                + "<call>{{ c.function | tojson }}</call>{% endfor %}{% endfor %}";
        assertEquals(
                List.of(
                        "0 thinking:why",
                        "0 assistant:<call>{\"name\": \"f\", \"arguments\": {\"n\": 1, \"city\": [\"Paris\", \"Rome\"]}}</call>",
                        "0 assistant:<call>{\"name\": \"g\", \"arguments\": {\"m\": 2}}</call>"),
                all(
                        calls,
                        "[{'role':'assistant','content':'','reasoning_content':'why','tool_calls':["
                                + "{'function':{'name':'f','arguments':{'n':1,'city':['Paris','Rome']}}},"
                                + "{'function':{'name':'g','arguments':{'m':2}}}]}]",
                        null));
    }

    /** What minds the marks around a call's name does not keep the words from being found. */
    @Test
    void whereOnlySomeMarksAreTakenTheOthersAreFound() {
        String picky =
                "{% for m in messages %}{{ m.content }}{% for c in m.tool_calls %}{% if c.function.name == 'f' %}F"
                        + "{% else %}{{ raise_exception('no f') }}{% endif %}{{ c.function.arguments.x }}{% endfor %};{% endfor %}";
        String chat = "[{'role':'user','content':'a'},{'role':'assistant','content':'b','tool_calls':["
                + "{'function':{'name':'f','arguments':{'x':'y'}}}]}]";
        assertEquals(List.of("0 user:a", "1 assistant:b", "1 assistant:Fy"), all(picky, chat, null));
        String looks = "{% for m in messages %}{{ 'A' if m.content == 'a' else m.content }}{% endfor %}";
        assertThrows(TillerException.class, () -> all(looks, chat, null));
    }

    /**
     * Every conversation of every real template: spans are texts of their message (as the template escapes them), all that is
     * printed is found, and an assistant's turns hold its texts and nobody else's.
     */
    @Test
    void everySpanOfRealTemplates() throws IOException {
        Path folder = SharedFiles.require("fixtures/templates");
        JsonObject goldens = JsonParser.parseString(Files.readString(folder.resolve("goldens.json")))
                .getAsJsonObject();
        Map<String, Integer> found = new TreeMap<>();
        List<String> refused = new ArrayList<>();
        for (JsonElement e : goldens.getAsJsonArray("cases")) {
            JsonObject c = e.getAsJsonObject();
            if (c.has("error")) {
                continue;
            }
            String file = c.get("template").getAsString();
            ChatTemplate template = TEMPLATES.computeIfAbsent(file, f -> parse(folder.resolve(f)));
            RoleSpans.Rendering rendering = rendering(template, goldens, c);
            RenderedChat chat = rendering.chat();
            assertEquals(c.get("output").getAsString(), chat.text());
            String which = file + " " + c.get("conversation").getAsString();
            try {
                List<RoleSpan> spans = RoleSpans.all(
                        rendering, chat.text(), template.thinking().orElse(null));
                check(which, rendering, chat, spans);
                spans.forEach(s -> found.merge(s.role(), 1, Integer::sum));
            } catch (TillerException x) {
                // a template that knows no parts prints the list as Python would, with escapes for marks
                if (!chat.text().contains("{'type': 'text', 'text': ")) {
                    refused.add(which + ": " + x.getMessage());
                }
            }
        }
        System.out.println("spans of real templates: " + found + ", refused " + refused);
        assertEquals(List.of(), refused);
        assertTrue(found.get("thinking") > 40 && found.get("tool") > 40, found.toString());
    }

    private static final Map<String, ChatTemplate> TEMPLATES = new HashMap<>();

    private static ChatTemplate parse(Path file) {
        try {
            return ChatTemplate.parse(Files.readString(file), file.getFileName().toString());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static RoleSpans.Rendering rendering(ChatTemplate template, JsonObject goldens, JsonObject c) {
        Map<String, Object> variables = new HashMap<>();
        variables.put("tools", null);
        variables.put("documents", null);
        variables.putAll(goldens.getAsJsonObject("constants").asMap());
        variables.replaceAll((k, v) -> v instanceof JsonPrimitive p ? p.getAsString() : v);
        if (c.has("variables")) {
            variables.putAll(c.getAsJsonObject("variables").asMap());
        }
        boolean tools = c.has("tools") && c.get("tools").getAsBoolean();
        return new RoleSpans.Rendering(
                template,
                goldens.getAsJsonObject("conversations")
                        .getAsJsonArray(c.get("conversation").getAsString())
                        .asList(),
                tools ? goldens.getAsJsonArray("tools").asList() : null,
                c.get("add_generation_prompt").getAsBoolean(),
                variables,
                NOW);
    }

    private static void check(String which, RoleSpans.Rendering rendering, RenderedChat chat, List<RoleSpan> spans) {
        List<Span> turns = AssistantSpans.find(
                rendering, chat, rendering.template().thinking().orElse(null));
        int end = 0;
        for (Span turn : turns) {
            assertTrue(turn.start() >= end && turn.end() > turn.start(), which + ": " + turns);
            end = turn.end();
        }
        for (RoleSpan s : spans) {
            JsonObject message = ((JsonElement) rendering.messages().get(s.message())).getAsJsonObject();
            String text = chat.text().substring(s.span().start(), s.span().end());
            boolean call = message.has("tool_calls") && s.role().equals("assistant");
            String said = message.toString();
            String asJson = new JsonPrimitive(text).toString();
            String core = asJson.substring(1, asJson.length() - 1);
            assertTrue(
                    call
                            || said.contains(core)
                            || message.get("content").getAsString().contains(text)
                            || said.contains(text),
                    which + ": " + text + " in " + said);
            boolean own = s.role().equals("assistant") || s.role().equals(RoleSpans.THINKING);
            long inside = turns.stream()
                    .filter(t -> t.start() <= s.span().start() && s.span().end() <= t.end())
                    .count();
            long across = turns.stream()
                    .filter(t -> t.start() < s.span().end() && s.span().start() < t.end())
                    .count();
            assertEquals(own ? 1 : 0, inside, which + ": " + text + " of " + s.role() + " in " + turns);
            assertEquals(inside, across, which + ": " + text);
        }
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
