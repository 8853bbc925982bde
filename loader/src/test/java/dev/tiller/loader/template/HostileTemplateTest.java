package dev.tiller.loader.template;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.template.TemplateException.Kind;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Templates that want too much time, text or stack: each must end in an error that says so. */
class HostileTemplateTest {
    private static final LocalDateTime NOW = LocalDateTime.parse("2025-01-15T12:00:00");

    static Stream<String> tooMuch() {
        return Stream.of(
                // Time.
                loops(6, "x"),
                "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
                "{% for i in range(100000) %}{{ range(100000)|sum }}{% endfor %}",
                "{% set l = range(100000)|list %}{% for i in l %}{% if i in l[::-1] %}{% endif %}{% endfor %}",
                "{% set l = range(100000)|list %}{{ l|map('string')|map('length')|unique|list }}"
                        + "{{ (l + l)|unique|list|length }}",
                "{% set ns = namespace(s='ab') %}{% for i in range(99999) %}{% set x = (ns.s * 900)|replace('a','b') %}"
                        + "{% endfor %}{% for i in range(99999) %}{{ 'ab' * 3000 in 'a' * 6000 }}{% endfor %}",
                "{% set s = 'é🏴' * 2000000 %}{% for i in range(99999) %}{{ s|length }}{% endfor %}",
                "{% set s = 'é🏴' * 2000000 %}{% for i in range(99999) %}{{ s[i] }}{% endfor %}",
                "{% set s = 'é🏴' * 2000000 %}{% for i in range(99999) %}{{ s[i:i + 1] }}{% endfor %}",
                "{% set s = 'a' * 9000000 %}{% for i in range(99999) %}{{ s == 'a' * 8999999 ~ 'b' }}{% endfor %}",
                "{% set s = 'a' * 9000000 %}{% for i in range(99999) %}{{ s.find('b') }}{% endfor %}",
                "{% set s = 'a' * 9000000 %}{% for i in range(99999) %}{{ s.rfind('b' ~ s[1:]) }}{% endfor %}",
                "{% set s = 'a' * 9000000 %}{% for i in range(99999) %}{{ s|replace('b', '') is upper }}{% endfor %}",
                "{% set s = 'a' * 9000000 %}{% for i in range(99999) %}{{ 'a'.strip(s) }}{% endfor %}",
                "{% set s = '1' * 9000000 %}{% for i in range(99999) %}{{ s|int }}{% endfor %}",
                "{% set n = 7 ** 2900 %}{% for i in range(99999) %}{% for j in range(99) %}{% set m = n * 7 // n * n % n %}"
                        + "{% endfor %}{% endfor %}",
                "{% for k in range(99999) %}{% set d = dict(a=1, b=2) %}{% for a, b in d|dictsort %}{% endfor %}"
                        + "{% for j in range(99) %}{% set x = d.items()|list %}{% endfor %}{% endfor %}",
                "{% set l = range(99999)|list %}{% for i in l %}{% set x = l|sort(reverse=true)|first %}{% endfor %}",
                // Text.
                "{{ ('%s' * 9) % (('a' * 99999999,) * 9) }}",
                "{{ (['a'] * 99999)|join('b' * 99999) }}",
                "{{ ['a' * 99999] * 9999 }}",
                "{% filter upper %}{% for i in range(99999) %}{{ 'a' * 9999 }}{% endfor %}{% endfilter %}",
                "{{ 'a' * 1000000000 }}",
                "{{ 'ab' * (10 ** 18) }}",
                "{{ 1000000000 * 'a' }}",
                "{% set ns = namespace(s='a') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
                "{% set ns = namespace(s='a') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
                "{% set ns = namespace(s='ab') %}{% for i in range(60) %}"
                        + "{% set ns.s = ns.s|replace('', ns.s) %}{% endfor %}",
                "{% set ns = namespace(s='ab') %}{% for i in range(60) %}"
                        + "{% set ns.s = ns.s.join([ns.s, ns.s, ns.s]) %}{% endfor %}",
                "{% set ns = namespace(s='<') %}{% for i in range(60) %}"
                        + "{% set ns.s = (ns.s|e)|string ~ ns.s %}{% endfor %}",
                "{% set s %}{% for i in range(100000) %}{{ 'a' * 10000 }}{% endfor %}{% endset %}",
                "{{ '%1000000000d' % 1 }}",
                "{{ '%.1000000000f' % 1.5 }}",
                "{{ '%*d' % (10 ** 12, 1) }}",
                "{{ '{:>1000000000}'.format(1) }}",
                "{{ '{:01000000000d}'.format(1) }}",
                "{{ 'a'.center(1000000000) }}",
                "{{ 'a'.ljust(10 ** 15) }}",
                "{{ '1'.zfill(10 ** 15) }}",
                "{{ '\\t'.expandtabs(10 ** 15) }}",
                "{{ 'a'|center(10 ** 12) }}",
                "{{ 'a\\nb'|indent(10 ** 12) }}",
                "{{ [[1]]|tojson(indent=10 ** 12) }}",
                "{{ [1, 2]|join('a' * 100000000) }}{{ [1, 2]|join('a' * 100000000) }}",
                // Lists.
                "{{ [0] * (10 ** 12) }}",
                "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
                "{% set ns = namespace(l=[]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}"
                        + "{{ ns.l }}",
                "{% set ns = namespace(l=[]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}"
                        + "{{ ns.l|tojson }}",
                "{% set ns = namespace(l=[], m=[]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}"
                        + "{% set ns.m = [ns.m, ns.m] %}{% endfor %}{{ ns.l == ns.m }}",
                "{% for i in range(9999) %}{% set x = [1]|batch(99999, 'f')|list %}{% endfor %}",
                "{% for i in range(9999) %}{% set x = [1]|slice(99999, 'f')|list %}{% endfor %}",
                "{% for i in range(99999) %}{% set x = ('a ' * 999).split() %}{% endfor %}",
                // Depth.
                "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
                "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
                "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}",
                "{% macro m(x=m()) %}{% endmacro %}{% macro m(x) %}{{ m(x=[x]) }}{% endmacro %}{{ m() }}",
                "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
                "{% set ns = namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
                "{% set ns = namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l = {'a': ns.l} %}{% endfor %}"
                        + "{{ ns.l|tojson }}",
                "{% set ns = namespace(l=[], m=[]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}"
                        + "{% set ns.m = [ns.m] %}{% endfor %}{{ ns.l == ns.m }}",
                "{% set ns = namespace(l=[], m=[1]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}"
                        + "{% set ns.m = [ns.m] %}{% endfor %}{{ [ns.l, ns.m]|sort }}",
                "{% set ns = namespace(g=['a']) %}{% for i in range(9999) %}{% set ns.g = ns.g|map('upper') %}"
                        + "{% endfor %}{{ ns.g|list }}",
                "{% set ns = namespace() %}{% set ns.self = {'a': [ns]} %}{{ ns.self }}",
                "{% set ns = namespace() %}{% set ns.a = [ns] %}{% set ns.b = [ns] %}{{ ns.a == ns.b }}{{ ns.a ~ ns.b }}",
                "{% set ns = namespace() %}{% set ns.self = ns %}{{ ns }}",
                "{% set ns = namespace() %}{% set ns.self = [ns] %}{{ ns.self }}");
    }

    private static String loops(int depth, String body) {
        return "{% for i in range(1000) %}".repeat(depth) + body + "{% endfor %}".repeat(depth);
    }

    @ParameterizedTest
    @MethodSource("tooMuch")
    void endsInALimit(String source) {
        TemplateException error = assertThrows(
                TemplateException.class,
                () -> ChatTemplate.parse("\n\n" + source, "hostile").render(Map.of(), NOW));
        assertEquals(Kind.LIMIT, error.kind(), error.getMessage());
        assertTrue(error.getMessage().startsWith("hostile, line 3: "), error.getMessage());
    }

    static Stream<String> tooLargeNumbers() {
        return Stream.of(
                "{{ 10 ** (10 ** 10) }}",
                "{{ 2 ** 10000000000 }}",
                "{{ 99999999999999999999 ** 99999999999999999999 }}",
                "{% for i in range(10 ** 12) %}{% endfor %}",
                "{% for i in range(10 ** 12) if false %}{% endfor %}",
                "{{ range(10 ** 12)|list|length }}",
                "{{ (10 ** 11) in range(0, 10 ** 12, 3)|map('abs') }}",
                "{{ range(10 ** 18) }}",
                "{{ range(0, -(10 ** 30), -1) }}",
                "{{ range(9223372036854775807, -9223372036854775807, -1)|list }}",
                "{% set ns = namespace(n=3) %}{% for i in range(99) %}{% set ns.n = ns.n * ns.n %}{% endfor %}");
    }

    @ParameterizedTest
    @MethodSource("tooLargeNumbers")
    void endsInAnArithmeticError(String source) {
        TemplateException error = assertThrows(
                TemplateException.class,
                () -> ChatTemplate.parse("\n\n" + source, "hostile").render(Map.of(), NOW));
        assertEquals(Kind.ARITHMETIC, error.kind(), error.getMessage());
        assertTrue(error.getMessage().startsWith("hostile, line 3: "), error.getMessage());
    }

    static Stream<String> tooDeepToParse() {
        int n = 100_000;
        return Stream.of(
                "{{ " + "(".repeat(n) + "1" + ")".repeat(n) + " }}",
                "{{ " + "[".repeat(n) + "]".repeat(n) + " }}",
                "{{ " + "{1:".repeat(n) + "1" + "}".repeat(n) + " }}",
                "{{ " + "f(".repeat(n) + ")".repeat(n) + " }}",
                "{{ " + "a[".repeat(n) + "1" + "]".repeat(n) + " }}",
                "{{ " + "-".repeat(n) + "1 }}",
                "{{ " + "- ".repeat(n) + "1 }}",
                "{{ 1" + " if a else 1".repeat(n) + " }}",
                "{{ a" + ".b".repeat(n) + " }}",
                "{{ a" + "|trim".repeat(n) + " }}",
                "{{ a" + "()".repeat(n) + " }}",
                "{{ a" + "[0]".repeat(n) + " }}",
                "{{ " + "a is eq ".repeat(n) + "1 }}",
                "{% set " + "(".repeat(n) + "a" + ")".repeat(n) + " = 1 %}",
                "{% if a %}".repeat(n) + "{% endif %}".repeat(n),
                "{% for a in b %}".repeat(n),
                "{% macro a() %}".repeat(n),
                "{{ 1" + "0".repeat(n) + " }}");
    }

    @ParameterizedTest
    @MethodSource("tooDeepToParse")
    void doesNotParse(String source) {
        TemplateException error = assertThrows(TemplateException.class, () -> ChatTemplate.parse(source, "hostile"));
        assertTrue(error.getMessage().startsWith("hostile, line 1: "), error.getMessage());
    }

    @Test
    void longButFlatTemplatesAreFine() {
        int n = 20_000;
        assertEquals("1".repeat(n), render("{{ 1 }}".repeat(n)));
        assertEquals(String.valueOf(n + 1), render("{{ 1" + " + 1".repeat(n) + " }}"));
        assertEquals("1".repeat(n + 1), render("{{ 1" + " ~ 1".repeat(n) + " }}"));
        assertEquals("True", render("{{ " + "not ".repeat(n) + "true }}"));
        assertEquals("1", render("{{ 0" + " or 0".repeat(n) + " or 1 }}"));
        assertEquals(String.valueOf(n), render("{{ [" + "1,".repeat(n) + "]|length }}"));
        assertEquals("x".repeat(n), render("{% if a %}{% endif %}x".repeat(n)));
    }

    @Test
    void searchAndSplitTakeLinearTime() {
        String texts = "{% set s = 'a' * 3000000 %}{% set part = s[:1000000] ~ 'b' %}";
        assertEquals("False", render(texts + "{{ part in s }}"));
        assertEquals("True 2000000", render(texts + "{{ part in s ~ 'b' }} {{ (s ~ 'b').find(part) }}"));
        assertEquals("1 1000002", render(texts + "{{ s.count(s[1:]) }} {{ ('b' ~ s ~ part)|replace(s, '')|length }}"));
        assertEquals(
                "1000000 3",
                render("{% set s = 'a ' * 1000000 %}{{ s.split()|length }}" + " {{ s.rsplit(maxsplit=2)|length }}"));
        assertEquals("1", render("{{ ('a' * 1000000 ~ 'b').strip('a' * 1000000)|length }}"));
    }

    @Test
    void limitsHoldOnASmallStack() throws InterruptedException {
        String recursion = "{% macro m(x) %}{% for a in [1] %}{% if a %}{{ (((m([x, (1 + 2)|abs])|trim)|upper ~ '')) }}"
                + "{% endif %}{% endfor %}{% endmacro %}{{ m(1) }}";
        String nesting = "{{ " + "[".repeat(99) + "]".repeat(99) + " }}";
        Throwable[] thrown = new Throwable[1];
        String[] text = new String[1];
        Thread thread = new Thread(
                null,
                () -> {
                    text[0] = render(nesting);
                    try {
                        render(recursion);
                    } catch (Throwable e) {
                        thrown[0] = e;
                    }
                },
                "small stack",
                512 << 10);
        thread.start();
        thread.join();
        assertEquals(nesting.substring(3, nesting.length() - 3), text[0]);
        assertEquals(
                Kind.LIMIT, assertInstanceOf(TemplateException.class, thrown[0]).kind());
    }

    @Test
    void dataThatNestsTooDeeplyIsRefused() {
        JsonArray data = new JsonArray();
        for (int i = 0; i < 100_000; i++) {
            JsonArray outer = new JsonArray();
            outer.add(data);
            data = outer;
        }
        List<JsonArray> messages = List.of(data);
        ChatTemplate template = ChatTemplate.parse("{{ messages }}", "t");
        TillerException error =
                assertThrows(TillerException.class, () -> template.render(Map.of("messages", messages), NOW));
        assertTrue(error.getMessage().contains("variable 'messages'"), error.getMessage());
    }

    private static String render(String source) {
        return ChatTemplate.parse(source, "t").render(Map.of(), NOW);
    }
}
