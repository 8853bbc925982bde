package dev.tiller.loader.template;

import static org.junit.jupiter.api.Assertions.assertEquals;
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
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Spans of tool calls are whole; and the spans of all roles hold what changes when that part of a message changes. */
class CallSpansTest {
    private static final LocalDateTime NOW = LocalDateTime.of(2025, 1, 15, 12, 0);

    private static final String TWO_CALLS = """
            [{"role": "user", "content": "Sun?"},
             {"role": "assistant", "content": "", "tool_calls": [
               {"id": "abcdef123", "type": "function", "function": {"name": "f", "arguments": {"city": "Rome", "days": 21}}},
               {"id": "abcdef456", "type": "function", "function": {"name": "g", "arguments": {"at": {"x": 77}}}}]},
             {"role": "tool", "tool_call_id": "abcdef123", "name": "f", "content": "rain"},
             {"role": "tool", "tool_call_id": "abcdef456", "name": "g", "content": "snow"},
             {"role": "assistant", "content": "Rain and snow."},
             {"role": "user", "content": "Oh."}]
            """;

    private static List<JsonElement> messages(String json) {
        return JsonParser.parseString(json).getAsJsonArray().asList();
    }

    private static List<String> calls(String perCall, String around) {
        String source = "{% for m in messages %}{{ m.role }}:{{ m.content }}{% if m.tool_calls %}"
                + around.formatted("{% for c in m.tool_calls %}" + perCall + "{% endfor %}")
                + "{% endif %}<end>\n{% endfor %}";
        ChatTemplate template = ChatTemplate.parse(source, "t");
        RoleSpans.Rendering rendering =
                new RoleSpans.Rendering(template, messages(TWO_CALLS), null, false, Map.of(), NOW);
        String text = rendering.chat().text();
        return RoleSpans.all(rendering, text, null).stream()
                .filter(s -> s.message() == 1)
                .map(s -> text.substring(s.span().start(), s.span().end()))
                .toList();
    }

    /** A template's text for a call; what is around all calls; the span of the second call. */
    private static final String[][] FORMS = {
        {"{{ c.function | tojson }}", "[%s]", "{\"name\": \"g\", \"arguments\": {\"at\": {\"x\": 77}}}"},
        {
            "{{ c.function | tojson }}{{ ', ' if not loop.last }}",
            "[%s]",
            "{\"name\": \"g\", \"arguments\": {\"at\": {\"x\": 77}}}"
        },
        {
            "<call>{{ c.function.name }}{% for k, v in c.function.arguments|items %}<a>{{ v }}</a>{% endfor %}</call>",
            "%s",
            "<call>g<a>{'x': 77}</a></call>"
        },
        {
            "<call>\n{{ c.function | tojson }}\n</call>\n",
            "<calls>\n%s</calls>",
            "<call>\n{\"name\": \"g\", \"arguments\": {\"at\": {\"x\": 77}}}\n</call>"
        },
        {
            "[{{ loop.index0 }}] {{ c.function.name }}({{ c.function.arguments.values()|list }})",
            "%s",
            "[1] g([{'x': 77}])"
        }
    };

    @Test
    void aCallIsAllThatIsPrintedForIt() {
        for (String[] form : FORMS) {
            List<String> found = calls(form[0], form[1]);
            assertEquals(2, found.size(), found.toString());
            assertEquals(form[2], found.get(1));
            String first = found.get(0);
            assertEquals(form[2].substring(0, 1), first.substring(0, 1));
            assertTrue(first.contains("21") && first.endsWith(form[2].substring(form[2].length() - 1)), first);
        }
    }

    /** Where a second call is refused, words in place of the call show where it stands. */
    @Test
    void aTemplateOfSingleCalls() {
        String source = "{% for m in messages %}{% if m.tool_calls %}{% if m.tool_calls|length > 1 %}"
                + "{{ raise_exception('one') }}{% endif %}<a>{{ m.tool_calls[0].function | tojson }}<eot>"
                + "{% else %}<{{ m.role }}>{{ m.content }}<eot>{% endif %}{% endfor %}";
        String said = "[{'role':'user','content':'a'},{'role':'assistant','content':'','tool_calls':["
                + "{'function':{'name':'f','arguments':{'x':5}}}]},{'role':'tool','content':'b'}]";
        ChatTemplate template = ChatTemplate.parse(source.replace("<{{ m.role }}>", "<a>"), "t");
        RoleSpans.Rendering rendering =
                new RoleSpans.Rendering(template, messages(said.replace('\'', '"')), null, true, Map.of(), NOW);
        String text = rendering.chat().text();
        List<String> found = RoleSpans.all(rendering, text, null).stream()
                .map(s -> text.substring(s.span().start(), s.span().end()))
                .toList();
        assertEquals(List.of("a", "{\"name\": \"f\", \"arguments\": {\"x\": 5}}", "b"), found);
    }

    /** All renderings share one bound on steps, also those that fail; behind it calls are their strings. */
    @Test
    void stepsForAllCallsAreBounded() {
        String fails = "{% if m.tool_calls|length > 1 %}{{ raise_exception('one') }}{% endif %}";
        for (String second : List.of("", fails)) {
            String source = "{% for i in range(2000) %}{% endfor %}{% for m in messages %}{% if m.tool_calls %}"
                    + "{% for c in m.tool_calls %}<{{ c.function | tojson }}>{% endfor %}" + second
                    + "{% else %}({{ m.content }}){% endif %}{% endfor %}";
            List<Object> messages = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                Map<String, Object> function = new TreeMap<>(Map.of("name", "f", "arguments", Map.of("x", "v" + i)));
                messages.add(Map.of("role", "user", "content", "u" + i));
                messages.add(Map.of("role", "assistant", "tool_calls", List.of(Map.of("function", function))));
            }
            RoleSpans.Rendering rendering =
                    new RoleSpans.Rendering(ChatTemplate.parse(source, "t"), messages, null, false, Map.of(), NOW);
            String text = rendering.chat().text();
            List<RoleSpan> strings = RoleSpans.all(rendering, text, null, 0);
            List<RoleSpan> whole = RoleSpans.all(rendering, text, null);
            List<RoleSpan> some = RoleSpans.all(rendering, text, null, 40_000);
            int bounded = 0;
            for (int i = 1; i < whole.size(); i += 2) {
                assertTrue(strings.get(i).span().start() > whole.get(i).span().start(), whole + " " + strings);
                bounded += some.get(i).equals(whole.get(i)) ? 0 : 1;
                assertEquals(bounded == 0 ? whole.get(i) : strings.get(i), some.get(i));
            }
            assertTrue(bounded > 0 && bounded < 12, "bounded: " + bounded);
        }
    }

    /** A change of one leaf of a message: its path ends in a value, which becomes another. */
    private record Change(int message, String role, int call, String from, String to) {}

    private static final List<Change> CHANGES = List.of(
            new Change(0, "user", -1, "Sun?", "Zun?"),
            new Change(1, "assistant", 0, "\"name\": \"f\", \"arg", "\"name\": \"q\", \"arg"),
            new Change(1, "assistant", 0, "Rome", "Zome"),
            new Change(1, "assistant", 0, "21", "61"),
            new Change(1, "assistant", 1, "\"name\": \"g\", \"arg", "\"name\": \"q\", \"arg"),
            new Change(1, "assistant", 1, "77", "97"),
            new Change(2, "tool", -1, "rain", "zain"),
            new Change(3, "tool", -1, "\"snow\"", "\"znow\""),
            new Change(4, "assistant", -1, "Rain and snow.", "Zain and snow."),
            new Change(5, "user", -1, "Oh.", "Uh."));

    /**
     * Every real template: where its text changes with a part of the conversation, there is a span of that part. Only the
     * first place counts, since some templates repeat the name of a function with its result.
     */
    @Test
    void spansHoldWhatChanges() throws IOException {
        Path folder = SharedFiles.require("fixtures/templates");
        JsonObject goldens = JsonParser.parseString(Files.readString(folder.resolve("goldens.json")))
                .getAsJsonObject();
        Map<String, Object> variables = new HashMap<>();
        goldens.getAsJsonObject("constants").asMap().forEach((k, v) -> variables.put(k, v.getAsString()));
        variables.put("tools", null);
        Map<String, Integer> seen = new TreeMap<>();
        List<Path> files;
        try (Stream<Path> all = Files.list(folder)) {
            files = all.filter(f -> f.toString().endsWith(".jinja")).sorted().toList();
        }
        for (Path file : files) {
            ChatTemplate template = ChatTemplate.parse(
                    Files.readString(file), file.getFileName().toString());
            List<String> conversations = new ArrayList<>(List.of(TWO_CALLS));
            conversations.add(oneCall()); // for templates that take no second one
            for (String said : conversations) {
                RoleSpans.Rendering rendering =
                        new RoleSpans.Rendering(template, messages(said), null, true, variables, NOW);
                try {
                    check(rendering, said, seen);
                    seen.merge("conversations", 1, Integer::sum);
                } catch (TemplateException e) {
                    seen.merge("refused", 1, Integer::sum);
                }
            }
        }
        System.out.println("changes of real templates: " + seen);
        assertTrue(
                seen.get("assistant call") > 100 && seen.get("tool") > 50 && seen.get("user") > 100, seen.toString());
    }

    private static String oneCall() {
        String call = TWO_CALLS
                .lines()
                .filter(l -> l.contains("\"g\", \"arg"))
                .findFirst()
                .orElseThrow();
        return TWO_CALLS
                .replace(call, "]},")
                .replace("21}}},", "21}}}")
                .lines()
                .filter(l -> !l.contains("snow\"}"))
                .reduce("", (a, b) -> a + b + "\n");
    }

    private static void check(RoleSpans.Rendering rendering, String said, Map<String, Integer> seen) {
        String text = rendering.chat().text();
        List<RoleSpan> spans;
        try {
            spans = RoleSpans.all(
                    rendering, text, rendering.template().thinking().orElse(null));
        } catch (TillerException e) {
            throw new AssertionError(rendering.template().name() + ": " + e.getMessage(), e);
        }
        for (Change change : CHANGES) {
            String other = said.replace(change.from, change.to);
            if (other.equals(said)) {
                continue;
            }
            RoleSpans.Rendering changed = new RoleSpans.Rendering(
                    rendering.template(), messages(other), null, true, rendering.variables(), NOW);
            String otherText = changed.chat().text();
            int at = 0;
            while (at < text.length() && at < otherText.length() && text.charAt(at) == otherText.charAt(at)) {
                at++;
            }
            if (at == text.length() && at == otherText.length()) {
                continue; // the template leaves that out
            }
            int place = at;
            List<RoleSpan> there = spans.stream()
                    .filter(s -> s.span().start() <= place && place < s.span().end())
                    .toList();
            String shown = rendering.template().name() + " " + change + ": " + spans + "\n" + text;
            assertEquals(1, there.size(), shown);
            assertEquals(change.role, there.getFirst().role(), shown);
            int message = there.getFirst().message();
            boolean fewer = messages(said).size() < messages(TWO_CALLS).size() && change.message > 3;
            assertEquals(change.message - (fewer ? 1 : 0), message, shown);
            if (change.call >= 0) {
                List<RoleSpan> calls =
                        spans.stream().filter(s -> s.message() == message).toList();
                assertEquals(
                        there.getFirst(),
                        calls.get(calls.size() - (said.equals(TWO_CALLS) ? 2 : 1) + change.call),
                        shown);
            }
            seen.merge(change.role + (change.call >= 0 ? " call" : ""), 1, Integer::sum);
        }
    }
}
