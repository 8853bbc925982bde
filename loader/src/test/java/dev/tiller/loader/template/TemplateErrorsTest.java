package dev.tiller.loader.template;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.template.TemplateException.Kind;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Faulty templates: the error names the template, the line and the reason. */
class TemplateErrorsTest {
    private static final LocalDateTime NOW = LocalDateTime.parse("2025-01-15T12:00:00");

    @ParameterizedTest
    @CsvSource(
            delimiter = '@',
            quoteCharacter = '`',
            value = {
                "1 @ {{ }} @ expected an expression",
                "1 @ {{ a @ not closed",
                "2 @ x~{% if a %} @ looking for elif or else or endif",
                "3 @ x~~{% endif %} @ unknown tag 'endif'",
                "3 @ {% if a %}~~{% endfor %} @ unknown tag 'endfor'",
                "2 @ ~{% foo %} @ unknown tag 'foo'",
                "4 @ a~b~c~{{ 1 | no_such }} @ No filter named 'no_such'.",
                "2 @ ~{{ 1 is no_such }} @ No test named 'no_such'.",
                "1 @ {{ a b }} @ expected end of print statement, got 'b'",
                "2 @ {{ a~+ }} @ unexpected end of print statement",
                "1 @ {{ (1, 2 }} @ unexpected '}', expected ')'",
                "1 @ {{ 1) }} @ unexpected ')'",
                "1 @ {% for x y in z %}{% endfor %} @ expected 'in', got 'y'",
                "1 @ {% set 1 = 2 %} @ expected a name to assign to, got '1'",
                "1 @ {% set none = 2 %} @ can't assign to 'none'",
                "2 @ ~{% break %} @ 'break' outside of a loop",
                "1 @ {% for x in y %}{% macro a() %}{% continue %}{% endmacro %}{% endfor %} @ 'continue' outside",
                "2 @ ~{# never closed @ Missing end of comment tag",
                "1 @ {% raw %} x @ Missing end of raw directive",
                "2 @ ~{{ 'abc }} @ string literal without end",
                "1 @ {{ '\\x4' }} @ hexadecimal escape",
                "1 @ {{ a ? b }} @ unexpected char '?'",
                "1 @ {{ f(a=1, 2) }} @ invalid syntax for function call",
                "1 @ {% macro f(a=1, b) %}{% endmacro %} @ non-default argument follows default",
                "1 @ {% call x %}{% endcall %} @ expected call",
                "1 @ {{ a is defined is none }} @ chain multiple tests",
                "1 @ {% for loop in x %}{% endfor %} @ special loop variable",
                "1 @ {% include 'x' %} @ unknown tag 'include'",
                "1 @ {{ a.'x' }} @ expected name or number",
            })
    void syntaxErrorsNameTheLine(int line, String source, String reason) {
        TemplateException error = assertThrows(
                TemplateException.class, () -> ChatTemplate.parse(source.replace('~', '\n'), "model/chat.jinja"));
        assertEquals(Kind.SYNTAX, error.kind());
        assertEquals(line, error.line(), error.getMessage());
        String start = "model/chat.jinja, line " + line + ": TemplateSyntaxError: ";
        assertTrue(error.getMessage().startsWith(start), error.getMessage());
        assertTrue(error.detail().contains(reason), error.getMessage());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '@',
            quoteCharacter = '`',
            value = {
                "TEMPLATE @ {{ raise_exception('no ' ~ 1) }} @ no 1",
                "UNDEFINED @ {{ nope.x }} @ 'nope' is undefined",
                "UNDEFINED @ {{ nope() }} @ 'nope' is undefined",
                "UNDEFINED @ {{ nope + 1 }} @ 'nope' is undefined",
                "UNDEFINED @ {{ d.nope.x }} @ 'dict object' has no attribute 'nope'",
                "UNDEFINED @ {{ none.split() }} @ 'None' has no attribute 'split'",
                "UNDEFINED @ {{ ('a' if false).x }} @ inline if-expression",
                "UNDEFINED @ {{ [1, nope]|sort }} @ 'nope' is undefined",
                "TYPE @ {{ 'a' + 1 }} @ can only concatenate str",
                "TYPE @ {{ 1 + 'a' }} @ unsupported operand",
                "TYPE @ {{ 1 < 'a' }} @ not supported between",
                "TYPE @ {{ none|length }} @ 'NoneType' has no len()",
                "TYPE @ {% for x in 5 %}{% endfor %} @ 'int' object is not iterable",
                "TYPE @ {{ 'a' in none }} @ not iterable",
                "TYPE @ {{ 1 in 'a' }} @ requires string",
                "TYPE @ {{ 'a'() }} @ 'str' object is not callable",
                "TYPE @ {{ nope|tojson }} @ Undefined is not JSON serializable",
                "TYPE @ {{ [1]|map('string')|tojson }} @ generator is not JSON serializable",
                "TYPE @ {{ [1]|select|length }} @ no len()",
                "TYPE @ {{ 'a'|upper(1) }} @ takes 0 arguments",
                "TYPE @ {% macro f(a) %}{% endmacro %}{{ f(1, 2) }} @ not more than 1",
                "TYPE @ {% macro f(a) %}{% endmacro %}{{ f(b=2) }} @ no keyword argument 'b'",
                "TYPE @ {{ '%d' % 'a' }} @ is required, not str",
                "TYPE @ {{ '%s' % (1, 2) }} @ not all arguments",
                "TYPE @ {{ {[1]: 2} }} @ key",
                "TYPE @ {{ loop([1]) if false else xs() }} @ 'list' object is not callable",
                "VALUE @ {% set a, b = [1] %} @ not enough values",
                "VALUE @ {% set a, b = [1, 2, 3] %} @ too many values",
                "VALUE @ {{ 'abc'.split('') }} @ empty separator",
                "VALUE @ {{ 'abc'.index('q') }} @ substring not found",
                "VALUE @ {{ xs[::0] }} @ zero",
                "LOOKUP @ {{ '{x}'.format(y=1) }} @ 'x'",
                "ARITHMETIC @ {{ 1 / 0 }} @ division by zero",
                "ARITHMETIC @ {{ range(100001) }} @ Range too big",
                "SECURITY @ {{ xs.append(1) }} @ 'append'",
                "SECURITY @ {{ d.update(a=1) }} @ 'update'",
                "SECURITY @ {{ d.pop('a') }} @ 'pop'",
                "SECURITY @ {{ ''.__class__.mro() }} @ '__class__'",
                "SECURITY @ {{ '{0.__class__.x}'.format(1) }} @ '__class__'",
                "RUNTIME @ {% set d.x = 1 %} @ non-namespace",
                "RUNTIME @ {% if true %}{{ 1|no_such }}{% endif %} @ No filter named 'no_such'",
            })
    void renderingErrorsHaveTheirKind(Kind kind, String source, String reason) {
        ChatTemplate template = ChatTemplate.parse("\n\nsome text " + source, "t");
        Map<String, Object> context = Map.of("d", Map.of("a", 1), "xs", List.of(1, 2));
        TemplateException error = assertThrows(TemplateException.class, () -> template.render(context, NOW));
        assertEquals(kind, error.kind(), error.getMessage());
        assertEquals(3, error.line());
        assertTrue(error.detail().contains(reason), error.getMessage());
    }

    @Test
    void theLineIsThatOfTheFailingStatement() {
        ChatTemplate template =
                ChatTemplate.parse("{% macro f(x) %}\n{{ x }}\n{% endmacro %}\n{{ f(1) ~ nope.a }}\n{{ f(2) }}", "t");
        assertEquals(
                4,
                assertThrows(TemplateException.class, () -> template.render(Map.of(), NOW))
                        .line());
    }

    @Test
    void theMessageIsOneLine() {
        ChatTemplate template = ChatTemplate.parse("{{ raise_exception('a\\nb\\r' ~ 'c' * 5000) }}", "t");
        TemplateException error = assertThrows(TemplateException.class, () -> template.render(Map.of(), NOW));
        assertFalse(error.getMessage().contains("\n") || error.getMessage().contains("\r"));
        assertTrue(error.getMessage().startsWith("t, line 1: TemplateError: a\\nb\\rccc"), error.getMessage());
        assertTrue(error.getMessage().length() < 1100);
        assertTrue(error.detail().startsWith("a\nb\rccc"));
    }
}
