package dev.tiller.loader.template;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonParser;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.template.TemplateException.Kind;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The public surface: messages in, text and spans out. */
class ChatTemplateTest {
    private static final List<Message> TALK =
            List.of(new Message("user", "Hi 🏴"), new Message("assistant", "Hello"), new Message("user", "Bye"));

    private static RenderedChat render(String source, boolean prompt) {
        return ChatTemplate.parse(source, "t").render(TALK, null, prompt, Map.of("bos_token", "<s>"));
    }

    private static List<String> marked(RenderedChat chat) {
        return chat.generationSpans().stream()
                .map(span -> chat.text().substring(span.start(), span.end()))
                .toList();
    }

    @Test
    void messagesBecomeAPrompt() {
        String source = "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m['content'] }}{% endfor %}"
                + "{% if add_generation_prompt %}<assistant>{% endif %}{{ tools is defined }}";
        assertEquals(
                "<s><user>Hi 🏴<assistant>Hello<user>Bye<assistant>False",
                render(source, true).text());
        assertEquals(
                "<s><user>Hi 🏴<assistant>Hello<user>ByeFalse",
                render(source, false).text());
        assertTrue(render(source, false).generationSpans().isEmpty());
    }

    @Test
    void messagesMayBeMapsOrJson() {
        ChatTemplate template =
                ChatTemplate.parse("{% for m in messages %}{{ m.role }}{{ m.x }};{% endfor %}{{ tools }}", "t");
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("role", "a");
        map.put("x", 1);
        List<Object> messages =
                List.of(map, JsonParser.parseString("{\"role\": \"b\", \"x\": 1.0}"), new Message("c", null));
        List<?> tools = List.of(Map.of("n", 2));
        assertEquals(
                "a1;b1.0;c;[{'n': 2}]",
                template.render(messages, tools, false, Map.of()).text());
    }

    @Test
    void generationBlocksAreSpansOfTheText() {
        String source = "{% for m in messages %}<{{ m.role }}>\n{% if m.role == 'assistant' %}"
                + "{% generation %}\n{{ m.content }}.{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}";
        RenderedChat chat = render(source, false);
        assertEquals("<user>\nHi 🏴<assistant>\nHello.<user>\nBye", chat.text());
        assertEquals(List.of("Hello."), marked(chat));
    }

    @Test
    void spansFollowTextThatIsPrintedUnchanged() {
        String source = "{% macro say(m) %}[{% generation %}{{ m.content }}{% endgeneration %}]{% endmacro %}"
                + "{% for m in messages %}{{ say(m) }}{% endfor %}"
                + "{% set last %}({% generation %}end{% endgeneration %}){% endset %}{{ last }}{{ last }}";
        RenderedChat chat = render(source, false);
        assertEquals("[Hi 🏴][Hello][Bye](end)(end)", chat.text());
        assertEquals(List.of("Hi 🏴", "Hello", "Bye", "end", "end"), marked(chat));
    }

    @Test
    void spansThatGetLostAreAnError() {
        String source = "{% macro say(m) %} {% generation %}{{ m.content }}{% endgeneration %}{% endmacro %}"
                + "{{ say(messages[0])|trim }}";
        TemplateException error = assertThrows(TemplateException.class, () -> render(source, false));
        assertTrue(error.detail().contains("generation block"), error.getMessage());
        ChatTemplate template = ChatTemplate.parse(source, "t");
        assertEquals("Hi 🏴", template.render(Map.of("messages", TALK), java.time.LocalDateTime.now()));
    }

    @Test
    void assignmentsInsideGenerationBlocksStayThere() {
        assertEquals(
                "1",
                render("{% set x = 1 %}{% generation %}{% set x = 2 %}{% endgeneration %}{{ x }}", false)
                        .text());
    }

    @Test
    void anErrorLeavesNoText() {
        String source = "some text{% generation %}more{% endgeneration %}{{ raise_exception('no') }}";
        TemplateException error = assertThrows(TemplateException.class, () -> render(source, false));
        assertEquals(Kind.TEMPLATE, error.kind());
        assertEquals("no", error.detail());
    }

    @Test
    void aTemplateRendersManyTimes() {
        ChatTemplate template =
                ChatTemplate.parse("{% set ns = namespace(n=0) %}{% set ns.n = ns.n + 1 %}{{ ns.n }}", "t");
        for (int i = 0; i < 3; i++) {
            assertEquals("1", template.render(TALK, null, false, Map.of()).text());
        }
    }

    @Test
    void jsonNumbersKeepTheirKind() {
        Object value = TemplateValues.of(JsonParser.parseString(
                "{\"z\": 1, \"a\": 1.0, \"e\": 1e2, \"big\": 123456789012345678901, \"l\": [null, true, \"s\"]}"));
        List<Object> list = new ArrayList<>(List.of(true, "s"));
        list.addFirst(null);
        Map<String, Object> expected = new LinkedHashMap<>();
        expected.put("z", 1L);
        expected.put("a", 1.0);
        expected.put("e", 100.0);
        expected.put("big", new BigInteger("123456789012345678901"));
        expected.put("l", list);
        assertEquals(expected, value);
        assertEquals("[z, a, e, big, l]", ((Map<?, ?>) value).keySet().toString());
    }

    @Test
    void foreignTypesAreRefused() {
        ChatTemplate template = ChatTemplate.parse("x", "chat.jinja");
        TillerException error = assertThrows(
                TillerException.class, () -> template.render(TALK, null, false, Map.of("when", new Object())));
        assertTrue(error.getMessage().startsWith("chat.jinja: variable 'when': "), error.getMessage());
        assertTrue(error.getMessage().contains("java.lang.Object"), error.getMessage());
    }

    @Test
    void theCallersDataIsNeverChanged() {
        List<Object> items = new ArrayList<>(List.of(3, 1, 2));
        render("{{ messages|sort(attribute='content') }}", false);
        ChatTemplate.parse("{{ xs|sort }}{{ xs|reverse|list }}{% set y = xs + [4] %}", "t")
                .render(TALK, null, false, Map.of("xs", items));
        assertEquals(List.of(3, 1, 2), items);
    }
}
